"""A scripted sandbox that answers the checks of a verification as a sound repository would, or as it is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from agentsys.verify.checks.base import probes
from agentsys_sandbox.base import INSTRUMENTS, REPO, SandboxGone
from agentsys_sandbox.fake import Call, FakeSandbox, Files, Script, failed, passed
from agentsys_sandbox.spec import ExecResult, InstallResult, Outcome, Package

MEAN = ("tiny/model.py:mean",)
Twist = Callable[[Call, Files], ExecResult | None]
RESULTS = "/work/repo/results/results.json"
SOUND = b'{"mean": 1.5, "not_attempted": {"large": "needs the full data"}}'


def stage_of(call: Call) -> str:
    """Name the check that a call belongs to."""
    joined = " ".join(call.argv)
    if call.kind == "install":
        return "install"
    for word, stage in (
        ("agentsys_imports", "imports"),
        ("--outputjson", "pyright"),
        ("agentsys_pytest", "pytest"),
        ("agentsys_faults", "faults"),
    ):
        if word in joined:
            return stage
    return "smoke"


def scripted(twists: dict[str, Twist] | None = None) -> FakeSandbox:
    """Make a sandbox; `twists` replace or follow what a check does (None: the sound answer is given as well)."""

    def answer(call: Call, files: Files) -> Any:
        stage = stage_of(call)
        variant = _variant(files) if stage == "smoke" else ""
        given = twists["variant"](call, files) if stage == "smoke" and twists and "variant" in twists else None
        if given is not None:
            return given
        if variant == "raise":
            return failed(b"RuntimeError: tiny/model.py:mean was made to fail")
        result = SOUND_ANSWERS[stage](call, files)
        twist = (twists or {}).get(stage)
        result = (twist(call, files) if twist else None) or result
        if variant and RESULTS in files:
            files[RESULTS] = files[RESULTS].replace(b"1.5", b"1.6")
        return result

    return FakeSandbox(Script(default=answer))


def ends(outcome: Outcome, code: int | None = None, output: bytes = b"") -> Twist:
    """A check whose program ends so."""
    return lambda call, files: ExecResult(outcome, code, output, b"", 1.0, message=outcome.value)


def gone(call: Call, files: Files) -> ExecResult:
    """The sandbox dies under the check."""
    raise SandboxGone("it was removed")


def removes(path: Callable[[str], bool]) -> Twist:
    """The check leaves no file of that kind behind."""

    def twist(call: Call, files: Files) -> None:
        for name in [name for name in files if path(name)]:
            del files[name]

    return twist


def _install(call: Call, files: Files) -> InstallResult:
    return InstallResult(passed(b"installed\n"), (Package("pytest", "8.3.4", "aa" * 32),))


def _imports(call: Call, files: Files) -> ExecResult:
    job = json.loads(call.stdin)
    files[job["out"]] = b"".join(b'{"done": %d, "ok": true}\n' % number for number in range(len(job["modules"])))
    return passed()


def pyright(files_analyzed: int = 4, errors: int = 0) -> bytes:
    """Pyright's report."""
    summary = {"filesAnalyzed": files_analyzed, "errorCount": errors}
    return json.dumps({"version": "1", "generalDiagnostics": [], "summary": summary}).encode()


def tests(outcomes: dict[str, str], functions: tuple[str, ...] = ("tiny/model.py:mean",)) -> tuple[bytes, bytes]:
    """What the plugin writes, and the JUnit report, for tests with these outcomes."""
    plugin = "agentsys_probe.py"
    sha256 = hashlib.sha256(probes()[plugin]).hexdigest()
    lines: list[dict[str, object]] = [{"probe": f"{INSTRUMENTS}/{plugin}", "sha256": sha256, "loaded": []}]
    for test, outcome in outcomes.items():
        lines += [{"start": test}, {"done": test, "outcome": outcome, "functions": functions, "calls": functions}]
    lines.append({"finish": 0, "collected": len(outcomes)})
    inner = {"passed": "", "failed": '<failure message="x">E   ValueError: x</failure>', "skipped": "<skipped/>"}
    inner |= {"xfailed": "<skipped/>", "xpassed": "", "deselected": "<skipped/>", "not run": "<skipped/>"}
    cases = "".join(
        f'<testcase classname="t" name="{test}">{inner[outcome]}</testcase>' for test, outcome in outcomes.items()
    )
    return "".join(json.dumps(line) + "\n" for line in lines).encode(), f"<testsuites>{cases}</testsuites>".encode()


tests.__test__ = False  # type: ignore[attr-defined]


def put_tests(
    call: Call, files: Files, outcomes: dict[str, str], functions: tuple[str, ...] = ("tiny/model.py:mean",)
) -> None:
    """Leave the two records of a test run where the check looks for them."""
    xml = next(item for item in call.argv if item.startswith("--junitxml=")).partition("=")[2]
    job = json.loads(call.stdin)
    files[job["out"]], files[xml] = tests(outcomes, functions)


def _pytest(call: Call, files: Files) -> ExecResult:
    put_tests(call, files, {"tests/test_model.py::test_mean": "passed"})
    return passed(b"1 passed\n")


def put_trials(call: Call, files: Files, word: str = "asserted", missed: str = "") -> None:
    """Leave what the trials of planted faults saw: each test ends so against each fault, and passes without one.

    Args:
        missed: faults in this part of a file go unnoticed.
    """
    job = json.loads(call.stdin)
    lines: list[dict[str, object]] = []
    for trial in job["trials"]:
        text = job["texts"].get(trial["path"], "")
        at = text.find(missed) if missed else -1
        passes = not trial["path"] or at <= trial["start"] < at + len(missed)
        row = {"word": "passed" if passes else word}
        tests = dict.fromkeys(trial["tests"], row)
        lines.append({"id": trial["id"], "ended": "done", "tests": tests})
    files[job["out"]] = "".join(json.dumps(line) + "\n" for line in lines).encode()


def _faults(call: Call, files: Files) -> ExecResult:
    put_trials(call, files)
    return passed()


def _smoke(call: Call, files: Files) -> ExecResult:
    files[f"{call.cwd}/results/results.json"] = SOUND
    return passed()


def _variant(files: Files) -> str:
    """Return what was done to the method in this run: `raise`, `perturb`; empty where it is the repository's own."""
    model = files.get(f"{REPO}/tiny/model.py", b"")
    return next((mode for mode in ("raise", "perturb", "arguments") if f", '{mode}', ".encode() in model), "")


SOUND_ANSWERS: dict[str, Callable[[Call, Files], Any]] = {
    "install": _install,
    "imports": _imports,
    "pyright": lambda call, files: passed(pyright()),
    "pytest": _pytest,
    "faults": _faults,
    "smoke": _smoke,
}
