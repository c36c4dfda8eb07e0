"""Twenty planted faults whose cause lies in a file that nothing names: is it in the debugger's request, and how early?

The repository under `debugging_repo/` is a small optimiser with tests, in plain Python. It is first checked as it is.
Then each fault is planted alone and the repository goes through the checks that would notice it: pytest, or the run
with its signs of health, in a sandbox. What the checks say must not name the file with the fault, in no place and no
frame. Then the debugger's request is built as in a run, from the evidence on disk; no model is asked. A fault counts if
the function or class that holds it stands word for word, and whole, among the sources of the request, in its own file;
a signature or a list of interfaces does not count. Beside it: the tokens of source before that file, and of the whole
request.

Half of the repository's Python fits into what is shown here, so that not everything is found by showing everything.

    python -m benchmarks.debugging [--backend docker|bwrap] [--held-back] [--only N,N]

`--held-back` plants twenty others, written down before the evidence was mended and not looked at while it was. Ends
with exit code 1 if fewer than 19 of 20 are found.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import yaml

from agentsys.core.artifacts import Check, Plan, Verdict
from agentsys.core.events import EventLog
from agentsys.core.files import write_atomic
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord
from agentsys.core.settings import Settings
from agentsys.core.tree import read_tree
from agentsys.debug import evidence
from agentsys.debug.callgraph import call_graph
from agentsys.llm.render import CHARS_PER_TOKEN
from agentsys.llm.types import Prompt
from agentsys.paper import read_paper
from agentsys.paper import write_paper as store_paper
from agentsys.plan.distributions import normal_name
from agentsys.plan.files import save_plan
from agentsys.plan.interfaces import interface_of
from agentsys.run.assemble import assemble
from agentsys.verify.checks.base import Bench, Found, Job
from agentsys.verify.checks.install import check_install
from agentsys.verify.checks.pytests import check_pytest
from agentsys.verify.checks.results import check_results
from agentsys.verify.checks.smoke import check_smoke
from agentsys.verify.checks.table import Seen, make_verdict
from agentsys.verify.watching import watch_failed
from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import Limits, Package, SandboxSpec

REPO = Path(__file__).resolve().parent / "debugging_repo"
BAR = 19
SECONDS = 8.0
"""Processor seconds of a command; the whole suite takes less than one."""


@dataclass(frozen=True)
class Fault:
    """One wrong line."""

    name: str
    path: str
    old: str
    new: str
    by: str
    """What notices it: `tests`, or `run`, its signs of health."""


def faults(held_back: bool) -> tuple[Fault, ...]:
    """Return the twenty faults to plant."""
    name = "debugging_held_back.yaml" if held_back else "debugging_faults.yaml"
    return tuple(Fault(**row) for row in yaml.safe_load(REPO.with_name(name).read_text(encoding="utf-8")))


def plan_of(files: Mapping[str, bytes]) -> Plan:
    """Return a plan of the repository as the planner would have written it."""
    imports = {path: _imported(data.decode(), files) for path, data in files.items() if path.endswith(".py")}
    specs: list[dict[str, Any]] = [
        {
            "path": path,
            "kind": "test" if path.startswith("tests/") else "source",
            "purpose": files[path].decode().partition("\n")[0].strip('"'),
            "depends_on": needed,
            "interface": "\n".join(interface_of(files[path].decode())),
            "requirements": {"R1": ["result:final_gap"]} if path == "sgdlab/report.py" else {},
        }
        for path, needed in imports.items()
        if not path.endswith("__init__.py")
    ]
    specs.append({"path": "reproduce.sh", "kind": "script", "purpose": "runs it", "depends_on": ["sgdlab/main.py"]})
    specs.append({"path": "README.md", "kind": "doc", "purpose": "for a person"})
    return Plan.model_validate(
        {
            "package": "sgdlab",
            "summary": "Momentum with warm-up on a ridge regression, beside its closed form.",
            "architecture": "training puts the parts together, experiments measure.",
            "requirements": [
                {"id": "R1", "what": "it converges", "place": {"section": "1"}, "owner": "sgdlab/report.py"}
            ],
            "files": specs,
            "config_full": yaml.safe_load(files["configs/full.yaml"]),
            "config_smoke": yaml.safe_load(files["configs/smoke.yaml"]),
            "experiments": [{"name": "compare", "what": "beside", "full": "", "smoke": "", "health": "the gap falls"}],
            "expected": [
                {
                    "id": "E1",
                    "experiment": "compare",
                    "metric": "final gap",
                    "value": 0.0,
                    "place": {"section": "1"},
                    "result_key": "final_gap",
                }
            ],
        }
    )


def _imported(text: str, files: Mapping[str, bytes]) -> list[str]:
    modules = (line.split()[1] for line in text.splitlines() if line.startswith("from sgdlab."))
    return [path for path in (f"{name.replace('.', '/')}.py" for name in modules) if path in files]


class Asked(Exception):
    """The request that would have been sent."""

    def __init__(self, prompt: Prompt) -> None:
        super().__init__("asked")
        self.prompt = prompt


class Listener:
    """Stands where the model stands, and keeps the first request."""

    async def ask(self, role: str, item: str, prompt: Prompt, parse: Callable[[str], object]) -> object:
        raise Asked(prompt)


@dataclass
class Lab:
    """One open sandbox with everything installed."""

    sandbox: Sandbox
    folder: Path
    plan: Plan
    packages: tuple[Package, ...] = ()

    async def install(self, files: Mapping[str, bytes]) -> None:
        bench = self._bench(files, self.folder / "install" / "rounds" / "01")
        await bench.place_repo()
        found = await check_install(bench)
        if found.check.state != "passed":
            raise SystemExit(f"nothing could be installed: {found.check.note}")
        self.packages = bench.packages

    async def look(self, files: Mapping[str, bytes], run: RunDir, by: str) -> Verdict:
        """Put a tree through the checks and write the round."""
        bench = self._bench(files, run.round(1))
        seen = Seen(backend=self.sandbox.describe().backend)
        seen.found["install"] = Found(Check(name="install", state="passed"))
        if by in ("tests", "both"):
            seen.found["pytest"] = await check_pytest(bench)
        if by in ("run", "both"):
            seen.found["smoke"] = await check_smoke(bench)
            if seen.passed("smoke"):
                seen.found["results"] = await check_results(bench)
        await watch_failed(bench, seen)
        return make_verdict(bench.job, seen)

    def _bench(self, files: Mapping[str, bytes], out: Path) -> Bench:
        job = Job(files=files, out=out, plan=self.plan, events=EventLog(None, "x"), timeout=SECONDS, round=1)
        bench = Bench(self.sandbox, job)
        bench.packages = self.packages
        bench.facts = replace(bench.facts, installed=frozenset(normal_name(item.name) for item in self.packages))
        return bench


async def request_of(run: RunDir, verdict: Verdict) -> Prompt:
    """Return what the debugger would ask about this verdict."""
    recording = run.path / "none"
    write_atomic(recording / "x" / "y" / "01.md", "---\n{}\n---\nnone")
    team = assemble(run, RunRecord(id="run"), Settings(replay=recording), EventLog(None, "x"), None)
    context = team.context
    context.git.commit("First version")
    context.rounds.write_verdict(verdict.model_copy(update={"tree": context.ws.code_tree()}))
    context.model = cast("Any", Listener())
    try:
        await next(agent for agent in team.agents if "debug" in agent.steps).act("debug")
    except Asked as asked:
        return asked.prompt
    finally:
        await team.close()
    raise SystemExit("the debugger asked nothing")


def place_of(files: Mapping[str, bytes], fault: Fault) -> tuple[dict[str, bytes], str]:
    """Return the repository with the fault, and the line that holds it."""
    text = files[fault.path].decode()
    if text.count(fault.old) != 1:
        raise SystemExit(f"`{fault.old}` stands {text.count(fault.old)} times in `{fault.path}`")
    changed = text.replace(fault.old, fault.new)
    line = next(a for a, b in zip(changed.splitlines(), text.splitlines(), strict=True) if a != b)
    return {**files, fault.path: changed.encode()}, line


def write_run(folder: Path, files: Mapping[str, bytes], plan: Plan) -> RunDir:
    """Make a run directory that holds paper, plan and repository."""
    run = RunDir(folder)
    for path, data in files.items():
        write_atomic(run.repo / path, data)
    (folder / "paper.md").write_text("# Momentum\n\n## 1 Method\n\nHeavy-ball steps with warm-up.\n")
    store_paper(read_paper(folder / "paper.md"), run.paper)
    save_plan(run.plan, plan)
    return run


def whole_of(text: str, path: str, line: str) -> str:
    """Return the innermost function, or class, around a line of a file; of what is no Python the whole file."""
    number = text.splitlines().index(line) + 1
    graph = call_graph({path: text} if path.endswith(".py") else {})
    key = graph.at(path, number)
    if not key:
        return text
    node = graph.nodes[key].node
    return "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno])  # type: ignore[attr-defined]


def tokens_before(task: str, path: str, whole: str) -> int:
    """Return the tokens of the files that a request shows before the one with this definition; -1 where it is not."""
    shown = re.findall(r"<<(\w+) (\S+)\n(.*?)\n\1>>", task.partition("The code behind it")[2], re.DOTALL)
    before = 0
    for _, name, text in shown:
        if name == path and whole.strip("\n") in text:
            return before // CHARS_PER_TOKEN
        before += len(text)
    return -1


async def look_at(lab: Lab, number: int, fault: Fault, files: Mapping[str, bytes]) -> tuple[int, int] | None:
    """Plant a fault; return the tokens before it in the request and those of the whole request, and print them."""
    planted, line = place_of(files, fault)
    run = write_run(lab.folder / f"fault-{number:02d}", planted, lab.plan)
    verdict = await lab.look(planted, run, fault.by)
    named = {row.path for row in verdict.diagnostics} | {
        frame.partition(":")[0] for row in verdict.diagnostics for frame in row.frames
    }
    if not verdict.diagnostics or fault.path in named:
        print(f"{number}. {fault.name}: {'nobody noticed it' if not named else 'it is named'}")
        return None
    task = (await request_of(run, verdict)).body[-1].text
    before = tokens_before(task, fault.path, whole_of(planted[fault.path].decode(), fault.path, line))
    place = f"after {before} tokens" if before >= 0 else "NOT SHOWN"
    size = len(task) // CHARS_PER_TOKEN
    where = f"{fault.path}, noticed in {verdict.diagnostics[0].path}"
    print(f"{number:2}. {fault.name}: {where}: {place}; request {size} tokens", flush=True)
    return before, size


async def measure(backend: str, planted: Sequence[Fault], only: set[int], folder: Path) -> tuple[int, int]:
    """Return how many faults were in the request, and how many were planted."""
    files = read_tree(REPO)
    plan = plan_of(files)
    source = sum(len(data) for path, data in files.items() if path.endswith(".py"))
    evidence.BUDGET = source // 2  # pyright: ignore[reportConstantRedefinition]
    spec = SandboxSpec(run="benchmark-debugging", limits=Limits(memory=2 << 30, ttl=3600.0), allow_weak=True)
    async with open_sandbox(spec, backend) as sandbox:
        lab = Lab(sandbox, folder, plan)
        await lab.install(files)
        clean = await lab.look(files, write_run(folder / "clean", files, plan), "both")
        if clean.diagnostics:
            raise SystemExit(f"the repository does not pass as it is: {clean.diagnostics[0].message}")
        print(f"{len(files)} files, {source // CHARS_PER_TOKEN} tokens of Python; half of that is shown at most")
        chosen = [(n, fault) for n, fault in enumerate(planted, 1) if not only or n in only]
        looks = [await look_at(lab, number, fault, files) for number, fault in chosen]
    seen = [look for look in looks if look is not None]
    early = sorted(before for before, _ in seen if before >= 0)
    middle = early[len(early) // 2] if early else -1
    print(f"\nin the request: {len(early)} of {len(chosen)}; median {middle} tokens of source before it")
    print(f"requests: {sum(size for _, size in seen) // max(1, len(seen))} tokens on average; bar: {BAR} of 20")
    return len(early), len(chosen)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="planted faults, and whether the debugger is shown them")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--held-back", action="store_true", help="plant the other twenty")
    parser.add_argument("--only", default="", help="numbers of faults, separated by commas")
    options = parser.parse_args()
    only = {int(part) for part in options.only.split(",") if part}
    with tempfile.TemporaryDirectory() as folder:
        found, planted = asyncio.run(measure(options.backend, faults(options.held_back), only, Path(folder)))
    return 0 if found >= (planted if only else BAR) else 1


if __name__ == "__main__":
    sys.exit(main())
