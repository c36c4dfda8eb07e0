"""Cheats and honest repositories through the whole program. `python -m benchmarks.truth` runs all of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.truth import Ending, run_case, totals
from benchmarks.truth_cases import Case, Change, apply, honest_cases, own_cheats, read_files

GOOD = {case.name: case for case in honest_cases()}
CHEATS = {case.name: case for case in own_cheats(GOOD)}
SANDBOX = [pytest.mark.bwrap, pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")]
SLOW = [*SANDBOX, pytest.mark.index, pytest.mark.slow, pytest.mark.timeout(1800)]


def test_every_cheat_differs_from_its_base_and_all_names_are_different() -> None:
    assert len(CHEATS) == sum(1 for _ in own_cheats(GOOD)) >= 30
    honest = [case.files for case in GOOD.values()]
    assert all(case.files not in honest for case in CHEATS.values())


def test_what_is_planned_is_what_is_there() -> None:
    for case in (*GOOD.values(), *CHEATS.values()):
        assert sorted(case.files) == sorted(spec["path"] for spec in case.plan["design"]["files"]), case.name


def test_a_change_that_does_not_fit_its_base_is_an_error() -> None:
    change = Change.model_validate(
        {"name": "x", "kind": "tests", "base": "script", "what": "", "replace": {"README.md": [("no such words", "")]}}
    )
    with pytest.raises(ValueError, match="does not hold 'no such words'"):
        apply(change, GOOD["script"])


def test_a_base_is_not_changed_by_its_cheats() -> None:
    again = {case.name: case for case in honest_cases()}
    assert {name: (case.files, case.plan) for name, case in GOOD.items()} == {
        name: (case.files, case.plan) for name, case in again.items()
    }
    assert GOOD["script"].files == read_files(Path(__file__).parents[1] / "truth" / "honest" / "script" / "repo")


@pytest.mark.parametrize(
    ("honest", "code", "right", "counted"),
    [
        (True, 0, True, [0, 0, 0]),
        (True, 5, False, [0, 1, 0]),
        (False, 0, False, [1, 0, 0]),
        (False, 5, True, [0, 0, 0]),
        (False, 3, False, [0, 0, 1]),
        (True, 1, False, [0, 0, 1]),
        (False, 124, False, [0, 0, 1]),
    ],
)
def test_only_a_verdict_counts_and_only_the_right_one(honest: bool, code: int, right: bool, counted: list[int]) -> None:
    ending = Ending(Case("c", "kind", honest, "", Path(), {}, {}), code, "", "", "", 1.0)
    assert ending.right is right
    assert [int(line.split()[0]) for line in totals([ending])] == counted


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW) for name in GOOD])
def test_an_honest_repository_ends_verified(name: str, tmp_path: Path) -> None:
    ending = run_case(GOOD[name], tmp_path, "bwrap")
    assert (ending.code, ending.said) == (0, "")


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW) for name in CHEATS])
def test_a_cheat_does_not_end_verified(name: str, tmp_path: Path) -> None:
    ending = run_case(CHEATS[name], tmp_path, "bwrap")
    assert ending.judged, ending.said
    assert ending.status != "verified"
