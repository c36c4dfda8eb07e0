"""The mutation check with a scripted sandbox: what counts as noticed, and what never does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.verify.checks.base import Screened
from agentsys.verify.fidelity.mutation import mutation_check
from agentsys.verify.fidelity.mutation_report import FILE, MutationReport, read_report
from agentsys_sandbox.fake import Call, FakeSandbox, Files, Script, failed, passed
from agentsys_sandbox.spec import ExecResult, Outcome
from unit.verify.scripted import SOUND_ANSWERS, gone, put_tests, stage_of
from unit.verify.tiny import GREEN, PLAN, job, write_repo

CORE = PLAN.model_copy(
    update={"requirements": tuple(row.model_copy(update={"kind": "algorithm"}) for row in PLAN.requirements)}
)
MODEL = "/work/repo/tiny/model.py"
CLEAN = GREEN["tiny/model.py"].encode()


class Box:
    """A sandbox whose tests answer as told once a fault is planted."""

    def __init__(
        self, answer: ExecResult, functions: tuple[str, ...] = ("tiny/model.py:mean",), **stages: object
    ) -> None:
        self.answer, self.functions, self.stages = answer, functions, stages
        self.slow = False
        self.planted: list[bytes] = []
        self.argv: list[tuple[str, ...]] = []
        self.sandbox = FakeSandbox(Script(default=self.reply))

    def reply(self, call: Call, files: Files) -> ExecResult:
        stage = stage_of(call)
        if stage in self.stages:
            told = self.stages[stage]
            return told(call, files) if callable(told) else told  # type: ignore[return-value]
        if stage == "pytest" and "-x" not in call.argv:
            put_tests(call, files, {"tests/test_model.py::test_mean": "passed"}, self.functions)
            return passed(b"1 passed\n")
        if stage == "pytest":
            self.planted.append(files[MODEL])
            self.argv.append(call.argv)
            return passed(b"1 passed\n") if files[MODEL] == CLEAN and not self.slow else self.answer
        return SOUND_ANSWERS[stage](call, files)


async def check(box: Box, tmp_path: Path, limit: float = 1800, owned: bool = True, **changes: object) -> MutationReport:
    repo = write_repo(tmp_path / "repo", GREEN)
    work = job(repo, tmp_path / "rounds", **{"plan": CORE, "timeout": 1200, **changes})
    report = await mutation_check(work, lambda: box.sandbox, tmp_path / "rounds", count=3, limit=limit, owned=owned)
    assert read_report(tmp_path / "rounds" / FILE) == report
    assert (repo / "tiny/model.py").read_text() == GREEN["tiny/model.py"]
    return report


FAILURE = failed(b"", code=1)
FAILED_TEXT = ExecResult(Outcome.NONZERO, 1, b"FAILED tests/test_model.py::test_mean - assert 2 == 1\n", b"", 0.1)


async def test_a_failing_test_notices_the_fault_and_is_named(tmp_path: Path) -> None:
    box = Box(FAILED_TEXT)
    report = await check(box, tmp_path)
    assert report.share == 1.0 and {item.by for item in report.mutants} == {"tests/test_model.py::test_mean"}
    assert len(set(box.planted)) == 2 and GREEN["tiny/model.py"].encode() not in box.planted
    assert all(argv[-1] == "tests/test_model.py::test_mean" for argv in box.argv)
    assert {(item.path, item.symbol, item.requirements) for item in report.mutants} == {
        ("tiny/model.py", "mean", ("R1",))
    }


async def test_passing_tests_do_not_notice_it(tmp_path: Path) -> None:
    report = await check(Box(passed(b"1 passed\n")), tmp_path)
    assert (report.share, report.count("survived")) == (0.0, 2) and len(report.survivors) == 2


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.OOM, Outcome.KILLED])
async def test_running_into_a_limit_is_noticed(tmp_path: Path, outcome: Outcome) -> None:
    report = await check(Box(failed(outcome=outcome)), tmp_path)
    assert report.count("caught") == 2 and report.mutants[0].by


async def test_a_machine_too_slow_for_the_tests_themselves_notices_nothing(tmp_path: Path) -> None:
    box = Box(failed(outcome=Outcome.TIMEOUT))
    box.slow = True
    report = await check(box, tmp_path)
    assert (report.count("not_run"), report.share) == (2, None) and "in time" in report.mutants[0].note


@pytest.mark.parametrize("code", [4, 5])
async def test_tests_that_could_not_be_started_are_not_counted(tmp_path: Path, code: int) -> None:
    report = await check(Box(failed(code=code)), tmp_path)
    assert report.count("not_run") == 2 and report.share is None


async def test_a_function_that_no_test_executes_survives_without_a_run(tmp_path: Path) -> None:
    box = Box(FAILURE, functions=("tiny/run.py:main",))
    repo_test = {**GREEN, "tests/test_model.py": "import tiny.run\n\n\ndef test_mean() -> None:\n    tiny.run.main()\n"}
    repo = write_repo(tmp_path / "repo", repo_test)
    work = job(repo, tmp_path / "rounds", plan=CORE)
    report = await mutation_check(work, lambda: box.sandbox, tmp_path / "rounds", count=3)
    assert report.count("survived") == 1 and box.argv == []
    assert report.mutants[0].note == "no test executes this function"


async def test_tests_that_share_values_are_run_as_well(tmp_path: Path) -> None:
    """What a fixture of a module executes is recorded for its first test alone."""
    box = Box(passed(), functions=())
    report = await check(box, tmp_path)
    assert report.mutants[0].tests == 1 and box.argv[0][-1] == "tests/test_model.py::test_mean"


async def test_a_broken_sandbox_is_said_and_nothing_counts(tmp_path: Path) -> None:
    infra = ExecResult(Outcome.INFRA_ERROR, None, b"", b"", 0.0, message="engine lost")
    report = await check(Box(infra), tmp_path)
    assert report.count("not_run") == 2 and report.share is None and "engine lost" in report.note


async def test_a_sandbox_that_dies_before_is_said(tmp_path: Path) -> None:
    report = await check(Box(FAILURE, install=gone), tmp_path)
    assert report.mutants == () and "it was removed" in report.note


async def test_what_the_time_does_not_allow_is_not_run(tmp_path: Path) -> None:
    report = await check(Box(FAILURE), tmp_path, limit=0.0)
    assert report.count("not_run") == 2 and "time" in report.note


async def test_tests_that_fail_without_a_fault_prove_nothing(tmp_path: Path) -> None:
    def failing(call: Call, files: Files) -> ExecResult:
        put_tests(call, files, {"tests/test_model.py::test_mean": "failed"})
        return FAILURE

    report = await check(Box(FAILURE, pytest=failing), tmp_path)
    assert report.mutants == () and report.note == "no test passes without a fault"


async def test_a_ledger_without_core_requirements_has_no_target(tmp_path: Path) -> None:
    report = await check(Box(FAILURE), tmp_path, plan=PLAN)
    assert report.mutants == () and report.share is None and "no function" in report.note


async def test_without_a_plan_all_functions_are_targets(tmp_path: Path) -> None:
    report = await check(Box(FAILED_TEXT), tmp_path, plan=PLAN, owned=False)
    assert {item.symbol: item.state for item in report.mutants} == {"mean": "caught", "main": "survived"}


@pytest.mark.parametrize("raw", ["", "[]", json.dumps({"version": 1})])
def test_a_broken_report_is_no_report(tmp_path: Path, raw: str) -> None:
    (tmp_path / FILE).write_text(raw)
    assert read_report(tmp_path / FILE) is None and read_report(tmp_path / "absent") is None


async def test_no_test_runs_where_the_policy_refuses_what_was_installed(tmp_path: Path) -> None:
    async def refuse(_: object) -> Screened:
        return Screened("installed block", refused=True, may_run=False)

    box = Box(FAILED_TEXT)
    report = await check(box, tmp_path, screen=refuse)
    assert "the policy refuses what would be installed" in report.note and not report.mutants and not box.argv
