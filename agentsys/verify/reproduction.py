"""A profile of a delivered repository, run later: at the paper's own scale, with data, on better hardware."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from agentsys.core.artifacts import CHECKS, Artifact, Check, CheckName, Plan, Verdict
from agentsys.core.events import EventLog
from agentsys.core.files import write_atomic
from agentsys.plan.repo_facts import RepoFacts
from agentsys.verify.bench import Bench, Found
from agentsys.verify.datafiles import DATA, DataFolder, place
from agentsys.verify.diagnostics import order_and_merge
from agentsys.verify.install import check_install
from agentsys.verify.replay import lock_pins
from agentsys.verify.results import check_results
from agentsys.verify.smoke import check_smoke
from agentsys_sandbox.base import OnOutput, Sandbox
from agentsys_sandbox.spec import Package

PARTS: tuple[CheckName, ...] = ("install", "smoke", "results", "audit")
"""The checks of a reproduction; it passed only if each of them did."""
FILE = "reproduction.json"

_NETWORK = re.compile(
    r"name resolution|Name or service not known|nodename nor servname|getaddrinfo|gaierror|Could not resolve host"
    r"|Network is unreachable|Failed to establish a new connection|NewConnectionError|Max retries exceeded"
    r"|urlopen error|URLError|ClientConnectorError|unable to resolve host|LocalEntryNotFoundError",
    re.IGNORECASE,
)
_NO_DATA = re.compile(rf"No such file or directory: ['\"]?(?:\S*/)?{DATA}/")


class Reproduction(Artifact):
    """What one reproduction was and came to (`reproductions/NN/reproduction.json`)."""

    schema_version: int = 1
    number: int
    profile: str
    tree: str = Field(description="hash of the code that was run, as in the verdicts of the rounds")
    started: str
    finished: str
    seconds: float = Field(description="wall-clock seconds of the run itself")
    backend: str = ""
    weak: bool = False
    timeout: float = Field(description="seconds that the run was given")
    memory_mb: int = 0
    cpus: float = 0.0
    data: str = Field(default="", description="what was put under `data/`, in words; empty where nothing was")
    data_sha256: str = Field(default="", description="hash over names and contents of the data")
    passed: bool = Field(description="the run ended well, and its results and signs of health were accepted")
    reason: str = Field(default="", description="why it did not pass")
    hint: str = ""


@dataclass
class Outcome:
    """A verdict, and what explains a failure to a person."""

    verdict: Verdict
    data_sha256: str = ""
    reason: str = ""
    hint: str = ""

    @property
    def passed(self) -> bool:
        """True only if every part ran and passed."""
        states = {check.name: check.state for check in self.verdict.checks}
        return not self.verdict.infra and all(states.get(name) == "passed" for name in PARTS)


@dataclass(frozen=True)
class Task:
    """What is run, and where the evidence goes. `timeout` is for each command, in seconds."""

    files: Mapping[str, bytes]
    out: Path
    plan: Plan
    number: int
    profile: str
    tree: str
    timeout: float
    audit: Check
    events: EventLog
    data: DataFolder | None = None
    on_output: OnOutput | None = None
    refuses: Callable[[Sequence[Package]], str] = lambda _: ""
    """Says why nothing may run where these packages are installed; an empty text where it may."""


async def run_profile(task: Task, sandbox: Sandbox) -> Outcome:
    """Install from the repository's pins, put the data in place, run the profile without network, judge its results.

    Args:
        sandbox: opened and closed by the caller.

    Raises: Infrastructure, SandboxGone: the sandbox or the index failed, which says nothing about the code.
    """
    bench = _bench(task, sandbox)
    outcome = Outcome(_verdict(task, sandbox, []))

    async def furnish(place_in: Sandbox) -> None:
        if task.data is not None:
            outcome.data_sha256 = await place(task.data, place_in)

    await bench.place_repo()
    found = [await check_install(bench)]
    if found[-1].check.state == "passed" and (why := task.refuses(bench.packages)):
        found.append(Found(task.audit.model_copy(update={"state": "failed", "note": why})))
    elif found[-1].check.state == "passed":
        bench.furnish = furnish
        found.append(await check_smoke(bench))
    if found[-1].check.name == "smoke" and found[-1].check.state == "passed":
        found.append(await check_results(bench))
    outcome.verdict = _verdict(task, sandbox, found)
    write_atomic(task.out / "verdict.json", outcome.verdict.model_dump_json(indent=1) + "\n")
    if not outcome.passed:
        outcome.reason, outcome.hint = _explain(task, outcome.verdict)
    return outcome


def _bench(task: Task, sandbox: Sandbox) -> Bench:
    names = ("requirements.txt", "pyproject.toml")
    texts = {name: task.files[name].decode("utf-8", "replace") for name in names if name in task.files}
    return Bench(
        sandbox=sandbox,
        files=task.files,
        out=task.out,
        log_base=task.out.parent.parent,
        plan=task.plan,
        facts=RepoFacts(files=frozenset(task.files), plan=task.plan, texts=texts),
        events=task.events,
        round=task.number,
        timeout=task.timeout,
        constraints=lock_pins(task.files),
        profile=task.profile,
        stage="replay",
        on_output=task.on_output,
    )


def _verdict(task: Task, sandbox: Sandbox, found: Sequence[Found]) -> Verdict:
    done = {"audit": task.audit} | {item.check.name: item.check for item in found}
    description = sandbox.describe()
    why = {name: "not reached" if name in PARTS else "not part of a reproduction" for name in CHECKS}
    return Verdict(
        round=task.number,
        tree=task.tree,
        checks=tuple(done.get(name) or Check(name=name, state="not_run", note=why[name]) for name in CHECKS),
        diagnostics=order_and_merge(item for each in found for item in each.diagnostics),
        backend=description.backend,
        weak=description.weak,
    )


def _explain(task: Task, verdict: Verdict) -> tuple[str, str]:
    """Say why it did not pass, and above all whether what it wanted is data or the network."""
    first = verdict.diagnostics[0] if verdict.diagnostics else None
    refused = next((check.note for check in verdict.checks if check.name == "audit" and check.state != "passed"), "")
    reason = first.message if first is not None else refused or "the profile was not run"
    said = f"{reason}\n{first.detail}" if first is not None and first.check == "smoke" else ""
    where = f"put what it needs into a folder and name it: `--data DIR` shows its files to the run as `{DATA}/`"
    if _NETWORK.search(said):
        return f"the {task.profile} profile wants the network, which no run has here: {reason}", where
    if _NO_DATA.search(said):
        return f"the {task.profile} profile misses a file of `{DATA}/`: {reason}", where
    if first is not None and first.kind == "timeout":
        return reason, f"give it more time: `--timeout` (it had {task.timeout:.0f} s)"
    if first is not None and first.kind == "oom":
        return reason, "give it more memory: `--set memory_mb=N`"
    return reason, ""
