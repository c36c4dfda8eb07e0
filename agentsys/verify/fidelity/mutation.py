"""A sample of planted faults in a repository that nobody here wrote: how many of them make one of its tests fail."""

from __future__ import annotations

import time
from dataclasses import replace

from agentsys.core.tree import tree_hash
from agentsys.verify.checks.base import Bench
from agentsys.verify.fidelity.evidence import TestRecord, gather
from agentsys.verify.fidelity.mutants import Planted, all_targets, choose, plan_targets
from agentsys.verify.fidelity.mutation_report import MutationReport, TriedMutant
from agentsys.verify.fidelity.trials import Trial, Trials, TrialSeen

TIME_LIMIT = "time limit"
_NONE = "none"
_FAILED = frozenset({"asserted", "crashed"})


async def sample_faults(
    bench: Bench, tests: TestRecord, count: int, *, owned: bool = True, limit: float = 900.0
) -> MutationReport:
    """Plant at most `count` faults, one after the other, and run the tests that execute the function of each.

    Args:
        bench: with the environment installed.
        tests: how the tests end without a fault, and what they execute.
        owned: plant only in functions that carry requirements of the plan; False takes every function.
        limit: seconds of processor time, on each processor, after which no further fault is tried.

    Raises: Infrastructure, SandboxError where the sandbox failed.
    """
    since = time.monotonic()
    files, plan = bench.job.files, bench.job.plan
    report = MutationReport(tree=bench.job.tree or tree_hash(files), backend=bench.sandbox.describe().backend)
    targets = plan_targets(plan, gather(plan, files, tests), files) if owned else all_targets(files)
    # One fault says that no test executes a function; more of them would only say it again.
    targets = [item if tests.executed(item.path, item.symbol) else replace(item, most=1) for item in targets]
    planted = choose(files, targets, count, report.seed)
    if not planted:
        return report.model_copy(update={"note": "no function of the method in which a fault could be planted"})
    seen = await _run(bench, tests, planted, limit)
    plain = seen[_NONE].tests if _NONE in seen else {}
    steady = {test for test, item in plain.items() if item.word == "passed"}
    if not steady:
        return report.model_copy(update={"note": "no test passes without a fault, when it is run again"})
    mutants = tuple(_tried(item, tests, seen.get(_id(item)), steady) for item in planted)
    left = any(item.state == "not_run" for item in mutants)
    note = "the time for this check was used up" if left else ""
    seconds = round(time.monotonic() - since, 1)
    return report.model_copy(update={"mutants": mutants, "note": note, "seconds": seconds})


async def _run(bench: Bench, tests: TestRecord, planted: list[Planted], limit: float) -> dict[str, TrialSeen]:
    """Run the trials in forked processes; where no test passes in one, each in a Python of its own."""
    rows = [Trial(_NONE, tuple(tests.passed()))]
    for item in planted:
        if names := tests.executed(item.mutant.path, item.mutant.symbol):
            rows.append(Trial(_id(item), names, item.mutant.path, item.fault, first=True))
    trials = Trials(bench, seconds=tests.seconds)
    seen = await trials.run(rows, limit)
    if _NONE in seen and not any(item.word == "passed" for item in seen[_NONE].tests.values()):
        trials.fork = False
        seen = await trials.run(rows, limit)
    return seen


def _id(item: Planted) -> str:
    return str(item.mutant.number)


def _tried(item: Planted, tests: TestRecord, seen: TrialSeen | None, steady: set[str]) -> TriedMutant:
    base = item.mutant.model_dump()
    if not tests.executed(item.mutant.path, item.mutant.symbol):
        return TriedMutant(**base, state="survived", note="no test executes this function")
    if seen is None:
        return TriedMutant(**base, note="the time for this check was used up")
    failed = [test for test, each in seen.tests.items() if each.word in _FAILED and test in steady]
    by = failed[0] if failed else ""
    if not by and seen.ended != "done":
        by = TIME_LIMIT if seen.ended == "time" else seen.under_way or "the process ended"
    by = by or ("collection" if seen.collect else "")
    state = "caught" if by else "survived"
    return TriedMutant(**base, state=state, by=by, tests=len(seen.tests), seconds=seen.seconds)
