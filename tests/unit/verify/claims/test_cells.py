"""Which cells a contract asks for, in which order, and which of their rows count."""

from __future__ import annotations

from typing import Any

import pytest

from agentsys.plan.claims.contract import Contract
from agentsys.verify.claims.cells import MOST_CELLS, climb
from unit.verify.claims.judging import contract


def settings(made: Contract) -> list[list[dict[str, str]]]:
    return [list({cell.name[-16:]: dict(cell.setting) for cell in level}.values()) for level in climb(made).levels]


def numbers(**more: Any) -> Contract:
    slope = {"type": "slope", "quantity": "error", "method": "a", "axis": "n", "settle": 0.1}
    return contract(
        kind="rate",
        target={"value": -1.0, "where": {"section": "4"}},
        accept={**slope, "low": -1.1, "high": -0.9},
        falsify={"type": "fails", "rule": {**slope, "low": -1.3, "high": -0.7}},
        baselines=[],
        **{"toy_below": {"n": 16}, "horizon": {"axis": "n", "at_least": 512}, **more},
    )


def test_an_axis_is_swept_in_doublings_up_to_its_horizon_and_every_scale_counts() -> None:
    found = climb(numbers())
    axis = [int(dict(level[0].setting)["n"]) for level in found.levels]
    assert axis == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert found.judged(3) == (*found.levels[0], *found.levels[1], *found.levels[2])


def test_the_papers_grid_of_an_axis_is_kept_and_its_horizon_added() -> None:
    assert settings(numbers(grid={"n": ["32", "8"]})) == [[{"n": n}] for n in ("8", "16", "32", "128", "512")]


@pytest.mark.parametrize(
    ("grid", "swept"),
    [
        (["16", "32", "64", "128", "256"], [16, 23, 32, 45, 64, 91, 128, 181, 256]),
        (["16", "32", "64", "128", "256", "512"], [16, 32, 64, 128, 256, 512]),
    ],
)
def test_a_slope_gets_points_between_those_of_a_grid_only_where_they_are_less_than_six(
    grid: list[str], swept: list[int]
) -> None:
    made = numbers(grid={"n": grid}, horizon={"axis": "n", "at_least": int(grid[-1])})
    assert [int(dict(level[0].setting)["n"]) for level in climb(made).levels] == swept


def test_a_scale_over_which_a_mean_would_average_takes_the_place_of_the_smaller_one() -> None:
    found = climb(contract(toy_below={"n": 1000}, grid={"d": ["2", "4"]}))
    assert settings(contract(toy_below={"n": 1000})) == [[{"n": "63"}], [{"n": "250"}], [{"n": "1000"}]]
    assert found.judged(2) == found.levels[1] and found.judged(0) == ()


def test_without_a_scale_each_seed_is_a_step_with_every_case_and_setting() -> None:
    found = climb(contract(grid={"d": ["2", "4"]}, toy_below={"seeds": 3}))
    assert [[cell.seed for cell in level] for level in found.levels] == [[seed] * 4 for seed in range(5)]
    assert {(cell.case, dict(cell.setting)["d"]) for cell in found.levels[0]} == {
        (case, d) for case in ("main", "control") for d in ("2", "4")
    }


def test_a_setting_that_a_rule_looks_at_is_run_even_if_the_grid_does_not_hold_it() -> None:
    rule = {"type": "difference", "quantity": "v", "method": "a", "baseline": "b", "where": {"data": "digits"}}
    made = contract(accept={**rule, "low": 0.5}, falsify={**rule, "high": 0.0}, toy_below={"seeds": 3})
    assert settings(made)[0] == [{"data": "digits"}]


def test_the_command_is_one_that_a_shell_and_a_stranger_read_alike() -> None:
    cell = climb(contract(toy_below={"n": 1000})).levels[0][1]
    assert cell.argv("F.csv") == (
        *("python", "claims/c1.py", "--case", "control", "--seed", "0", "--setting", "n=63", "--out", "F.csv"),
    )


def test_more_cells_than_can_be_run_are_refused_with_their_number() -> None:
    with pytest.raises(ValueError, match=f"more than {MOST_CELLS:,}"):
        climb(contract(seeds=10_000, grid={"d": ["1", "2"]}))
