"""The check `pytest`: pytest passes, and at least one passed test executed code of the method."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from agentsys.core.artifacts import Diagnostic
from agentsys.core.text import cut
from agentsys.core.tree import is_test_path
from agentsys.plan.distributions import normal_name
from agentsys.verify.checks.base import Bench, CheckSpec, Found, log_text, outcome_diagnostic, probes, read_lines
from agentsys.verify.checks.executed import unseen_code
from agentsys.verify.checks.sessions import (
    FILE,
    Planned,
    Record,
    Session,
    environment,
    plan_sessions,
    run_sessions,
    visible_files,
)
from agentsys.verify.logs.diagnostics import from_output
from agentsys.verify.logs.junit import JunitReport, parse_junit
from agentsys.verify.source.hooks import hook_findings
from agentsys.verify.source.tests import same_module_names, source_tests
from agentsys_sandbox.base import INSTRUMENTS, REPO, VENV
from agentsys_sandbox.spec import ExecResult

PLUGINS = frozenset(
    {"anyio", "hypothesis", "pytest-asyncio", "pytest-benchmark", "pytest-mock", "pytest-subtests", "pytest-timeout"}
)
"""Distributions of the index whose plugins tests may use; no other plugin is loaded."""
MAX_NAMED = 30

_LAUNCHER, _PLUGIN, _CONFIG = "agentsys_pytest.py", "agentsys_probe.py", "agentsys_pytest.ini"
_NO_TESTS = 5  # pytest's exit code where it collected nothing


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")
    start: str = ""
    done: str = ""
    outcome: str = ""
    reason: str = ""
    warned: str = ""
    probe: str = ""
    sha256: str = ""
    loaded: tuple[str, ...] = ()
    seconds: float = 0.0
    functions: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    finish: int | None = None
    collected: int = 0

    @property
    def sound(self) -> bool:
        """True for the line which says that our plugin ran, and pytest with it, each from where it belongs."""
        return (
            self.probe == f"{INSTRUMENTS}/{_PLUGIN}"
            and self.sha256 == hashlib.sha256(probes()[_PLUGIN]).hexdigest()
            and all(path.startswith(f"{VENV}/") for path in self.loaded)
        )


@dataclass
class Seen:
    """What the plugin saw: independent of what pytest printed and of the repository's own settings."""

    under_way: str = ""
    finish: int | None = None
    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    functions: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    calls: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    reasons: dict[str, str] = field(default_factory=dict[str, str])
    warned: dict[str, str] = field(default_factory=dict[str, str])
    """Tests that pytest warned about: they ended without having tested."""
    sound: bool = False
    """Our plugin ran, and pytest is the environment's."""

    def count(self, outcome: str) -> int:
        """Return how many tests ended so."""
        return sum(1 for value in self.outcomes.values() if value == outcome)

    def exercised(self) -> list[str]:
        """Return the functions of the method that passed tests executed."""
        names = {name for test, names in self.functions.items() if self.outcomes[test] == "passed" for name in names}
        return sorted(names)


@dataclass(frozen=True)
class _Ended:
    """How one session ended."""

    result: ExecResult
    seen: Seen
    report: JunitReport | None
    beside: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        """True where all of its tests passed; where its files hold none, too."""
        return (self.result.ok or self.is_empty) and not self.seen.count("failed")

    @property
    def is_empty(self) -> bool:
        """True where pytest came to its end and found no test."""
        nothing = not self.seen.outcomes and not self.seen.under_way
        return self.result.exit_code == _NO_TESTS and nothing and self.seen.finish is not None

    @property
    def collected(self) -> bool:
        """True where every file could be imported."""
        return self.report is not None and not self.report.errors

    @property
    def used(self) -> float:
        """Seconds, of processor time where that is less."""
        result = self.result
        return min(result.seconds, result.seconds if result.cpu_seconds is None else result.cpu_seconds)


async def check_pytest(bench: Bench) -> Found:
    """Run the repository's tests with our configuration, and with our plugin beside them."""
    if bench.packages and not any(item.name.lower() == "pytest" for item in bench.packages):
        return _no_pytest(bench)
    planned = plan_sessions(bench)
    since = time.monotonic()
    rows = await run_sessions(bench, planned.sessions, _session, lambda ended: ended.ok)
    if len(planned.sessions) > 1 and not all(ended.collected for _, ended in rows):
        planned = Planned()  # a file may need what another one leaves in the process, folders on the path for one
        rows = await run_sessions(bench, planned.sessions, _session, lambda ended: ended.ok)
    seconds = time.monotonic() - since
    log = bench.log("pytest.log", "".join(log_text(ended.result) for _, ended in rows))
    seen = _together([ended.seen for _, ended in rows])
    not_run = frozenset(path for session in planned.sessions for path in session.files)
    not_run -= {path for session, _ in rows for path in session.files}
    bench.log(FILE, _record(bench, seen, planned, not_run).model_dump_json(indent=1) + "\n")
    found = _judge(bench, [ended for _, ended in rows], seen, log, not_run)
    words = ""
    if not_run:
        words = f"; {len(not_run)} files of tests not run again: the change since round {planned.round} "
        words += "cannot reach them"
    check = found.check.model_copy(update={"note": found.check.note + words, "seconds": round(seconds, 3)})
    return Found(check, found.diagnostics)


async def _session(bench: Bench, number: int, session: Session) -> _Ended:
    """Run one session over the repository as it was handed in."""
    await bench.place_repo()
    part = f"-{number}" if number else ""
    out, xml = f"{bench.inside}/tests{part}.jsonl", f"{bench.inside}/pytest{part}.xml"
    others = [f"--ignore={REPO}/{path}" for path in sorted(session.ignored)]
    result = await run_tests(bench, out, ["--tb=short", "-ra", f"--junitxml={xml}", *others])
    data = await bench.sandbox.read_file(out, max_bytes=32 << 20)
    raw = await bench.sandbox.read_file(xml, max_bytes=32 << 20)
    if raw is not None:
        bench.log(f"pytest{part}.xml", raw)
    report = parse_junit(raw, bench.facts) if raw is not None else None
    return _Ended(result, _seen(read_lines(data, _Line)), report, tuple(unseen_code("pytest", data)))


def _record(bench: Bench, seen: Seen, planned: Planned, not_run: Collection[str]) -> Record:
    """Return what is kept of the tests; of those that were not run again what the earlier round saw."""
    past = planned.earlier.of(not_run)
    return Record(
        outcomes={**past.outcomes, **seen.outcomes},
        functions={**past.functions, **seen.functions},
        calls={**past.calls, **seen.calls},
        seconds={**past.seconds, **seen.seconds},
        environment=environment(bench),
        files=visible_files(bench),
    )


async def run_tests(bench: Bench, out: str, options: Sequence[str], *, timeout: float | None = None) -> ExecResult:
    """Run pytest over the repository as it lies in the sandbox.

    Args:
        out: file in the sandbox for what the plugin sees.
        options: further options of pytest, and the tests to run; without any it runs all.

    Raises: Infrastructure.
    """
    plugins = allowed_plugins(bench)
    job = {
        "out": out,
        "repo": REPO,
        "checked": bench.checked(),
        "files": {f"{REPO}/{path}": path for path in _method_files(bench)},
        "owners": sorted({row.owner for row in bench.job.plan.requirements}),
        "plugins": plugins,
    }
    ours = our_options(bench)
    return await bench.run_probe("pytest", _LAUNCHER, job, [*ours, *options], flags=["-s", "-B"], timeout=timeout)


def allowed_plugins(bench: Bench) -> list[str]:
    """Return the installed distributions whose plugins tests may use."""
    return [item.name for item in bench.packages if normal_name(item.name) in PLUGINS]


def our_options(bench: Bench) -> list[str]:
    """Return the options of every run of pytest."""
    found = ["-c", f"{INSTRUMENTS}/{_CONFIG}", "--rootdir", REPO, "--confcutdir", REPO]
    found += ["-p", "no:cacheprovider", "--color=no"]
    if same_module_names(bench.job.files):
        found.append("--import-mode=importlib")
    if any(normal_name(name) == "pytest-asyncio" for name in allowed_plugins(bench)):
        found += ["-o", "asyncio_mode=auto"]
    return found


def _method_files(bench: Bench) -> list[str]:
    """Return the source files of the method: Python files that are no tests."""
    return [path for path in bench.job.files if path.endswith(".py") and not is_test_path(path)]


def _seen(lines: Sequence[_Line]) -> Seen:
    seen = Seen()
    for line in lines:
        seen.sound = seen.sound or line.sound
        if line.start:
            seen.under_way = line.start
        if line.done:
            seen.under_way = ""
            seen.outcomes[line.done] = line.outcome
            seen.functions[line.done] = line.functions
            seen.calls[line.done] = line.calls
            seen.seconds[line.done] = line.seconds
            seen.reasons[line.done] = line.reason
        if line.warned:
            seen.warned[line.warned] = line.reason
        if line.finish is not None:
            seen.finish = line.finish
    return seen


def _together(every: Sequence[Seen]) -> Seen:
    """Return what all sessions saw."""
    whole = Seen(sound=all(seen.sound for seen in every))
    for seen in every:
        worse = {test for test, outcome in whole.outcomes.items() if outcome != "passed"}
        whole.outcomes |= {test: outcome for test, outcome in seen.outcomes.items() if test not in worse}
        whole.functions |= seen.functions
        whole.calls |= seen.calls
        whole.seconds |= seen.seconds
        whole.reasons |= seen.reasons
        whole.warned |= seen.warned
    return whole


def _judge(bench: Bench, rows: Sequence[_Ended], seen: Seen, log: str, not_run: Collection[str]) -> Found:
    found: list[Diagnostic] = [item for row in rows if row.report for item in row.report.diagnostics]
    limits = [limit for row in rows if (limit := _limit(bench, row)) is not None]
    limits = limits or _too_long(bench, rows)
    found += limits
    passed, failed, skipped = seen.count("passed"), seen.count("failed"), seen.count("skipped")
    exercised = seen.exercised()
    note = f"{passed} passed, {failed} failed, {skipped} skipped; {len(exercised)} functions of the method executed"
    if not found:
        found += _why_not(bench, rows, seen)
    if not limits and seen.outcomes:
        found += _unproven(bench, seen, {item.path for item in found if item.kind != "test"}, not_run)
    found += [*hook_findings(bench.job.files), *(item for row in rows for item in row.beside)]
    ended_well = all(row.result.ok or _empty(row, rows) for row in rows)
    sound = ended_well and passed > 0 and not failed and exercised
    state = "passed" if sound and not found and not not_run else "failed"
    worst = next((row.result for row in rows if not row.result.ok and not _empty(row, rows)), rows[-1].result)
    if state == "failed" and not found:
        found.append(_plain("test", "pytest failed without naming a test", worst))
    counts = {"passed": passed, "failed": failed, "skipped": skipped, "functions": len(exercised)}
    return Found(bench.check("pytest", state, note, result=worst, log=log, counts=counts), tuple(found))


def _limit(bench: Bench, row: _Ended) -> Diagnostic | None:
    """Return the diagnostic of a session that did not end by itself."""
    under_way = row.seen.under_way
    limit = outcome_diagnostic("pytest", row.result, f"test `{under_way}`" if under_way else "pytest")
    path = under_way.partition("::")[0]
    return limit.model_copy(update={"path": path if path in bench.facts.files else ""}) if limit else None


def _too_long(bench: Bench, rows: Sequence[_Ended]) -> list[Diagnostic]:
    """Say so where all sessions together took longer than a replay gives the one that it has."""
    used = sum(row.used for row in rows)
    if len(rows) < 2 or used <= bench.job.timeout:
        return []
    message = f"the tests took {used:.0f} s of processor time together, more than the {bench.job.timeout:.0f} s allowed"
    return [Diagnostic(kind="timeout", check="pytest", message=message, symbol="pytest")]


def _empty(row: _Ended, rows: Sequence[_Ended]) -> bool:
    """True for a session whose files hold no test, beside others."""
    return len(rows) > 1 and row.is_empty


def _why_not(bench: Bench, rows: Sequence[_Ended], whole: Seen) -> list[Diagnostic]:
    """Name what is wrong with sessions that reported no failed test. Empty only for a sound success."""
    if not whole.outcomes and all(_without_tests(row) for row in rows):
        return [_plain("no_test", "pytest found no tests", rows[0].result)]
    found = [item for row in rows if not _empty(row, rows) for item in _why_not_alone(bench, row)]
    if found:
        return found[:1]
    if whole.count("passed") == 0:
        return [_plain("no_test", "no test passed: all were skipped", rows[0].result)]
    if not whole.exercised():
        message = f"no passed test executed a function of `{bench.job.plan.package}`"
        return [_plain("no_test", message, rows[0].result)]
    return []


def _without_tests(row: _Ended) -> bool:
    return row.result.exit_code == _NO_TESTS or (row.result.ok and not row.seen.under_way)


def _why_not_alone(bench: Bench, row: _Ended) -> list[Diagnostic]:
    result, seen, report = row.result, row.seen, row.report
    if seen.under_way or seen.finish is None:
        where = f" in `{seen.under_way}`" if seen.under_way else ""
        return [_plain("test", f"the process ended{where} before pytest's report was complete", result)]
    if not result.ok:
        fault = from_output(result.text(), "pytest", "test", bench.facts)
        return [fault or _plain("test", f"pytest ended with exit code {result.exit_code}", result)]
    if not seen.sound:
        return [_plain("test", "pytest, or one of its plugins, was not loaded from the environment", result)]
    if report is None:
        return [_plain("test", "pytest ended before its report was complete", result)]
    if report.passed != seen.count("passed") + seen.count("xpassed"):
        return [_plain("test", "pytest's report and the tests that really ran do not agree", result)]
    return []


def _unproven(bench: Bench, seen: Seen, told: set[str], not_run: Collection[str]) -> list[Diagnostic]:
    """Name each test of the source that did not run and pass in all of its instances; failed ones are named already.

    Args:
        told: files that could not be collected.
        not_run: files whose tests need not have run.
    """
    found: list[Diagnostic] = []
    for test in source_tests(bench.job.files):
        if test.path in not_run:
            continue
        ends = {name: end for name, end in seen.outcomes.items() if name.partition("[")[0] == test.id}
        other = next((name for name, end in ends.items() if end not in ("passed", "failed")), "")
        warned = next((text for name, text in seen.warned.items() if name.partition("[")[0] == test.id), "")
        if test.flaw:
            why = test.flaw
        elif not ends and test.path not in told:
            why = "never ran: it was not collected, or the run ended before it"
        elif other:
            why = f"was {seen.outcomes[other]}" + (f" ({seen.reasons[other]})" if seen.reasons[other] else "")
        elif warned:
            why = f"tested nothing: {warned}"
        else:
            continue
        message = f"the test `{test.name}` {why}; every test has to run and pass"
        row = Diagnostic(kind="test", check="pytest", message=message, path=test.path, line=test.line, symbol=test.name)
        found.append(row)
    if len(found) <= MAX_NAMED:
        return found
    more = Diagnostic(kind="test", check="pytest", message=f"{len(found) - MAX_NAMED} more tests did not run and pass")
    return [*found[:MAX_NAMED], more]


def _plain(kind: str, message: str, result: ExecResult) -> Diagnostic:
    detail = cut(result.text().strip(), 3000)
    return Diagnostic.model_validate({"kind": kind, "check": "pytest", "message": message, "detail": detail})


def _no_pytest(bench: Bench) -> Found:
    found = Diagnostic(
        kind="missing_dependency",
        check="pytest",
        message="`pytest` is not installed: add `pytest` to the requirements",
        path="requirements.txt",
        symbol="pytest",
    )
    return bench.failed(found)


CHECK = CheckSpec("pytest", check_pytest, needs=("install",), after=("imports",))
