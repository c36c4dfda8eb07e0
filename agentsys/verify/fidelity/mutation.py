"""The mutation check: small faults are planted in the core functions, and a test must fail for each.

One installation, one run of all tests without a fault, then for each mutant the tests that executed its function. What
was not run is never counted as caught, and a fault of the sandbox is said, not blamed on anyone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agentsys.core.events import EventLog
from agentsys.core.files import write_atomic
from agentsys.core.tree import is_test_path, tree_hash
from agentsys.verify.checks.base import Bench, Infrastructure, Job
from agentsys.verify.checks.install import check_install
from agentsys.verify.checks.pytests import check_pytest, run_tests
from agentsys.verify.fidelity.evidence import TestRecord, gather, read_tests
from agentsys.verify.fidelity.mutants import Mutant, Planted, all_targets, choose, plan_targets
from agentsys.verify.fidelity.mutation_report import FILE, MutationReport, TriedMutant
from agentsys_sandbox.base import Sandbox, SandboxError
from agentsys_sandbox.spec import ExecResult, Outcome

TIMES = 4.0
"""A mutant may take this many times what its tests take without a fault ..."""
SPARE = 20.0
"""... and this many seconds more, for starting Python and importing."""
TIME_LIMIT = "time limit"
MANY = 150
"""Tests named on one command line; more of them are run by file."""

_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", re.MULTILINE)
_SHARED = re.compile(r"\bscope\s*=|\bcache\b|\blru_cache\b")


@dataclass
class _Work:
    """The check under way."""

    bench: Bench
    tests: TestRecord
    deadline: float
    startup: float


async def mutation_check(
    job: Job,
    sandbox_factory: Callable[[], Sandbox] | Sandbox,
    out: Path,
    *,
    count: int = 20,
    seed: int = 0,
    limit: float = 1800.0,
    owned: bool = True,
) -> MutationReport:
    """Plant at most `count` faults in the files of a job, and write the report to `out/mutation.json`.

    Args:
        job: what is verified otherwise; its logs go to `out/mutation`, and its events are kept to itself.
        sandbox_factory: makes a new sandbox, opened and closed here; or one that the caller has opened and will close.
        out: folder of the report, `rounds`.
        limit: seconds after which no further mutant is tried.
        owned: plant only in functions that carry requirements of the plan; False takes every function.

    Raises nothing for faults of the sandbox or of the code: they stand in `MutationReport.note`.
    """
    since = time.monotonic()
    report = MutationReport(tree=job.tree or tree_hash(job.files), seed=seed)
    job = replace(job, out=out / "mutation", events=EventLog(None, "mutation"), round=0)
    try:
        if callable(sandbox_factory):
            async with sandbox_factory() as sandbox:
                report = await _check(Bench(sandbox, job), report, count, since + limit, owned=owned)
        else:
            report = await _check(Bench(sandbox_factory, job), report, count, since + limit, owned=owned)
    except (Infrastructure, SandboxError) as error:
        report = report.model_copy(update={"note": f"the sandbox failed: {error}"})
    report = report.model_copy(update={"seconds": round(time.monotonic() - since, 1)})
    write_atomic(out / FILE, report.model_dump_json(indent=1) + "\n")
    return report


async def _check(bench: Bench, report: MutationReport, count: int, deadline: float, *, owned: bool) -> MutationReport:
    report = report.model_copy(update={"backend": bench.sandbox.describe().backend})
    await bench.place_repo()
    installed = await check_install(bench)
    if installed.check.state != "passed":
        return report.model_copy(update={"note": f"nothing was installed: {installed.check.note}"})
    record = bench.job.out / "tests.json"
    record.unlink(missing_ok=True)
    began = time.monotonic()
    await check_pytest(bench)
    took = time.monotonic() - began
    tests = read_tests(record.read_bytes()) if record.is_file() else None
    if tests is None or not tests.passed():
        return report.model_copy(update={"note": "no test passes without a fault"})
    evidence = gather(bench.job.plan, bench.job.files, tests)
    targets = plan_targets(bench.job.plan, evidence, bench.job.files) if owned else all_targets(bench.job.files)
    # One fault says that no test executes a function; more of them would only say it again.
    targets = [item if tests.executed(item.path, item.symbol) else replace(item, most=1) for item in targets]
    planted = choose(bench.job.files, targets, count, report.seed)
    if not planted:
        return report.model_copy(update={"note": "no function of the method in which a fault could be planted"})
    startup = max(took - sum(tests.seconds.values()), 0.0)
    work = _Work(bench, tests, deadline, startup)
    return await _all(work, report, planted)


async def _all(work: _Work, report: MutationReport, planted: list[Planted]) -> MutationReport:
    """Try one after another; what is left when time is up or the sandbox fails is not run."""
    tried: list[TriedMutant] = []
    note = ""
    for item in planted:
        if not note and time.monotonic() >= work.deadline:
            note = "the time for this check was used up"
        if not note:
            try:
                tried.append(await _try(work, item))
                continue
            except (Infrastructure, SandboxError) as error:
                note = f"the sandbox failed: {error}"
        tried.append(TriedMutant(**item.mutant.model_dump(), note=note))
    return report.model_copy(update={"mutants": tuple(tried), "note": note})


async def _try(work: _Work, item: Planted) -> TriedMutant:
    """Plant one fault and run the tests that executed its function, then those that may have used it unseen."""
    groups = _tests_for(work, item.mutant)
    base = item.mutant.model_dump()
    if not groups:
        return TriedMutant(**base, state="survived", note="no test executes this function")
    seconds, ran = 0.0, 0
    for group in groups:
        await work.bench.place_repo()
        await work.bench.sandbox.write_files({item.mutant.path: item.source})
        result = await _run(work, group)
        seconds, ran = seconds + result.seconds, ran + len(group)
        caught = _caught(result)
        if caught is None or (caught == TIME_LIMIT and not await _in_time(work, group)):
            note = f"the tests could not be started: exit code {result.exit_code}"
            note = note if caught is None else "the tests did not end in time without the fault either"
            return TriedMutant(**base, tests=ran, seconds=round(seconds, 2), note=note)
        if caught:
            return TriedMutant(**base, state="caught", by=caught, tests=ran, seconds=round(seconds, 2))
    return TriedMutant(**base, state="survived", tests=ran, seconds=round(seconds, 2))


async def _in_time(work: _Work, tests: list[str]) -> bool:
    """True if the tests end within the limit where no fault is planted: a busy machine notices nothing."""
    await work.bench.place_repo()
    return (await _run(work, tests)).outcome is not Outcome.TIMEOUT


async def _run(work: _Work, tests: list[str]) -> ExecResult:
    names = tests if len(tests) <= MANY else sorted({name.partition("::")[0] for name in tests})
    usual = sum(taken for name, taken in work.tests.seconds.items() if name.partition("[")[0] in set(tests))
    timeout = min(TIMES * (usual + work.startup) + SPARE, work.bench.job.timeout)
    out = f"{work.bench.inside}/mutant.jsonl"
    return await run_tests(work.bench, out, ["-x", "-q", "-rfE", "--tb=no", *names], timeout=timeout)


def _caught(result: ExecResult) -> str | None:
    """Return what noticed the fault, `` if nothing did, None where pytest itself could not run."""
    if result.ok:
        return ""
    if result.outcome is not Outcome.NONZERO:
        return {"timeout": TIME_LIMIT, "oom": "memory limit"}.get(result.outcome.value, result.outcome.value)
    if result.exit_code in (4, 5):  # a wrong command line; nothing was collected
        return None
    found = _FAILED.search(result.text())
    return found[1] if found else f"pytest ended with exit code {result.exit_code}"


def _tests_for(work: _Work, mutant: Mutant) -> list[list[str]]:
    """Return groups of tests: those that executed the function, quick ones first, then those that may have.

    A fixture or a cache is executed by the first test alone, and code at the top of a test file by none; such files are
    run whole. Only tests that passed without a fault count.
    """
    failed = {name.partition("[")[0] for name, outcome in work.tests.outcomes.items() if outcome == "failed"}
    direct = _names(work.tests.executed(mutant.path, mutant.symbol), failed)
    direct.sort(key=lambda name: (work.tests.seconds.get(name, 0.0), name))
    word = mutant.symbol.removesuffix(".__init__").rpartition(".")[2]
    files = {path for path in work.bench.job.files if is_test_path(path) and path.endswith(".py")}
    touched = {name.partition("::")[0] for name in direct}
    wide = {path for path in files if _may_use(work.bench, path, word, executed=path in touched)}
    others = [name for name in _names(work.tests.passed(), failed) if name.partition("::")[0] in wide]
    rest = [name for name in others if name not in set(direct)]
    return [group for group in (direct, rest) if group]


def _may_use(bench: Bench, path: str, word: str, *, executed: bool) -> bool:
    """True for a test file whose tests share values that the function made."""
    text = bench.text(path)
    conftest = bench.text("tests/conftest.py")
    if executed:
        return bool(_SHARED.search(text) or _SHARED.search(conftest))
    return re.search(rf"\b{re.escape(word)}\b", text) is not None


def _names(tests: Sequence[str], failed: set[str]) -> list[str]:
    """Return tests without their parameters, each once, without those that fail by themselves."""
    names = dict.fromkeys(test.partition("[")[0] for test in tests)
    return [name for name in names if name not in failed]
