"""Sessions of pytest: what a change can reach runs first, all run before a verdict that passes. They are scripted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from agentsys.core.artifacts import Check, Verdict
from agentsys.core.events import EventLog
from agentsys.verify.checks.base import Bench, Found, Job
from agentsys.verify.checks.sessions import (
    FILE,
    MOST,
    Record,
    Session,
    environment,
    plan_sessions,
    run_sessions,
    visible_files,
)
from agentsys.verify.run import verify
from agentsys_sandbox.base import REPO
from agentsys_sandbox.fake import Call, FakeSandbox, Files, failed, passed
from agentsys_sandbox.spec import ExecResult
from unit.verify.scripted import Twist, put_tests, put_trials, pyright, scripted
from unit.verify.tiny import GREEN, MODEL, TEST, job, write_repo

pytestmark = pytest.mark.usefixtures("no_waiting")
AUDIT = Found(Check(name="audit", state="passed", note="0 findings"))
OTHER = "def other(x: float) -> float:\n    return 2 * x\n"
OTHER_TEST = TEST.replace("tiny.model import mean", "tiny.other import other").replace("mean([1.0, 3.0])", "other(1.0)")
FILES = {
    **GREEN,
    "tiny/other.py": OTHER,
    "tests/test_other.py": OTHER_TEST.replace("test_mean", "test_other"),
    "tests/test_more.py": OTHER_TEST.replace("test_mean", "test_more"),
}
TESTS = ("tests/test_model.py", "tests/test_more.py", "tests/test_other.py")
CHANGED = {"tiny/model.py": MODEL + "\nX = 1\n"}


def name_of(path: str) -> str:
    return "tests/test_model.py::test_mean" if path == TESTS[0] else f"{path}::{path[6:-3]}"


class Bed:
    """The rounds of one run, whose tests take 20 seconds a file, and which files each session ran."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ran: list[list[str]] = []
        self.fails: set[str] = set()
        self.boxes: list[FakeSandbox] = []
        self.alone = ""
        """A file that cannot be imported without the others."""
        self.seconds = 0.1

    def job(self, number: int, changed: Mapping[str, str]) -> Job:
        repo = write_repo(self.root / f"repo-{number}", {**FILES, **changed})
        wanted = job(repo, self.root / f"rounds/{number:02d}", events=EventLog(None, "test"))
        return replace(wanted, round=number)

    def _pytest(self, call: Call, files: Files) -> ExecResult:
        ignored = {item.partition(f"={REPO}/")[2] for item in call.argv if item.startswith("--ignore=")}
        ran = [path for path in TESTS if f"{REPO}/{path}" in files and path not in ignored]
        self.ran.append(ran)
        if self.alone and ran == [self.alone]:
            xml = next(item for item in call.argv if item.startswith("--junitxml=")).partition("=")[2]
            case = '<testcase name="tests.test_model"><error message="collection failure">no helper</error></testcase>'
            files[json.loads(call.stdin)["out"]] = b'{"finish": 2, "collected": 0}\n'
            files[xml] = f"<testsuites>{case}</testsuites>".encode()
            return failed(code=2)
        outcomes = {name_of(path): "failed" if path in self.fails else "passed" for path in ran}
        put_tests(call, files, outcomes, ("tiny/model.py:mean", "tiny/other.py:other"))
        out = json.loads(call.stdin)["out"]
        rows = [json.loads(line) for line in files[out].splitlines()]
        files[out] = b"".join(json.dumps({**row, "seconds": 20.0}).encode() + b"\n" for row in rows)
        return failed() if self.fails.intersection(ran) else passed(b"passed\n", self.seconds)

    async def verify(self, wanted: Job) -> Verdict:
        def typed(call: Call, files: Files) -> ExecResult:
            place = call.argv[call.argv.index("--project") + 1]
            return passed(pyright(sum(name.startswith(f"{place}/repo/") for name in files)))

        def noticed(call: Call, files: Files) -> None:
            put_trials(call, files)

        def make() -> FakeSandbox:
            twists: dict[str, Twist] = {"pytest": self._pytest, "pyright": typed, "faults": noticed}
            self.boxes.append(scripted(twists))
            return self.boxes[-1]

        self.ran, self.boxes = [], []
        return await verify(wanted, make, AUDIT)

    def stored(self, number: int) -> dict[str, dict[str, str]]:
        return json.loads((self.root / f"rounds/{number:02d}" / FILE).read_text())


def check(verdict: Verdict) -> Check:
    return next(item for item in verdict.checks if item.name == "pytest")


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


async def test_the_first_round_runs_all_tests_in_one_session(bed: Bed) -> None:
    assert (await bed.verify(bed.job(1, {}))).passed and bed.ran == [list(TESTS)]


async def test_what_a_change_can_reach_runs_first_and_all_run_before_a_verdict_that_passes(bed: Bed) -> None:
    await bed.verify(bed.job(1, {}))
    second = await bed.verify(bed.job(2, CHANGED))
    assert second.passed and bed.ran[0] == ["tests/test_model.py"]
    assert sorted(path for ran in bed.ran for path in ran) == sorted(TESTS)
    assert check(second).counts["passed"] == 3 and set(bed.stored(2)["outcomes"]) == set(map(name_of, TESTS))


async def test_where_a_reached_test_fails_the_others_are_not_run_and_are_told_as_not_run(bed: Bed) -> None:
    await bed.verify(bed.job(1, {}))
    bed.fails = {"tests/test_model.py"}
    second = await bed.verify(bed.job(2, CHANGED))
    assert bed.ran == [["tests/test_model.py"]] and check(second).state == "failed"
    assert "2 files of tests not run again: the change since round 1 cannot reach them" in check(second).note
    assert check(second).counts["passed"] == 0
    named = {item.path or item.symbol for item in second.diagnostics if item.check == "pytest"}
    assert not any("other" in name or "more" in name for name in named), "what was not run is no fault"
    assert bed.stored(2)["outcomes"][name_of("tests/test_other.py")] == "passed", "as it was in round 1"
    bed.fails = set()
    third = await bed.verify(bed.job(3, {"tiny/model.py": MODEL + "\nY = 1\n"}))
    assert third.passed and sorted(path for ran in bed.ran for path in ran) == sorted(TESTS)


async def test_a_file_of_a_tests_name_without_tests_fails_no_round(bed: Bed) -> None:
    bare = {"tests/test_tools.py": "from tiny.model import mean\n\n\ndef tool() -> float:\n    return mean([1.0])\n"}
    await bed.verify(bed.job(1, bare))
    second = await bed.verify(bed.job(2, {**bare, "tiny/model.py": MODEL + "\nX = 1\n"}))
    assert second.passed and sorted(path for ran in bed.ran for path in ran) == sorted(TESTS)


async def test_a_file_that_cannot_be_imported_by_itself_is_run_with_the_others(bed: Bed) -> None:
    await bed.verify(bed.job(1, {}))
    bed.alone = "tests/test_model.py"
    second = await bed.verify(bed.job(2, CHANGED))
    assert second.passed and bed.ran[0] == ["tests/test_model.py"] and bed.ran[-1] == list(TESTS)


async def test_sessions_that_take_too_long_together_fail_the_check(bed: Bed) -> None:
    await bed.verify(bed.job(1, {}))
    bed.seconds = 40.0
    second = await bed.verify(bed.job(2, CHANGED))
    assert check(second).state == "failed" and any(row.kind == "timeout" for row in second.diagnostics)


async def test_a_test_that_failed_before_runs_first_whatever_changed(bed: Bed) -> None:
    bed.fails = {"tests/test_other.py"}
    await bed.verify(bed.job(1, {}))
    bed.fails = set()
    assert (await bed.verify(bed.job(2, CHANGED))).passed
    assert {path for ran in bed.ran[:2] for path in ran} == {"tests/test_model.py", "tests/test_other.py"}


@pytest.mark.parametrize("which", ["a configuration", "short tests", "packages", "a replay that failed", "a replay"])
async def test_all_tests_run_in_one_session_where_nothing_can_be_told_or_gained(bed: Bed, which: str) -> None:
    first = bed.job(1, {})
    await bed.verify(first)
    stored = first.out / FILE
    row = json.loads(stored.read_text())
    wanted = bed.job(2, {"configs/smoke.yaml": "a: 1\n"} if which == "a configuration" else CHANGED)
    if which == "short tests":
        stored.write_text(json.dumps({**row, "seconds": dict.fromkeys(row["seconds"], 1.0)}))
    if which == "packages":
        stored.write_text(json.dumps({**row, "environment": "another"}))
    if which == "a replay that failed":
        (bed.root / "rounds/replay").mkdir()
    if which == "a replay":
        wanted = replace(wanted, stage="replay", out=bed.root / "rounds/replay", earlier=first.out)
    await bed.verify(wanted)
    if which == "a configuration":
        assert all(session.reached for session in plan_sessions(Bench(scripted(), wanted)).sessions)
        assert sorted(path for ran in bed.ran for path in ran) == sorted(TESTS)
    else:
        assert bed.ran == [list(TESTS)]


async def test_two_sandboxes_share_the_sessions_and_the_verdict_is_the_same(bed: Bed) -> None:
    await bed.verify(bed.job(1, {}))
    one = await bed.verify(bed.job(2, CHANGED))
    two = await bed.verify(replace(bed.job(2, CHANGED), two_sandboxes=True))
    assert check(one).note == check(two).note and one.passed and two.passed
    places = [sum("agentsys_pytest" in " ".join(call.argv) for call in box.calls) for box in bed.boxes]
    assert sum(places) == 3 and len(places) == 2


async def test_a_session_that_fails_in_the_second_sandbox_fails_the_check(bed: Bed) -> None:
    await bed.verify(bed.job(1, {}))
    bed.fails = {"tests/test_other.py"}
    second = await bed.verify(replace(bed.job(2, CHANGED), two_sandboxes=True))
    assert check(second).state == "failed" and not second.passed


def test_there_are_few_sessions_however_many_files_there_are(bed: Bed) -> None:
    more = {f"tests/test_{number}.py": TEST for number in range(40)}
    wanted = bed.job(2, {**more, **CHANGED})
    stored = bed.root / "rounds/01" / FILE
    stored.parent.mkdir(parents=True)
    bench = Bench(scripted(), wanted)
    past = Bench(scripted(), bed.job(1, more))
    names = [f"{path}::test_mean" for path in past.job.files if path.startswith("tests/test_")]
    record = Record(
        outcomes=dict.fromkeys(names, "passed"),
        seconds=dict.fromkeys(names, 50.0),
        environment=environment(past),
        files=visible_files(past),
    )
    stored.write_text(record.model_dump_json())
    planned = plan_sessions(bench).sessions
    every = [path for session in planned for path in session.files]
    assert len(planned) <= 2 * MOST and len(every) == len(set(every)) == 43
    assert all(session.files.isdisjoint(session.ignored) for session in planned)
    assert all(len(session.files | session.ignored) == 43 for session in planned)


async def test_a_helper_that_waits_for_the_second_sandbox_is_not_waited_for(bed: Bed) -> None:
    bench = Bench(scripted(), bed.job(1, {}))

    async def never() -> Bench | None:
        await asyncio.Event().wait()
        raise AssertionError

    async def run(on: Bench, number: int, session: Session) -> int:
        return number

    bench.second = never
    ended = await run_sessions(bench, [Session(), Session()], run, lambda _: True)
    assert [number for _, number in ended] == [0, 1]


async def test_what_fails_in_the_helper_is_raised_and_its_session_is_not_taken_for_run(bed: Bed) -> None:
    bench, second = Bench(scripted(), bed.job(1, {})), Bench(scripted(), bed.job(2, {}))
    begun = asyncio.Event()

    async def free() -> Bench | None:
        return second

    async def run(on: Bench, number: int, session: Session) -> int:
        if on is second:
            begun.set()
            raise RuntimeError("gone")
        await begun.wait()
        return number

    bench.second = free
    with pytest.raises(RuntimeError, match="gone"):
        await run_sessions(bench, [Session(), Session()], run, lambda _: True)
