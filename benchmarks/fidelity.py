"""Ten faults planted in a repository that agentsys wrote: which of its own checks find them, without being told.

The repository is made by replaying the example's recording (or is that of a finished run, `--run`). It is first checked
as it is: if that does not pass, nothing is measured. Then each fault is planted alone, by a search in the syntax tree,
and the repository goes through the checks of a verification: audit, imports, pyright, pytest, smoke run, results with
health. A fault counts as found only if one of these fails. Beside it stands what the table of results would show: a
number that left the grade it had, or differs from the delivered one; that alone does not count.

A repository without softmax or autograd cannot carry every fault in its own form; then the nearest analogue is planted
and named as such. A fault that cannot be planted at all ends the benchmark with an error.

    python benchmarks/fidelity.py [--backend docker|bwrap] [--run RUN] [--only N,N]

Ends with exit code 1 if fewer than 8 of 10 are found.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from plantings import FAULTS, Planting, plant_fault

from agentsys.audit.reported import reported_numbers
from agentsys.core.artifacts import Plan
from agentsys.core.events import EventLog
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.core.tree import read_tree
from agentsys.plan.distributions import normal_name
from agentsys.plan.files import load_plan
from agentsys.run.pipeline import implement
from agentsys.verify.checks.base import Bench, Found, Job
from agentsys.verify.checks.imports import check_imports
from agentsys.verify.checks.install import check_install, lock_of
from agentsys.verify.checks.pyright import check_types
from agentsys.verify.checks.pytests import check_pytest
from agentsys.verify.checks.results import check_results
from agentsys.verify.checks.smoke import check_smoke
from agentsys.verify.compare import compare
from agentsys.verify.results_file import Results, ResultsError, parse_results
from agentsys_policies.engine import Policy
from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import Limits, Package, SandboxSpec

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "dc-svrg"
BAR = 8
SECONDS = 900.0


@dataclass
class Seen:
    """What the checks said of one tree."""

    failed: list[tuple[str, str]]
    """(check, first words of it) of every check that did not pass."""
    results: Results | None
    seconds: float


class Lab:
    """One open sandbox with everything installed; trees go through it one after the other."""

    def __init__(self, sandbox: Sandbox, plan: Plan, logs: Path, policy: Policy) -> None:
        self._sandbox, self._plan, self._logs, self._policy = sandbox, plan, logs, policy
        self._installed: tuple[Package, ...] = ()

    async def install(self, files: Mapping[str, bytes]) -> None:
        """Install once; no fault is planted in the requirements."""
        bench = self._bench(files, "install")
        await bench.place_repo()
        found = await check_install(bench)
        if found.check.state != "passed":
            raise SystemExit(f"nothing could be installed: {found.check.note}")
        self._installed = bench.packages

    async def look(self, files: Mapping[str, bytes], name: str) -> Seen:
        """Put a tree through the checks, in the order of a verification."""
        began = time.monotonic()
        failed = self._audit(files)
        bench = self._bench(files, name)
        bench.packages = self._installed
        names = frozenset(normal_name(item.name) for item in self._installed)
        bench.facts = replace(bench.facts, installed=names)
        for check in (check_imports, check_types, check_pytest):
            failed += _failed(await check(bench))
        smoke = await check_smoke(bench)
        failed += _failed(smoke)
        if smoke.check.state == "passed":
            failed += _failed(await check_results(bench))
        return Seen(failed, _read(bench.job.out / "results.json"), time.monotonic() - began)

    def _audit(self, files: Mapping[str, bytes]) -> list[tuple[str, str]]:
        with tempfile.TemporaryDirectory() as folder:
            for path, data in files.items():
                (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / path).write_bytes(data)
            decision = self._policy.audit_code(Path(folder), reported=reported_numbers(self._plan))
        if decision.allows:
            return []
        worst = decision.findings[0] if decision.findings else None
        return [("audit", f"{worst.rule}: {worst.message}" if worst else decision.status)]

    def _bench(self, files: Mapping[str, bytes], name: str) -> Bench:
        log = EventLog(None, "benchmark")
        out = self._logs / "rounds" / name
        lock = lock_of(files)
        job = Job(files=files, out=out, plan=self._plan, events=log, timeout=SECONDS, round=1, lock=lock)
        return Bench(self._sandbox, job)


def _failed(found: Found) -> list[tuple[str, str]]:
    if found.check.state == "passed":
        return []
    first = found.diagnostics[0] if found.diagnostics else None
    where = f"{first.path}:{first.line} " if first and first.path else ""
    name = "health" if first and first.kind == "health" else found.check.name
    words = " ".join((first.message if first else found.check.note).split())
    return [(name, (where + words)[:110])]


def _read(path: Path) -> Results | None:
    try:
        return parse_results(path.read_bytes()) if path.is_file() else None
    except ResultsError:
        return None


def table_notes(plan: Plan, before: Results | None, after: Results | None) -> list[str]:
    """Return what a reader of the table of results would see: grades that changed, numbers that differ."""
    rows = zip(compare(plan, before), compare(plan, after), strict=True)
    pairs = [(was, now) for was, now in rows if was.measured is not None]
    left = [f"{now.expected.id} {was.grade} -> {now.grade}" for was, now in pairs if was.grade != now.grade]
    other = sum(1 for was, now in pairs if was.measured != now.measured)
    return [f"grades: {', '.join(left[:3])}"] * bool(left) + [f"{other} of {len(pairs)} numbers differ"] * bool(other)


async def made_by_replay(folder: Path, backend: str) -> RunDir:
    """Replay the example's recording, and return the verified run."""
    chosen = {"replay": EXAMPLE / "recording", "runs_dir": folder / "runs", "backend": backend, "mutants": 0}
    result = await implement(EXAMPLE / "paper.pdf", Settings.model_validate({**chosen, "allow_weak_sandbox": True}))
    if result.record.status != "verified":
        raise SystemExit(f"the example's recording does not end verified: {result.record.reason}")
    return result.run


async def measure(run: RunDir, backend: str, only: set[int], logs: Path) -> int:
    """Check the repository as it is, then with each fault; return how many were found."""
    plan = load_plan(run.plan)
    if plan is None:
        raise SystemExit(f"`{run.path}` holds no plan")
    files = read_tree(run.repo)
    chosen = [(number, fault) for number, fault in enumerate(FAULTS, 1) if not only or number in only]
    planted = [(number, fault, plant_fault(fault, files, plan)) for number, fault in chosen]
    spec = SandboxSpec(run="benchmark-fidelity", limits=Limits(memory=4 << 30, ttl=6 * 3600.0), allow_weak=True)
    async with open_sandbox(spec, backend) as sandbox:
        lab = Lab(sandbox, plan, logs, Policy.load("default"))
        await lab.install(files)
        clean = await lab.look(files, "clean")
        said = "passes every check" if not clean.failed else f"fails: {clean.failed}"
        print(f"unchanged repository: {said} ({clean.seconds:.0f} s)")
        if clean.failed:
            raise SystemExit("the repository does not pass as it is: nothing is measured")
        found = 0
        for number, fault, planting in planted:
            seen = await lab.look(planting.files, f"fault-{number:02d}")
            found += bool(seen.failed)
            report(number, fault.name, planting, seen, table_notes(plan, clean.results, seen.results))
    print(f"\nfound: {found} of {len(planted)}; bar: {BAR} of {len(FAULTS)}")
    return found


def report(number: int, name: str, planting: Planting, seen: Seen, notes: list[str]) -> None:
    """Print one fault and what found it."""
    analogue = f" [analogue: {planting.analogue}]" if planting.analogue else ""
    print(f"\n{number:2}. {name}{analogue}")
    print(f"    {planting.path}:{planting.line}  {planting.before}  ->  {planting.after}")
    for check, words in seen.failed:
        print(f"    found by {check}: {words}")
    if not seen.failed:
        print("    NOT FOUND")
    if notes:
        print(f"    table of results: {'; '.join(notes)}")
    sys.stdout.flush()


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="planted faults, and which checks find them")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--run", type=Path, help="a finished, verified run instead of the example's recording")
    parser.add_argument("--only", default="", help="numbers of faults, separated by commas")
    parser.add_argument("--logs", type=Path, help="folder for the logs of the checks")
    options = parser.parse_args()
    only = {int(part) for part in options.only.split(",") if part}
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_main(options, only, Path(folder)))


async def _main(options: argparse.Namespace, only: set[int], folder: Path) -> int:
    run = RunDir(options.run) if options.run else await made_by_replay(folder, options.backend)
    print(
        f"repository: {run.path.name}, {'a finished run' if options.run else 'replayed from the recording'}, unchanged"
    )
    found = await measure(run, options.backend, only, options.logs or folder / "logs")
    return 0 if only or found >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
