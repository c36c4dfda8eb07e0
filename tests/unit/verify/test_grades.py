"""How far a measured number lies from the paper's, and what is said of its scale."""

from __future__ import annotations

import json

import pytest

from agentsys.core.artifacts import ExpectedResult
from agentsys.verify.compare import compare, difference, grade, larger_scale
from agentsys.verify.results_file import parse_results
from unit.verify.tiny import PLACE, PLAN


def expected(value: float, relation: str = "equal", unit: str = "") -> ExpectedResult:
    return ExpectedResult.model_validate(
        {"id": "E1", "experiment": "e", "metric": "m", "value": value, "unit": unit, "relation": relation}
        | {"place": PLACE, "result_key": "k"}
    )


@pytest.mark.parametrize(
    ("paper", "measured", "word"),
    [
        (100.0, 100.0, "agrees to the printed digits"),
        (100.0, 100.4, "agrees to the printed digits"),
        (100.0, 100.6, "under 2 %"),
        (0.2305, 0.23054, "agrees to the printed digits"),
        (0.2, 0.24, "within 20 %"),
        (1e-9, 1.001e-9, "agrees to the printed digits"),
        (100.0, 101.99, "under 2 %"),
        (100.0, 98.0, "within 20 %"),
        (1.0, 0.98, "within 20 %"),
        (12.0, 14.4, "within 20 %"),
        (3.0, 3.6, "within 20 %"),
        (100.0, 120.1, "within 40 %"),
        (0.5, 0.7, "within 40 %"),
        (0.5, 0.71, "beyond"),
        (-2.14, -2.1356, "agrees to the printed digits"),
        (-2.14, -2.12, "under 2 %"),
        (-2.0, 2.0, "beyond"),
        (1e-9, 2e-9, "beyond"),
    ],
)
def test_a_grade_follows_the_relative_difference(paper: float, measured: float, word: str) -> None:
    assert grade(expected(paper), measured) == word


def test_digits_that_the_plan_lost_are_taken_from_the_papers_words() -> None:
    item = expected(0.23)
    assert grade(item, 0.2324) == "agrees to the printed digits"
    quoted = item.model_copy(update={"place": PLACE.model_copy(update={"quote": "a mean of 0.230 in 120 steps"})})
    assert grade(quoted, 0.2324) == "under 2 %"


@pytest.mark.parametrize(
    ("unit", "paper", "measured", "word"),
    [
        ("log10", -9.41, -9.412, "agrees to the printed digits"),
        ("log10", -9.412, -9.405, "under 2 %"),
        ("log10", -9.4, -9.33, "within 20 %"),
        ("log10", -9.41, -12.13, "beyond"),
        ("log10", -9.41, 1e9, "beyond"),
        ("log_{10}", -9.41, -9.3, "within 40 %"),
        ("ln", 2.0, 2.3, "within 40 %"),
        ("dB", 30.0, 31.0, "within 40 %"),
        ("dB", 30.2, 30.26, "under 2 %"),
        ("LN layers", 30.0, 31.0, "within 20 %"),
    ],
)
def test_of_a_logarithm_the_quantity_itself_is_graded(unit: str, paper: float, measured: float, word: str) -> None:
    assert grade(expected(paper, unit=unit), measured) == word


@pytest.mark.parametrize(
    ("relation", "measured", "word"),
    [
        ("at_most", 1.0, "under 2 %"),
        ("at_most", 10.1, "under 2 %"),
        ("at_most", 11.0, "within 20 %"),
        ("at_most", 20.0, "beyond"),
        ("at_least", 500.0, "under 2 %"),
        ("at_least", 9.0, "within 20 %"),
        ("at_least", 1.0, "beyond"),
    ],
)
def test_a_bound_is_graded_by_how_far_it_is_missed(relation: str, measured: float, word: str) -> None:
    assert grade(expected(10.0, relation), measured) == word


@pytest.mark.parametrize(
    ("unit", "relation", "measured", "missed"),
    [
        ("", "equal", 0.01, 0.01),
        ("%", "equal", 1.0, 0.01),
        ("%", "equal", -30.0, 0.3),
        ("", "at_most", -5.0, 0.0),
        ("nats", "at_least", -0.5, 0.5),
    ],
)
def test_a_paper_number_of_zero_is_graded_by_the_number_itself(
    unit: str, relation: str, measured: float, missed: float
) -> None:
    assert difference(expected(0.0, relation, unit), measured) == pytest.approx(missed)


def test_what_was_not_attempted_is_told_from_what_was_not_measured() -> None:
    rows = compare(PLAN, parse_results(json.dumps({"mean": 1.5, "not_attempted": {"large": "needs a GPU"}}).encode()))
    assert [(row.grade, row.profile) for row in rows] == [
        ("agrees to the printed digits", "smoke"),
        ("not attempted", "smoke"),
    ]
    assert [row.grade for row in compare(PLAN, parse_results(b'{"other": 1}'))] == ["not measured"] * 2
    assert [row.grade for row in compare(PLAN, None)] == ["not measured"] * 2


def test_numbers_of_the_full_profile_take_the_place_of_smaller_ones_which_stay_beside_them() -> None:
    smoke = compare(PLAN, parse_results(b'{"mean": 1.0, "not_attempted": {"large": "too large"}}'))
    full = compare(PLAN, parse_results(b'{"mean": 1.5, "not_attempted": {"large": "no data"}}'), profile="full")
    first, second = larger_scale(smoke, full)
    assert [row.paper_scale for row in (*smoke, first, second)] == [False, False, True, False]
    assert (first.measured, first.grade, first.profile, first.smoke) == (
        1.5,
        "agrees to the printed digits",
        "full",
        1.0,
    )
    assert second.measured is None and second.profile == "smoke"
