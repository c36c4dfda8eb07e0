"""What a checker's rows say beside those of the claim's program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentsys.verify.claims.cells import climb
from agentsys.verify.claims.checking import Agreement, compared, small_cells, unpaired
from unit.verify.claims.judging import Line, contract, rows_of


def said(tmp_path: Path, ours: list[Line], theirs: list[Line], *, sure: bool = False, unit: str = "") -> Agreement:
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir(exist_ok=True)
    return compared(rows_of(folders[0], ours), rows_of(folders[1], theirs, unit=unit), deterministic=sure)


def test_equal_values_agree_and_one_that_differs_is_named_with_both(tmp_path: Path) -> None:
    ours: list[Line] = [(0, "n=2", "a", 2.5), (0, "n=4", "a", 1.0)]
    assert said(tmp_path, ours, ours, sure=True) == Agreement("agrees")
    other = said(tmp_path, ours, [(0, "n=4", "a", 1.1)], sure=True)
    assert other == Agreement("disagrees", "`v` of `a` at `n=4`: 1, and 1.1 by the checker")


@pytest.mark.parametrize(("shift", "state"), [(0.05, "agrees"), (3.0, "disagrees")])
def test_where_chance_is_in_it_means_over_seeds_are_compared(tmp_path: Path, shift: float, state: str) -> None:
    ours: list[Line] = [(seed, "n=2", "a", 1.0 + 0.1 * seed) for seed in range(5)]
    theirs: list[Line] = [(seed, "n=2", "a", 1.0 + shift + 0.1 * (4 - seed)) for seed in range(5)]
    assert said(tmp_path, ours, theirs).state == state


@pytest.mark.parametrize(
    "theirs",
    [
        [(0, "n=8", "a", 9.0)],
        [(0, "n=2", "b", 9.0)],
        [(0, "case=control;n=2", "a", 9.0)],
        [(1, "n=2", "a", 9.0)],
        [(0, "n=2", "a", 9.0)],
    ],
)
def test_what_cannot_be_compared_is_no_agreement(tmp_path: Path, theirs: list[Line]) -> None:
    assert said(tmp_path, [(0, "n=2", "a", 1.0)], theirs).state == "absent"


def test_instances_of_one_call_are_found_by_their_number_whatever_its_key_is_called(tmp_path: Path) -> None:
    ours: list[Line] = [(0, f"n=2;k={k}", "a", 1.0 * k) for k in (1, 2)]
    assert said(tmp_path, ours, [(0, f"n=2;instance={k}", "a", 1.0 * k) for k in (1, 2)], sure=True).state == "agrees"
    other = said(tmp_path, ours, [(0, f"n=2;instance={k}", "a", 3.0 * k) for k in (1, 2)], sure=True)
    assert other == Agreement("disagrees", "`v` of `a` at `n=2;1`: 1, and 3 by the checker")


def test_another_unit_is_not_compared(tmp_path: Path) -> None:
    rows: list[Line] = [(0, "n=2", "a", 1.0)]
    assert said(tmp_path, rows, rows, sure=True, unit="ms").state == "absent"


def test_a_checker_is_asked_for_the_claim_itself_on_its_smallest_scales() -> None:
    cells = small_cells(climb(contract(toy_below={"n": 1000}, seeds=3)))
    assert {(cell.case, dict(cell.setting)["n"]) for cell in cells} == {("main", "63"), ("main", "250")}


def test_a_checker_recomputes_some_seeds_of_a_scale_and_not_hundreds() -> None:
    cells = small_cells(climb(contract(toy_below={"n": 1000}, seeds=300)))
    assert {cell.seed for cell in cells} == set(range(20))


def runs(start: int, mean: float, *, seeds: int = 3, each: int = 50) -> list[Line]:
    chance = np.random.default_rng(start)
    draw = [(seed, k, float(chance.normal(mean, 2.0))) for seed in range(seeds) for k in range(each)]
    return [(seed, f"n=2;instance={k}", "a", value) for seed, k, value in draw]


@pytest.mark.parametrize(("mean", "state"), [(60.0, "agrees"), (75.0, "disagrees")])
def test_runs_of_a_call_that_rest_on_chance_are_compared_by_their_mean(tmp_path: Path, mean: float, state: str) -> None:
    assert said(tmp_path, runs(1, 60.0), runs(2, mean)).state == state
    assert said(tmp_path, runs(1, 60.0), runs(2, mean, each=20)).state == state


def test_few_seeds_disagree_only_where_chance_does_not_put_them_so_far_apart(tmp_path: Path) -> None:
    apart = [said(tmp_path, runs(2 * k, 60.0, each=1), runs(2 * k + 1, 60.0, each=1)).state for k in range(200)]
    assert set(apart) == {"agrees"}


def test_where_each_seed_is_a_step_a_checker_takes_ten_of_them() -> None:
    cells = small_cells(climb(contract(toy_below={"seeds": 5}, grid={"n": ["100"]}, seeds=30)))
    assert sorted(cell.seed for cell in cells) == list(range(10))


def names(tmp_path: Path, ours: list[Line], theirs: list[Line], *, sure: bool) -> str:
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir(exist_ok=True)
    return unpaired(rows_of(folders[0], ours), rows_of(folders[1], theirs), {"n"}, deterministic=sure)


@pytest.mark.parametrize("sure", [True, False])
def test_rows_of_other_names_are_told_apart_by_them_and_without_a_value(tmp_path: Path, sure: bool) -> None:
    said = names(tmp_path, [(0, "n=2", "a", 7.25)], [(0, "n=2", "b", 8.5)], sure=sure)
    assert "they are of `n=2, b, v`; theirs of `n=2, a, v`" in said
    assert "7.25" not in said and "8.5" not in said


def test_instances_of_other_names_are_told(tmp_path: Path) -> None:
    ours: list[Line] = [(0, "n=2;instance=first", "a", 1.0)]
    theirs: list[Line] = [(0, "n=2;instance=one", "a", 1.0)]
    assert "`instance=one;n=2, a, v`; theirs of `instance=first;n=2, a, v`" in names(tmp_path, ours, theirs, sure=True)
    assert names(tmp_path, ours, theirs, sure=False) != ""


def test_one_row_that_both_have_is_enough_to_compare(tmp_path: Path) -> None:
    assert names(tmp_path, [(0, "n=2", "a", 1.0)], [(0, "n=2", "a", 2.0), (0, "n=4", "c", 2.0)], sure=True) == ""


def test_instances_that_each_names_its_own_way_may_be_others_and_are_not_compared(tmp_path: Path) -> None:
    ours: list[Line] = [
        (seed, f"n=2;instance={k}", "a", v) for seed in range(4) for k, v in (("table", 6.0), ("random", 12.0))
    ]
    theirs: list[Line] = [(seed, "n=2;instance=1", "a", 6.0) for seed in range(4)]
    assert said(tmp_path, ours, theirs).state == "absent"


def test_what_a_program_adds_to_a_setting_may_be_a_value_and_is_not_told(tmp_path: Path) -> None:
    ours: list[Line] = [(0, "n=2;root=3.14159", "a", 1.0), (0, "n=2;instance=2.5", "a", 1.0)]
    told = names(tmp_path, ours, [(0, "n=2", "b", 1.0)], sure=True)
    assert "theirs of `n=2;root=..., a, v`, `instance=...;n=2, a, v`" in told


def test_where_chance_is_in_it_instances_of_the_same_names_are_compared_one_by_one(tmp_path: Path) -> None:
    def of(iris: float, wine: float) -> list[Line]:
        both = (("iris", iris), ("wine", wine))
        return [(seed, f"n=2;instance={name}", "a", value + seed / 1e4) for seed in range(4) for name, value in both]

    assert said(tmp_path, of(0.9, 0.5), of(0.9, 0.5)).state == "agrees"
    assert said(tmp_path, of(0.9, 0.5), of(0.5, 0.9)).state == "disagrees"
