"""The order of the checks, what they let pass, and faults that are nobody's. The sandbox is scripted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agentsys.core.artifacts import Check, Diagnostic, Verdict
from agentsys.core.events import EventLog
from agentsys.core.gitrepo import GitRepo
from agentsys.verify import run
from agentsys.verify.checks.base import Bench, Found, Screened
from agentsys.verify.checks.table import demanded
from agentsys.verify.run import replay, verify
from agentsys_sandbox.base import INSTRUMENTS, Unavailable
from agentsys_sandbox.fake import Call, FakeSandbox, Files, passed
from agentsys_sandbox.spec import ExecResult, Outcome
from unit.verify.scripted import RESULTS, Twist, ends, gone, put_tests, pyright, removes, scripted
from unit.verify.tiny import GREEN, job, write_repo

pytestmark = pytest.mark.usefixtures("no_waiting")
AUDIT = Found(Check(name="audit", state="passed", note="0 findings"))


class Bed:
    """One run directory with a repository."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repo = write_repo(root / "repo", GREEN)
        self.out = root / "rounds/01"
        self.events: list[object] = []
        self.log = EventLog(None, "test")
        self.log.subscribe(self.events.append)

    async def verify(self, sandbox: Callable[[], FakeSandbox], audit: Found | None = AUDIT) -> Verdict:
        return await verify(job(self.repo, self.out, events=self.log), sandbox, audit)

    async def twisted(self, **twists: Twist) -> Verdict:
        return await self.verify(lambda: scripted(twists))


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def states(verdict: Verdict) -> dict[str, str]:
    return {check.name: check.state for check in verdict.checks}


def kinds(verdict: Verdict) -> list[tuple[str, str]]:
    return [(item.check, item.kind) for item in verdict.diagnostics]


async def test_a_sound_repository_passes_every_check_in_order_with_its_evidence(bed: Bed) -> None:
    verdict = await bed.verify(scripted)
    assert verdict.passed and tuple(check.name for check in verdict.checks) == demanded()
    assert verdict.backend == "fake" and verdict.weak
    logs = {check.name: check.log for check in verdict.checks if check.log}
    assert logs["pytest"] == "rounds/01/pytest.log" and all((bed.root / log).is_file() for log in logs.values())
    assert Verdict.model_validate_json((bed.out / "verdict.json").read_bytes()) == verdict
    assert json.loads((bed.out / "diagnostics.json").read_text()) == []
    assert json.loads((bed.out / "packages.json").read_text()) == [
        {"name": "pytest", "version": "8.3.4", "sha256": "aa" * 32}
    ]
    assert json.loads((bed.repo / "results/results.json").read_text())["mean"] == 1.5


async def test_a_failed_install_stops_what_needs_it_but_not_the_audit(bed: Bed) -> None:
    log = b"error: No solution found\n  cause: Because there is no version of pytest==8.3.4 and you require it\n"
    verdict = await bed.twisted(install=ends(Outcome.NONZERO, 1, log))
    assert states(verdict) == dict.fromkeys(demanded(), "not_run") | {"install": "failed", "audit": "passed"}
    (found,) = verdict.diagnostics
    assert (found.kind, found.symbol, found.path, found.line) == ("bad_pin", "pytest", "requirements.txt", 1)
    assert not (bed.repo / "results").exists()


@pytest.mark.parametrize("may_run", [True, False])
async def test_the_policy_sees_the_resolved_set_before_anything_of_it_is_installed(bed: Bed, may_run: bool) -> None:
    box, seen = scripted(), list[object]()

    async def screen(bench: Bench) -> Screened:
        seen.append([(item.name, item.version) for item in bench.packages])
        assert box.installed == () and [call.kind for call in box.calls] == ["install"]
        return Screened("installed review", refused=True, may_run=may_run)

    verdict = await verify(replace(job(bed.repo, bed.out, events=bed.log), screen=screen), lambda: box, AUDIT)
    assert seen == [[("pytest", "8.3.4")]] and states(verdict)["audit"] == "failed" and not verdict.passed
    assert bool(box.installed) is may_run
    assert states(verdict)["install"] == states(verdict)["smoke"] == ("passed" if may_run else "not_run")
    assert (bed.out / "requirements.lock").read_text().startswith("pytest==8.3.4")


async def test_later_checks_are_tried_although_an_earlier_one_failed(bed: Bed) -> None:
    verdict = await bed.twisted(pyright=lambda call, files: passed(pyright(errors=2)), smoke=ends(Outcome.NONZERO, 3))
    assert states(verdict)["pyright"] == states(verdict)["smoke"] == "failed"
    assert states(verdict)["pytest"] == "passed" and states(verdict)["results"] == "not_run"


@pytest.mark.parametrize("stage", ["install", "imports", "pyright", "pytest", "smoke"])
@pytest.mark.parametrize("fault", [gone, ends(Outcome.SANDBOX_DIED), ends(Outcome.INFRA_ERROR)])
async def test_a_sandbox_that_fails_once_is_replaced_and_nobody_is_blamed(bed: Bed, stage: str, fault: Twist) -> None:
    made: list[FakeSandbox] = []

    def factory() -> FakeSandbox:
        made.append(scripted({stage: fault} if not made else {}))
        return made[-1]

    verdict = await bed.verify(factory)
    assert verdict.passed and len(made) == 2 and not any(sandbox.open for sandbox in made)


@pytest.mark.parametrize("stage", ["install", "pytest"])
async def test_a_sandbox_that_keeps_failing_is_reported_and_makes_no_diagnostic(bed: Bed, stage: str) -> None:
    verdict = await bed.twisted(**{stage: gone})
    assert verdict.infra == "it was removed" and not verdict.passed and not verdict.diagnostics
    assert set(states(verdict).values()) == {"infra_error"}


async def test_a_dead_index_is_no_fault_of_the_code(bed: Bed) -> None:
    verdict = await bed.twisted(install=ends(Outcome.NONZERO, 1, b"error: dns error: failed to lookup address\n"))
    assert verdict.infra and not verdict.diagnostics


async def test_no_backend_at_all_is_reported_after_the_last_try(bed: Bed) -> None:
    tries: list[int] = []

    def factory() -> FakeSandbox:
        tries.append(1)
        raise Unavailable("the engine does not answer")

    verdict = await bed.verify(factory)
    assert "does not answer" in verdict.infra and len(tries) == run.ATTEMPTS


async def test_pytest_output_alone_proves_nothing(bed: Bed) -> None:
    def forged(call: Call, files: Files) -> ExecResult:
        for name in [name for name in files if name.endswith(("tests.jsonl", "pytest.xml"))]:
            del files[name]
        return passed(b"===== 12 passed in 0.1s =====\n")

    verdict = await bed.twisted(pytest=forged)
    assert states(verdict)["pytest"] == "failed" and kinds(verdict) == [("pytest", "no_test")]


A, B = "tests/test_model.py::test_mean[a]", "tests/test_model.py::test_mean[b]"


@pytest.mark.parametrize(
    ("outcomes", "functions", "expected"),
    [
        ({}, (), ["no_test"]),
        ({A: "skipped", B: "skipped"}, (), ["test", "no_test"]),
        ({A: "passed"}, (), ["no_test"]),
        ({A: "failed", B: "passed"}, ("tiny/model.py:mean",), ["test"]),
        ({A: "failed"}, ("tiny/model.py:mean",), ["test"]),
        ({A: "skipped", B: "passed"}, ("tiny/model.py:mean",), ["test"]),
        ({A: "xfailed", B: "passed"}, ("tiny/model.py:mean",), ["test"]),
        ({A: "xpassed", B: "passed"}, ("tiny/model.py:mean",), ["test"]),
        ({A: "deselected", B: "passed"}, ("tiny/model.py:mean",), ["test"]),
        ({A: "not run", B: "passed"}, ("tiny/model.py:mean",), ["test"]),
        ({"tests/other.py::test_mean": "passed"}, ("tiny/model.py:mean",), ["test"]),
    ],
)
async def test_tests_that_prove_nothing_do_not_pass(
    bed: Bed, outcomes: dict[str, str], functions: tuple[str, ...], expected: list[str]
) -> None:
    def twist(call: Call, files: Files) -> ExecResult:
        put_tests(call, files, outcomes, functions)
        return passed()

    verdict = await bed.twisted(pytest=twist)
    assert states(verdict)["pytest"] == "failed" and kinds(verdict) == [("pytest", kind) for kind in expected]


async def test_only_passed_tests_count_as_having_executed_the_method(bed: Bed) -> None:
    def twist(call: Call, files: Files) -> ExecResult:
        put_tests(call, files, {A: "skipped", B: "passed"}, ())
        return passed()

    assert states(await bed.twisted(pytest=twist))["pytest"] == "failed"


@pytest.mark.parametrize(
    "change",
    [{"probe": "/work/agentsys_probe.py"}, {"sha256": "0"}, {"loaded": ["/work/venv/x.py", "/work/repo/pytest.py"]}],
)
async def test_a_plugin_that_is_not_ours_proves_nothing(bed: Bed, change: dict[str, object]) -> None:
    def twist(call: Call, files: Files) -> None:
        out = json.loads(call.stdin)["out"]
        put_tests(call, files, {A: "passed"})
        first, _, rest = files[out].partition(b"\n")
        files[out] = json.dumps({**json.loads(first), **change}).encode() + b"\n" + rest

    (found,) = (await bed.twisted(pytest=twist)).diagnostics
    assert found.check == "pytest" and "not loaded from the environment" in found.message


async def test_a_test_that_pytest_warns_about_is_named(bed: Bed) -> None:
    def twist(call: Call, files: Files) -> None:
        line = {"warned": A, "reason": "coroutine 'check' was never awaited"}
        files[json.loads(call.stdin)["out"]] += json.dumps(line).encode() + b"\n"

    (found,) = (await bed.twisted(pytest=twist)).diagnostics
    assert (found.path, found.line, found.symbol) == ("tests/test_model.py", 4, "test_mean")
    assert "never awaited" in found.message


@pytest.mark.parametrize("check", ["imports", "pytest"])
async def test_code_that_was_executed_unseen_fails_the_check_that_saw_it(bed: Bed, check: str) -> None:
    def twist(call: Call, files: Files) -> None:
        line = {"unseen": "tiny/model.py", "line": 3, "what": "exec"}
        files[json.loads(call.stdin)["out"]] += json.dumps(line).encode() + b"\n"

    verdict = await bed.twisted(**{check: twist})
    (found,) = verdict.diagnostics
    assert states(verdict)[check] == "failed"
    assert (found.kind, found.check, found.path, found.line) == ("type", check, "tiny/model.py", 3)


@pytest.mark.parametrize("check", ["imports", "pytest"])
async def test_probes_that_change_under_a_check_leave_no_verdict_on_the_code(bed: Bed, check: str) -> None:
    def twist(call: Call, files: Files) -> None:
        files[f"{INSTRUMENTS}/agentsys_probe.py"] = b""

    verdict = await bed.twisted(**{check: twist})
    assert verdict.infra and not verdict.passed


async def test_a_hook_of_the_repository_fails_the_check_though_every_test_passes(bed: Bed) -> None:
    (bed.repo / "conftest.py").write_text("collect_ignore = ['tests/test_other.py']\n")
    verdict = await bed.twisted(pyright=lambda call, files: passed(pyright(5)))
    assert [(item.check, item.path) for item in verdict.diagnostics] == [("pytest", "conftest.py")]


async def test_a_report_that_disagrees_with_what_ran_is_refused(bed: Bed) -> None:
    def twist(call: Call, files: Files) -> ExecResult:
        put_tests(call, files, {A: "passed"})
        xml = next(name for name in files if name.endswith("pytest.xml"))
        files[xml] = b'<testsuites><testcase name="a"/><testcase name="b"/></testsuites>'
        return passed()

    assert states(await bed.twisted(pytest=twist))["pytest"] == "failed"


@pytest.mark.parametrize("suffix", ["tests.jsonl", "pytest.xml"])
async def test_a_missing_record_of_the_tests_is_no_success(bed: Bed, suffix: str) -> None:
    assert states(await bed.twisted(pytest=removes(lambda name: name.endswith(suffix))))["pytest"] == "failed"


async def test_a_test_that_hangs_is_named(bed: Bed) -> None:
    def twist(call: Call, files: Files) -> ExecResult:
        job = json.loads(call.stdin)
        files[job["out"]] = b'{"start": "tests/test_model.py::test_mean"}\n'
        files.pop(next(item for item in call.argv if item.startswith("--junitxml=")).partition("=")[2])
        return ExecResult(Outcome.TIMEOUT, None, b"", b"", 60.0)

    (found,) = (await bed.twisted(pytest=twist)).diagnostics
    assert (found.kind, found.path) == ("timeout", "tests/test_model.py") and "test_mean" in found.message


@pytest.mark.parametrize(
    ("outcome", "kind"), [(Outcome.TIMEOUT, "timeout"), (Outcome.OOM, "oom"), (Outcome.OUTPUT_LIMIT, "output")]
)
async def test_limits_are_told_apart_from_faults_of_the_code(bed: Bed, outcome: Outcome, kind: str) -> None:
    verdict = await bed.twisted(smoke=ends(outcome))
    assert kinds(verdict) == [("smoke", kind)]


async def test_imports_that_hang_spare_the_later_checks_their_time(bed: Bed) -> None:
    verdict = await bed.twisted(imports=ends(Outcome.TIMEOUT))
    assert states(verdict)["pytest"] == states(verdict)["smoke"] == "not_run"
    assert states(verdict)["pyright"] == "passed"


@pytest.mark.parametrize("line", ['{"done": 0, "ok": true}\n', "", "{"])
async def test_modules_that_were_not_reached_do_not_count_as_imported(bed: Bed, line: str) -> None:
    def twist(call: Call, files: Files) -> None:
        files[json.loads(call.stdin)["out"]] = line.encode()

    assert states(await bed.twisted(imports=twist))["imports"] == "failed"


@pytest.mark.parametrize(("analysed", "state"), [(0, "failed"), (3, "failed"), (4, "passed")])
async def test_pyright_must_have_seen_every_file(bed: Bed, analysed: int, state: str) -> None:
    verdict = await bed.twisted(pyright=lambda call, files: passed(pyright(analysed)))
    assert states(verdict)["pyright"] == state


async def test_a_pyright_without_a_report_is_no_success_and_no_fault_of_the_code(bed: Bed) -> None:
    verdict = await bed.twisted(pyright=lambda call, files: passed(b"Segmentation fault"))
    assert verdict.infra and not verdict.diagnostics


async def test_pyright_sees_a_copy_that_no_comment_silences(bed: Bed) -> None:
    text = "# pyright: basic\nx: int = ''  # type: ignore\n"
    (bed.repo / "tiny/model.py").write_text(text)
    seen: list[bytes] = []

    def look(call: Call, files: Files) -> None:
        seen.extend(data for name, data in files.items() if name.endswith("types/repo/tiny/model.py"))

    verdict = await bed.twisted(pyright=look)
    note = next(check.note for check in verdict.checks if check.name == "pyright")
    assert [data.split() for data in seen] == [b"#\nx: int = ''  #".split()]
    assert note == "0 errors in 4 files; 2 comments that would silence it had no effect"


async def test_errors_in_the_copy_are_told_at_their_places_in_the_repository(bed: Bed) -> None:
    def twist(call: Call, files: Files) -> ExecResult:
        copy = next(name for name in files if name.endswith("types/repo/tiny/model.py"))
        place = {"start": {"line": 1}}
        row = {"file": copy, "severity": "error", "message": "no", "rule": "reportX", "range": place}
        return passed(json.dumps({**json.loads(pyright(errors=1)), "generalDiagnostics": [row]}).encode())

    (found,) = (await bed.twisted(pyright=twist)).diagnostics
    assert (found.kind, found.path, found.line) == ("type", "tiny/model.py", 2)


async def test_what_the_type_checker_cannot_see_fails_its_check(bed: Bed) -> None:
    (bed.repo / "tiny/model.pyi").write_text("def mean(x: object) -> float: ...\n")
    assert kinds(await bed.verify(scripted)) == [("pyright", "type")]


async def test_results_of_an_earlier_run_do_not_count(bed: Bed) -> None:
    (bed.repo / "results").mkdir()
    (bed.repo / "results/results.json").write_text('{"mean": 1.5, "large": 3.0}')
    verdict = await bed.twisted(smoke=removes(lambda name: name == RESULTS))
    assert kinds(verdict) == [("smoke", "result")] and states(verdict)["results"] == "not_run"


@pytest.mark.parametrize("content", [b'{"mean": NaN, "large": 3}', b"[]", b'{"mean": 1.5}', b"{}"])
async def test_unsound_results_fail_and_are_not_kept(bed: Bed, content: bytes) -> None:
    def twist(call: Call, files: Files) -> None:
        files[RESULTS] = content

    verdict = await bed.twisted(smoke=twist)
    assert states(verdict)["results"] == "failed" and {kind for _, kind in kinds(verdict)} == {"result"}
    assert not (bed.repo / "results/results.json").exists()


async def test_each_check_starts_from_the_files_as_handed_in(bed: Bed) -> None:
    seen: list[bytes] = []

    def tamper(call: Call, files: Files) -> None:
        files["/work/repo/tiny/model.py"] = b"def mean(x): return 1.5\n"
        files["/work/repo/conftest.py"] = b""

    def look(call: Call, files: Files) -> None:
        seen.append(files["/work/repo/tiny/model.py"])
        assert "/work/repo/conftest.py" not in files

    await bed.twisted(imports=tamper, pytest=look)
    assert seen == [GREEN["tiny/model.py"].encode()]


async def test_without_an_audit_nothing_is_verified(bed: Bed) -> None:
    verdict = await bed.verify(scripted, audit=None)
    assert states(verdict)["audit"] == "not_run" and not verdict.passed


async def test_what_the_audit_found_counts(bed: Bed) -> None:
    finding = Diagnostic(kind="audit", check="audit", message="a rule matched")

    verdict = await bed.verify(scripted, audit=Found(Check(name="audit", state="failed"), (finding,)))
    assert not verdict.passed and verdict.diagnostics == (finding,)


@pytest.mark.parametrize("gone_file", ["requirements.txt", "reproduce.sh", "tiny/__init__.py"])
async def test_a_missing_piece_is_named(bed: Bed, gone_file: str) -> None:
    (bed.repo / gone_file).unlink()
    if gone_file.startswith("tiny"):
        for path in (bed.repo / "tiny").iterdir():
            path.unlink()
    verdict = await bed.verify(scripted)
    assert "missing_file" in {kind for _, kind in kinds(verdict)}


async def test_pytest_must_be_among_the_requirements(bed: Bed) -> None:
    from agentsys_sandbox.spec import InstallResult, Package

    def twist(call: Call, files: Files) -> ExecResult:
        return InstallResult(passed(), (Package("numpy", "2.1.3"),))  # type: ignore[return-value]

    verdict = await bed.twisted(install=twist)
    assert kinds(verdict) == [("pytest", "missing_dependency")]


async def test_every_execution_and_diagnostic_is_an_event(bed: Bed) -> None:
    await bed.twisted(smoke=ends(Outcome.NONZERO, 1))
    types = [event["type"] for event in bed.events]  # type: ignore[index]
    assert types.count("sandbox.exec") == 8 and types.count("diagnostic.found") == 1
    assert types[0] == "sandbox.started" and "sandbox.stopped" in types


async def test_the_replay_sees_what_git_holds_and_nothing_else(bed: Bed) -> None:
    git = GitRepo(bed.repo)
    git.init()
    git.commit("Round 1")
    (bed.repo / "tiny/model.py").write_text("broken(\n")
    (bed.repo / "untracked.py").write_text("")
    made: list[FakeSandbox] = []

    def factory() -> FakeSandbox:
        made.append(scripted({"imports": keep}))
        return made[-1]

    kept: dict[str, bytes] = {}

    def keep(call: Call, files: Files) -> None:
        kept.update({name: data for name, data in files.items() if name.startswith("/work/repo/")})

    again = job(bed.repo, bed.root / "rounds/replay", events=bed.log, round=2)
    verdict = await replay(again, bed.repo, factory, AUDIT)
    assert verdict.passed and verdict.round == 2
    assert kept == {f"/work/repo/{name}": text.encode() for name, text in GREEN.items()}
    assert not (bed.repo / "results").exists()
