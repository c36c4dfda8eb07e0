"""The check `pytest`: pytest passes, and at least one passed test executed code of the method."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from agentsys.core.artifacts import Diagnostic
from agentsys.core.text import cut
from agentsys.core.tree import is_test_path
from agentsys.verify.checks.base import PROBES, Bench, CheckSpec, Found, log_text, outcome_diagnostic, read_lines
from agentsys.verify.logs.diagnostics import from_output
from agentsys.verify.logs.junit import JunitReport, parse_junit
from agentsys_sandbox.base import REPO, VENV
from agentsys_sandbox.spec import ExecResult

_PLUGIN = "agentsys_probe.py"
_NO_TESTS = 5  # pytest's exit code where it collected nothing


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")
    start: str = ""
    done: str = ""
    outcome: str = ""
    seconds: float = 0.0
    functions: tuple[str, ...] = ()
    finish: int | None = None
    collected: int = 0


@dataclass
class Seen:
    """What the plugin saw: independent of what pytest printed and of the repository's own settings."""

    under_way: str = ""
    finish: int | None = None
    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    functions: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def count(self, outcome: str) -> int:
        """Return how many tests ended so."""
        return sum(1 for value in self.outcomes.values() if value == outcome)

    def stored(self) -> str:
        """Return the content of tests.json."""
        data = {"outcomes": self.outcomes, "functions": self.functions, "seconds": self.seconds}
        return json.dumps(data, indent=1) + "\n"

    def exercised(self) -> list[str]:
        """Return the functions of the method that passed tests executed."""
        names = {name for test, names in self.functions.items() if self.outcomes[test] == "passed" for name in names}
        return sorted(names)


async def check_pytest(bench: Bench) -> Found:
    """Run the repository's tests with our plugin beside them."""
    if bench.packages and not any(item.name.lower() == "pytest" for item in bench.packages):
        return _no_pytest(bench)
    await bench.place_repo()
    out, xml = f"{bench.inside}/tests.jsonl", f"{bench.inside}/pytest.xml"
    owners = sorted({row.owner for row in bench.job.plan.requirements})
    job = {"out": out, "files": {f"{REPO}/{path}": path for path in _method_files(bench)}, "owners": owners}
    await bench.place_probe(_PLUGIN, {"tests.job.json": json.dumps(job).encode()})
    argv = [f"{VENV}/bin/python", "-m", "pytest", "-p", "agentsys_probe", "-p", "no:cacheprovider", "--tb=short"]
    argv += ["--color=no", "-ra", f"--junitxml={xml}", "-o", "junit_family=xunit2"]
    env = {"PYTHONPATH": PROBES, "AGENTSYS_PROBE": f"{bench.inside}/tests.job.json"}
    result = await bench.run("pytest", argv, env=env)
    seen = _seen(read_lines(await bench.sandbox.read_file(out, max_bytes=32 << 20), _Line))
    raw = await bench.sandbox.read_file(xml, max_bytes=32 << 20)
    if raw is not None:
        bench.log("pytest.xml", raw)
    bench.log("tests.json", seen.stored())
    log = bench.log("pytest.log", log_text(result))
    report = parse_junit(raw, bench.facts) if raw is not None else None
    return _judge(bench, result, seen, report, log)


def _method_files(bench: Bench) -> list[str]:
    """Return the source files of the method: Python files that are no tests."""
    return [path for path in bench.job.files if path.endswith(".py") and not is_test_path(path)]


def _seen(lines: Sequence[_Line]) -> Seen:
    seen = Seen()
    for line in lines:
        if line.start:
            seen.under_way = line.start
        if line.done:
            seen.under_way = ""
            seen.outcomes[line.done] = line.outcome
            seen.functions[line.done] = line.functions
            seen.seconds[line.done] = line.seconds
        if line.finish is not None:
            seen.finish = line.finish
    return seen


def _judge(bench: Bench, result: ExecResult, seen: Seen, report: JunitReport | None, log: str) -> Found:
    found: list[Diagnostic] = list(report.diagnostics) if report else []
    limit = outcome_diagnostic("pytest", result, f"test `{seen.under_way}`" if seen.under_way else "pytest")
    if limit:
        path = seen.under_way.partition("::")[0]
        found.append(limit.model_copy(update={"path": path if path in bench.facts.files else ""}))
    passed, failed, skipped = seen.count("passed"), seen.count("failed"), seen.count("skipped")
    exercised = seen.exercised()
    note = f"{passed} passed, {failed} failed, {skipped} skipped; {len(exercised)} functions of the method executed"
    if not found:
        found += _why_not(bench, result, seen, report)
    state = "passed" if result.ok and passed > 0 and not failed and exercised and not found else "failed"
    if state == "failed" and not found:
        found.append(_plain("test", "pytest failed without naming a test", result))
    counts = {"passed": passed, "failed": failed, "skipped": skipped, "functions": len(exercised)}
    return Found(bench.check("pytest", state, note, result=result, log=log, counts=counts), tuple(found))


def _why_not(bench: Bench, result: ExecResult, seen: Seen, report: JunitReport | None) -> list[Diagnostic]:
    """Name what is wrong with a run that reported no failed test. Empty only for a sound success."""
    if result.exit_code == _NO_TESTS or (result.ok and not seen.outcomes):
        return [_plain("no_test", "pytest found no tests", result)]
    if not result.ok:
        fault = from_output(result.text(), "pytest", "test", bench.facts)
        return [fault or _plain("test", f"pytest ended with exit code {result.exit_code}", result)]
    if seen.finish is None or report is None:
        return [_plain("test", "pytest ended before its report was complete", result)]
    if report.passed != seen.count("passed"):
        return [_plain("test", "pytest's report and the tests that really ran do not agree", result)]
    if seen.count("passed") == 0:
        return [_plain("no_test", "no test passed: all were skipped", result)]
    if not seen.exercised():
        message = f"no passed test executed a function of `{bench.job.plan.package}`"
        return [_plain("no_test", message, result)]
    return []


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
