"""A profile of a delivered repository, run later: at the paper's own scale, with data, on better hardware."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import Field

from agentsys.core.artifacts import Artifact, Verdict
from agentsys.core.files import write_atomic
from agentsys.core.tree import RESULTS
from agentsys.plan.data import DATA
from agentsys.verify.checks.audit import with_installed
from agentsys.verify.checks.base import Bench, Found, Job, Screened
from agentsys.verify.checks.smoke import RESULTS_FILE
from agentsys.verify.checks.table import Seen, make_verdict, run_checks
from agentsys.verify.datafiles import DataFault, DataFolder, Files, check_data
from agentsys_sandbox.base import REPO, WORK, Sandbox, SandboxError
from agentsys_sandbox.spec import Package

PARTS = ("install", "smoke", "results", "audit")
"""The checks of a reproduction; it passed only if each of them did."""
FILE = "reproduction.json"
RESULTS_PLACE = f"{REPO.removeprefix(f'{WORK}/')}/{RESULTS}"
"""Where in the folder `keep` the results of a run that was cancelled lie."""

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
    where: str = Field(default="", description="the machine and job, where it was not run beside the run directory")
    builds: str = Field(default="", description="builds in place of those locked, for the driver of the GPUs")
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
    """What is run."""

    job: Job
    """Its `round` is the number of the reproduction."""
    audit: Found
    data: DataFolder | None = None
    refuses: Callable[[Sequence[Package]], str] = lambda _: ""
    """Says why these packages may not be installed; an empty text where they may."""
    keep: Path | None = None
    """Takes what the run has written to its results where it is cancelled."""
    resumed: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """What an earlier run of this code had written there, by path in that folder: it may go on from it."""


async def run_profile(task: Task, sandbox: Sandbox) -> Outcome:
    """Install what the repository has locked, show the data, see that it is the planned one, run the profile, judge.

    Args:
        sandbox: opened and closed by the caller.

    Raises: Infrastructure, SandboxGone: the sandbox or the index failed, which says nothing about the code.
    """
    if task.data is None:
        return await _run(task, sandbox, None)
    with ExitStack() as stack:
        folder, digest = await asyncio.to_thread(stack.enter_context, task.data.folder())
        outcome = await _run(task, sandbox, folder)
        outcome.data_sha256 = digest
        return outcome


async def _run(task: Task, sandbox: Sandbox, folder: Path | None) -> Outcome:
    files: Files = task.data.files if task.data is not None else {}

    async def add_data(place: Sandbox) -> None:
        if task.job.profile == "full":
            await check_data(task.job.plan, files, place)
        if folder is not None:
            await place.show_data(folder)
        # A final results file has to be written by the run that ends.
        before = {f"{RESULTS}/{name}": data for name, data in task.resumed.items()}
        before.pop(RESULTS_FILE, None)
        await place.write_files(before)

    async def screen(bench: Bench) -> Screened:
        why = task.refuses(bench.packages)
        bench.add_files = add_data  # only now: what was built during the resolution did not see the data
        return Screened(note=why, refused=bool(why), may_run=not why)

    job = replace(task.job, screen=screen)
    bench, fault = Bench(sandbox, job), None
    try:
        seen = await run_checks(bench, only=PARTS)
    except DataFault as error:
        fault = error
        seen = Seen(backend=sandbox.describe().backend, weak=sandbox.describe().weak, screened=bench.screened)
    except asyncio.CancelledError:
        if task.keep is not None:
            with suppress(SandboxError):
                await sandbox.export([f"{REPO}/{RESULTS}"], task.keep)
        raise
    seen.found["audit"] = with_installed(task.audit, seen.screened)
    verdict = make_verdict(job, seen, otherwise=str(fault) if fault else "not part of a reproduction")
    if fault is not None:
        verdict = verdict.model_copy(update={"diagnostics": (*fault.found, *verdict.diagnostics)})
    outcome = Outcome(verdict)
    write_atomic(job.out / "verdict.json", outcome.verdict.model_dump_json(indent=1) + "\n")
    if not outcome.passed:
        refused = seen.screened.note if seen.screened is not None else ""
        outcome.reason, outcome.hint = _explain(job, outcome.verdict, refused)
    return outcome


def _explain(job: Job, verdict: Verdict, refused: str) -> tuple[str, str]:
    """Say why it did not pass, and above all whether what it wanted is data or the network."""
    first = verdict.diagnostics[0] if verdict.diagnostics else None
    reason = first.message if first is not None else refused or "the profile was not run"
    said = f"{reason}\n{first.detail}" if first is not None and first.check == "smoke" else ""
    where = f"put what it needs into a folder and name it: `--data-dir DIR` shows its files to the run as `{DATA}/`"
    if first is not None and first.kind == "data":
        return reason, "see `agentsys data verify`; take the right data, or correct the counts in `plan/expected.json`"
    if _NETWORK.search(said):
        return f"the {job.profile} profile wants the network, which no run has here: {reason}", where
    if _NO_DATA.search(said):
        return f"the {job.profile} profile misses a file of `{DATA}/`: {reason}", where
    if first is not None and first.kind == "timeout":
        return reason, f"give it more time: `--timeout` (it had {job.timeout:.0f} s)"
    if first is not None and first.kind == "oom":
        return reason, "give it more memory: `--set memory_mb=N`"
    return reason, ""
