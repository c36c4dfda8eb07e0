"""Planted faults as a check: each test must be able to fail, and each function of the method must be tested."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.artifacts import Verdict
from agentsys.core.events import EventLog
from agentsys.verify.fidelity.evidence import TestRecord as EvidenceOfTests
from agentsys.verify.fidelity.mutation_report import FILE, read_report
from agentsys.verify.fidelity.noticed import STANDING, read_standing
from agentsys.verify.fidelity.planting import Board, Spot, spots, spots_by_turns
from agentsys.verify.run import verify
from agentsys_sandbox.fake import Call, Files, passed
from agentsys_sandbox.spec import ExecResult
from unit.verify.scripted import put_trials, scripted
from unit.verify.test_probes import PROBES, run_probe
from unit.verify.test_table import AUDIT
from unit.verify.tiny import GREEN, PLAN, job, write_repo

MODEL, TESTS = "tiny/model.py", "tests/test_model.py"
CORE = PLAN.model_copy(
    update={"requirements": tuple(row.model_copy(update={"kind": "loss"}) for row in PLAN.requirements)}
)
HEAD = "from tiny.model import mean\n\n\n"


def planted(root: Path, test: str, *, fork: bool = True, model: str = GREEN[MODEL]) -> dict[str, list[str]]:
    """Plant every fault of `mean` for real and return how `test` ended against each: kind -> words."""
    repo = write_repo(root / "repo", {**GREEN, MODEL: model, TESTS: HEAD + test})
    files = {MODEL: model.encode()}
    name = f"{TESTS}::test_it"
    rows: list[dict[str, object]] = [{"id": "none", "path": "", "tests": [name], "cpu": 20}]
    for spot in spots(files)[MODEL, "mean"]:
        place = {"start": spot.fault.start, "end": spot.fault.end, "after": spot.fault.after}
        rows.append({"id": spot.fault.kind, "path": MODEL, "tests": [name], "cpu": 20, **place})
    options = ["-c", str(PROBES / "agentsys_pytest.ini"), "--rootdir", str(repo), "-o", f"pythonpath={repo}", "-q"]
    options += ["-p", "no:cacheprovider"]
    order: dict[str, object] = {
        "root": str(repo),
        "options": options,
        "plugins": [],
        "preload": [],
        "fork": fork,
        "parallel": 2,
    }
    order |= {"methods": {str(repo / MODEL): MODEL}, "texts": {MODEL: model}, "limit": 60, "trials": rows}
    found: dict[str, list[str]] = {}
    for line in run_probe(root, "agentsys_faults.py", order):
        tests: dict[str, dict[str, object]] = line["tests"]  # type: ignore[assignment]
        found.setdefault(str(line["id"]), []).append(str(tests.get(name, {}).get("word", line["ended"])))
        if line["id"] == "none":
            assert (repo / MODEL).read_text() == model
    assert found.pop("none") == ["passed"]
    return found


@pytest.mark.parametrize("fork", [True, False])
def test_a_test_of_values_notices_a_wrong_value(tmp_path: Path, fork: bool) -> None:
    words = planted(tmp_path, "def test_it():\n    assert mean([1.0, 3.0]) == 2.0\n", fork=fork)
    assert words["/ became *"] == words["divisor dropped"] == ["asserted"]
    assert words["all values that it returns changed"] == ["asserted"]
    said = (tmp_path / "stdout").read_text().splitlines()
    assert said == [f"ended {number}" for number in range(1, 2 + sum(map(len, words.values())))]


@pytest.mark.parametrize(
    "body",
    [
        "    try:\n        assert mean([1.0, 3.0]) == 2.0\n    except AssertionError:\n        print('differs')\n",
        "    print(mean([1.0, 3.0]) == 2.0)\n",
        "    (x == 1 for x in [mean([1.0])])\n",
        "    if mean([1.0, 3.0]) == 2.0:\n        return\n",
    ],
)
def test_a_test_that_cannot_fail_notices_nothing(tmp_path: Path, body: str) -> None:
    words = planted(tmp_path, f"def test_it():\n{body}")
    assert {word for each in words.values() for word in each} <= {"passed", "crashed"}


def test_what_a_returned_function_gives_is_changed_as_well(tmp_path: Path) -> None:
    model = """def mean(scale):
    def rate(k):
        return scale / (k + 1)

    return rate
"""
    test = "def test_it():\n    assert [mean(2.0)(k) for k in range(2)] == [2.0, 1.0]\n"
    words = planted(tmp_path, test, model=model)
    kinds = ("all values that it returns changed", "all that it returns infinite", "other values at each call")
    assert [words[kind] for kind in kinds] == [["asserted"]] * 3


def test_a_comparison_with_itself_notices_no_wrong_value(tmp_path: Path) -> None:
    words = planted(tmp_path, "def test_it():\n    assert mean([1.0, 3.0]) == mean([1.0, 3.0])\n")
    assert words["/ became *"] == words["all values that it returns changed"] == ["passed"]
    assert words["other values at each call"] == ["asserted"]  # it is a test of determinism


def test_code_that_breaks_by_itself_is_told_from_a_test_that_looks(tmp_path: Path) -> None:
    words = planted(tmp_path, "def test_it():\n    assert sum([mean([1.0]), mean([3.0])]) == 4.0\n")
    assert words["nothing returned"] == ["crashed"]


FROZEN = """\
\"\"\"Means.\"\"\"

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Weight:
    value: float


""" + GREEN[MODEL]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("errors swallowed", "    import pytest\n    with pytest.raises(ZeroDivisionError):\n        mean([])\n"),
        ("arguments changed in place", "    x = [1.0, 3.0]\n    mean(x)\n    assert x == [1.0, 3.0]\n"),
        (
            "frozen dropped",
            "    import pytest\n    from tiny.model import Weight\n    weight = Weight(mean([1.0]))\n"
            "    with pytest.raises(AttributeError):\n        weight.value = 2.0\n",
        ),
    ],
)
def test_a_test_of_conduct_notices_a_fault_of_its_kind_and_no_wrong_value(tmp_path: Path, kind: str, body: str) -> None:
    words = planted(tmp_path, f"def test_it():\n{body}", model=FROZEN)
    assert words[kind] == ["asserted"]
    assert words["all values that it returns changed"] == words["form of what it returns changed"] == ["passed"]


# -- what is made of it ------------------------------------------------------------------------------------------------


async def test_each_check_is_named_when_it_begins_and_planted_faults_are_counted(tmp_path: Path) -> None:
    def faults(call: Call, files: Files) -> ExecResult:
        put_trials(call, files)
        return passed(b"noise\nended 3\nended 4\n")

    log = EventLog(None, "test")
    seen: list[dict[str, object]] = []
    log.subscribe(lambda event: seen.append({**event["data"], "type": event["type"]}))  # type: ignore[dict-item]
    work = job(write_repo(tmp_path / "repo", GREEN), tmp_path / "rounds" / "01", plan=CORE, events=log)
    assert (await verify(work, lambda: scripted({"faults": faults}), AUDIT)).passed
    started = [row for row in seen if row["type"] == "check.started"]
    assert [row["check"] for row in started][:7] == [
        "install", "imports", "pyright", "pytest", "smoke", "results", "faults"
    ]  # fmt: skip
    assert [row["number"] for row in started] == list(range(1, len(started) + 1))
    assert {row["of"] for row in started} == {len(started)}
    progress = [str(row["text"]) for row in seen if row["type"] == "check.progress" and row["check"] == "faults"]
    assert progress and progress[0].startswith("4 of ") and "planted faults tried" in progress[0]
    assert any(row["type"] == "check.progress" and row["check"] == "dependence" for row in seen)


async def judged(tmp_path: Path, word: str, number: int = 1, missed: str = "", **changes: object) -> Verdict:
    """Verify the tiny repository where its one test ends with `word` against each fault, and passes those `missed`."""

    def faults(call: Call, files: Files) -> ExecResult:
        put_trials(call, files, word, missed)
        return passed()

    repo = tmp_path / "repo"
    repo = repo if repo.is_dir() else write_repo(repo, GREEN)
    out = tmp_path / "rounds" / ("replay" if changes.get("stage") == "replay" else f"{number:02d}")
    work = replace(job(repo, out, plan=CORE), round=number, **changes)  # type: ignore[arg-type]
    return await verify(work, lambda: scripted({"faults": faults}), AUDIT)


async def test_a_function_whose_faults_are_noticed_is_tested(tmp_path: Path) -> None:
    verdict = await judged(tmp_path, "asserted")
    assert verdict.passed and "faults" in verdict.demanded
    report = read_report(tmp_path / "rounds" / FILE)
    assert report is not None and report.passed and report.share == 1.0
    assert read_standing(tmp_path / "rounds" / STANDING).faults


async def test_a_required_function_whose_faults_nobody_notices_is_untested(tmp_path: Path) -> None:
    verdict = await judged(tmp_path, "passed")
    untested, idle = sorted(verdict.diagnostics, key=lambda item: item.path != MODEL)
    assert not verdict.passed and {item.check for item in verdict.diagnostics} == {"faults"}
    assert "`mean` carries R1 and is untested" in untested.message and untested.path == MODEL
    assert f"`{TESTS}::test_mean` passes whatever the code does" in idle.message and idle.path == TESTS


async def test_a_line_whose_faults_nobody_notices_is_named_and_may_be_taken_out_where_it_never_matters(
    tmp_path: Path,
) -> None:
    even = "middle = 0.5 * (middle + middle)"
    text = GREEN[MODEL].replace("return sum(x) / len(x)", f"middle = sum(x) / len(x)\n    {even}\n    return middle")
    write_repo(tmp_path / "repo", {**GREEN, MODEL: text})
    (fault,) = (await judged(tmp_path, "asserted", missed=even)).diagnostics
    assert "`mean` carries R1 and line 3 of it untested: no test notices" in fault.message and fault.line == 3
    assert "what makes none for any is to be taken out" in fault.message


async def test_faults_that_only_break_the_code_blame_no_test_and_show_nothing(tmp_path: Path) -> None:
    verdict = await judged(tmp_path, "crashed")
    report = read_report(tmp_path / "rounds" / FILE)
    assert verdict.passed and report is not None and report.share is None


async def test_a_repair_that_weakens_a_test_is_named_with_the_test(tmp_path: Path) -> None:
    await judged(tmp_path, "asserted")
    (tmp_path / "repo" / TESTS).write_text(GREEN[TESTS].replace("== 2.0", "> 0.0"))
    verdict = await judged(tmp_path, "passed", number=2)
    messages = [item.message for item in verdict.diagnostics]
    assert any("test_mean` noticed" in text and "in round 1, and no test does now" in text for text in messages)


async def test_a_replay_plants_a_few_again_and_fails_where_they_go_unnoticed(tmp_path: Path) -> None:
    first = await judged(tmp_path, "asserted")
    again: dict[str, Any] = {"stage": "replay", "tree": first.tree}
    same = await judged(tmp_path, "asserted", **again)
    note = next(check.note for check in same.checks if check.name == "faults")
    assert same.passed and "judged in the round that is replayed" in note
    assert not (await judged(tmp_path, "passed", **again)).passed


async def test_the_sample_only_adds_to_what_the_check_needs(tmp_path: Path) -> None:
    assert not (await judged(tmp_path, "passed", mutants=0)).passed


async def test_between_the_files_of_a_method_what_runs_beside_has_its_turn() -> None:
    files = {f"tiny/m{number}.py": GREEN[MODEL].encode() for number in range(5)}
    turns: list[int] = []

    async def beside() -> None:
        while True:
            turns.append(len(turns))
            await asyncio.sleep(0)

    task = asyncio.create_task(beside())
    assert await spots_by_turns(files) == spots(files)
    task.cancel()
    assert len(turns) >= len(files) - 1


def test_a_fault_is_the_same_in_a_file_that_changed_elsewhere() -> None:
    def keys(text: str) -> set[str]:
        return {spot.key for spot in spots({MODEL: text.encode()})[MODEL, "mean"]}

    assert keys(GREEN[MODEL]) == keys("import math\n\n\n" + GREEN[MODEL])
    assert keys(GREEN[MODEL]) != keys(GREEN[MODEL].replace("len(x)", "max(len(x), 1)"))


def test_a_fault_without_an_outcome_is_open_not_missed() -> None:
    every = spots({MODEL: GREEN[MODEL].encode()})
    board = Board(every, {(MODEL, "mean"): ("R1",)})
    (first, *_) = [spot for spot in every[MODEL, "mean"] if spot.value]
    assert isinstance(first, Spot) and board.judge(first) == "open"
    board.note(first, {"t::a": "passed"})
    assert board.judge(first) == "missed"
    board.note(first, {"t::b": "asserted"})
    assert board.judge(first) == "noticed"


def test_faults_of_conduct_are_tried_on_a_test_of_many_functions_before_it_counts_as_idle() -> None:
    names = ("one", "two", "three", "four", "five", "six")
    text = "".join(f"def {name}(x: list[float]) -> float:\n    return sum(x) / len(x)\n\n\n" for name in names)
    board = Board(spots({MODEL: text.encode()}), {}, texts={f"{TESTS}::test_it": " ".join(names)})
    called = {f"{TESTS}::test_it": tuple(f"{MODEL}:{name}" for name in names)}
    board.learn(EvidenceOfTests(outcomes={f"{TESTS}::test_it": "passed"}, functions=called, calls=called))
    for number in range(2, 6):
        for spot, tests in board.following(number).items():
            board.note(spot, dict.fromkeys(tests, "passed"))
    kinds = [spot.fault.kind for spot in board.tried.values()]
    assert {"errors swallowed", "arguments changed in place"} <= set(kinds)
    assert [name for name, _ in board.idle()] == [f"{TESTS}::test_it"]


def test_where_time_ran_out_a_test_to_which_more_faults_could_be_put_is_not_called_idle() -> None:
    names = ("one", "two", "three", "four", "five", "six")
    text = "".join(f"def {name}(x: list[float]) -> float:\n    return sum(x) / len(x)\n\n\n" for name in names)
    board = Board(spots({MODEL: text.encode()}), {}, texts={f"{TESTS}::test_it": " ".join(names)})
    called = {f"{TESTS}::test_it": tuple(f"{MODEL}:{name}" for name in names)}
    board.learn(EvidenceOfTests(outcomes={f"{TESTS}::test_it": "passed"}, functions=called, calls=called))
    board.cut_short = True
    for number in (2, 3):
        for spot, tests in board.following(number).items():
            board.note(spot, dict.fromkeys(tests, "passed"))
    assert len(board.tried) >= 3 and board.idle() == [] and board.not_judged() == [f"{TESTS}::test_it"]
    for number in (4, 5):
        for spot, tests in board.following(number).items():
            board.note(spot, dict.fromkeys(tests, "passed"))
    assert [name for name, _ in board.idle()] == [f"{TESTS}::test_it"]


async def test_a_suite_too_slow_for_its_faults_is_told_which_tests_are_slow(tmp_path: Path) -> None:
    def faults(call: Call, files: Files) -> ExecResult:
        put_trials(call, files)
        files[json.loads(call.stdin)["out"]] = b""  # no trial was started
        return passed()

    work = job(write_repo(tmp_path / "repo", GREEN), tmp_path / "rounds" / "01", plan=CORE)
    verdict = await verify(work, lambda: scripted({"faults": faults}), AUDIT)
    (found,) = verdict.diagnostics
    assert found.kind == "timeout" and found.path == TESTS and f"`{TESTS}::test_mean` takes" in found.message


def test_what_a_test_noticed_the_round_before_is_tried_on_it_before_it_counts_as_idle() -> None:
    names = ("one", "two", "three", "four", "five", "six")
    text = "".join(f"def {name}(x: list[float]) -> float:\n    return sum(x) / len(x)\n\n\n" for name in names)
    every = spots({MODEL: text.encode()})
    noticed = every[MODEL, "six"][-1]
    board = Board(every, {}, texts={f"{TESTS}::test_it": " ".join(names)})
    board.formerly = {f"{TESTS}::test_it": frozenset({noticed.key})}
    called = {f"{TESTS}::test_it": tuple(f"{MODEL}:{name}" for name in names)}
    board.learn(EvidenceOfTests(outcomes={f"{TESTS}::test_it": "passed"}, functions=called, calls=called))
    for number in range(2, 6):
        for spot, tests in board.following(number).items():
            board.note(spot, dict.fromkeys(tests, "asserted" if spot == noticed else "passed"))
    assert board.idle() == [] and board.judge(noticed) == "noticed"


def instances(count: int) -> Board:
    """`mean` carries a requirement, and one test with so many parameters executes it."""
    files = {MODEL: GREEN[MODEL].encode()}
    board = Board(spots(files), {(MODEL, "mean"): ("R1",)})
    names = [f"{TESTS}::test_it[{number:02}]" for number in range(count)]
    board.learn(
        EvidenceOfTests(outcomes=dict.fromkeys(names, "passed"), functions=dict.fromkeys(names, (f"{MODEL}:mean",)))
    )
    return board


def test_what_was_noticed_before_is_put_to_every_instance_of_the_test_that_noticed_it() -> None:
    board = instances(12)
    (spot, tests), *_ = board.first([]).items()
    assert len(tests) == 2
    board.standing = {spot.key: (f"{TESTS}::test_it",)}
    assert len(board.first([])[spot]) == 12


def test_a_fault_counts_as_missed_only_after_many_instances_of_a_test_and_not_after_endlessly_many() -> None:
    board = instances(200)
    spot, tests = next(iter(board.first([]).items()))
    board.note(spot, dict.fromkeys(tests, "passed"))
    assert board.judge(spot) == "open"
    rest = board.following(3)[spot]
    assert not set(rest) & set(tests) and len({*rest, *tests}) == 24
    board.note(spot, dict.fromkeys(rest, "passed"))
    assert board.judge(spot) == "missed"
