"""A sample of planted faults, with a scripted sandbox: what counts as noticed, and what never does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.verify.checks.base import Bench, Infrastructure
from agentsys.verify.fidelity.evidence import TestRecord
from agentsys.verify.fidelity.mutation import sample_faults
from agentsys.verify.fidelity.mutation_report import FILE, MutationReport, read_report
from agentsys_sandbox.fake import Call, FakeSandbox, Files, Script, passed
from agentsys_sandbox.spec import ExecResult, Outcome
from unit.verify.tiny import GREEN, PLAN, job, write_repo

CORE = PLAN.model_copy(
    update={"requirements": tuple(row.model_copy(update={"kind": "algorithm"}) for row in PLAN.requirements)}
)
TEST = "tests/test_model.py::test_mean"
TESTS = TestRecord(outcomes={TEST: "passed"}, functions={TEST: ("tiny/model.py:mean",)})


class Box:
    """A sandbox whose test ends with `word` against a fault, and with `alone` where none is planted."""

    def __init__(self, word: str, alone: str = "passed", fork_too: bool = True, **trial: object) -> None:
        self.word, self.alone, self.fork_too, self.trial = word, alone, fork_too, trial
        self.asked: list[dict[str, object]] = []
        self.sandbox = FakeSandbox(Script(default=self.reply))

    def reply(self, call: Call, files: Files) -> ExecResult:
        order = json.loads(call.stdin)
        lines: list[dict[str, object]] = []
        for trial in order["trials"]:
            self.asked.append(trial)
            alone = self.alone if self.fork_too or not order["fork"] else "crashed"
            tests = {name: {"word": self.word if trial["path"] else alone} for name in trial["tests"]}
            lines.append({"id": trial["id"], "ended": "done", "tests": tests, **(self.trial if trial["path"] else {})})
        files[order["out"]] = "".join(json.dumps(line) + "\n" for line in lines).encode()
        return passed()


async def sample(
    box: Box, root: Path, *, owned: bool = True, tests: TestRecord = TESTS, **changes: object
) -> MutationReport:
    work = job(write_repo(root / "repo", GREEN), root / "rounds", **{"plan": CORE, **changes})
    async with box.sandbox as sandbox:
        return await sample_faults(Bench(sandbox, work), tests, 3, owned=owned)


@pytest.mark.parametrize("word", ["asserted", "crashed"])
async def test_a_failing_test_notices_the_fault_and_is_named(tmp_path: Path, word: str) -> None:
    box = Box(word)
    report = await sample(box, tmp_path)
    assert report.share == 1.0 and {item.by for item in report.mutants} == {TEST}
    assert {(item.path, item.symbol, item.requirements) for item in report.mutants} == {
        ("tiny/model.py", "mean", ("R1",))
    }
    assert [trial["tests"] for trial in box.asked] == [[TEST]] * 3 and len({str(trial) for trial in box.asked}) == 3


async def test_passing_tests_do_not_notice_it(tmp_path: Path) -> None:
    report = await sample(Box("passed"), tmp_path)
    assert (report.share, report.count("survived")) == (0.0, 2) and len(report.survivors) == 2


@pytest.mark.parametrize(("ended", "by"), [("time", "time limit"), ("died", TEST)])
async def test_tests_that_no_longer_end_by_themselves_notice_it(tmp_path: Path, ended: str, by: str) -> None:
    report = await sample(Box("passed", ended=ended, tests={}, under_way=TEST), tmp_path)
    assert report.count("caught") == 2 and report.mutants[0].by == by


async def test_a_test_that_fails_without_a_fault_notices_nothing(tmp_path: Path) -> None:
    report = await sample(Box("asserted", alone="asserted"), tmp_path)
    assert report.mutants == () and report.share is None and "no test passes" in report.note


async def test_tests_that_pass_only_in_a_python_of_their_own_are_given_one(tmp_path: Path) -> None:
    report = await sample(Box("asserted", fork_too=False), tmp_path)
    assert report.share == 1.0


async def test_a_function_that_no_test_executes_survives_without_a_run(tmp_path: Path) -> None:
    box = Box("asserted")
    report = await sample(box, tmp_path, tests=TestRecord(outcomes={TEST: "passed"}, functions={TEST: ()}))
    assert report.count("survived") == 1 and [trial["path"] for trial in box.asked] == [""]
    assert report.mutants[0].note == "no test executes this function"


async def test_what_the_time_does_not_allow_is_not_run(tmp_path: Path) -> None:
    box = Box("asserted")

    def half(call: Call, files: Files) -> ExecResult:
        result = box.reply(call, files)
        out = json.loads(call.stdin)["out"]
        files[out] = b"".join(files[out].splitlines(keepends=True)[:2])
        return result

    box.sandbox = FakeSandbox(Script(default=half))
    report = await sample(box, tmp_path)
    assert (report.count("caught"), report.count("not_run")) == (1, 1) and "time" in report.note


async def test_a_broken_sandbox_is_no_ones_finding(tmp_path: Path) -> None:
    box = Box("asserted")
    broken = ExecResult(Outcome.INFRA_ERROR, None, b"", b"", 0.0, message="engine lost")
    box.sandbox = FakeSandbox(Script(default=lambda call, files: broken))
    with pytest.raises(Infrastructure, match="engine lost"):
        await sample(box, tmp_path)


async def test_a_ledger_without_core_requirements_has_no_target(tmp_path: Path) -> None:
    report = await sample(Box("asserted"), tmp_path, plan=PLAN)
    assert report.mutants == () and report.share is None and "no function" in report.note


async def test_without_a_plan_all_functions_are_targets(tmp_path: Path) -> None:
    report = await sample(Box("asserted"), tmp_path, plan=PLAN, owned=False)
    assert {item.symbol: item.state for item in report.mutants} == {"mean": "caught", "main": "survived"}


@pytest.mark.parametrize("raw", ["", "[]", json.dumps({"version": 1})])
def test_a_broken_report_is_no_report(tmp_path: Path, raw: str) -> None:
    (tmp_path / FILE).write_text(raw)
    assert read_report(tmp_path / FILE) is None and read_report(tmp_path / "absent") is None
