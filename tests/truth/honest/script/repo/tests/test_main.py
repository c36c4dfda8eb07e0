"""Steps by hand on small polynomials, and the results against the methods."""

from __future__ import annotations

import math

import pytest

from illinois.main import bisection, evaluations, illinois, measure, polynomial

SQUARE = [1.0, 0.0, -2.0]


def test_polynomial_by_hand() -> None:
    assert polynomial([2.0, -3.0, 0.5], 3.0) == pytest.approx(9.5, abs=1e-12)
    assert polynomial([1.0, 0.0, -2.0, -5.0], 2.0) == -1.0


def test_bisection_halves_the_bracket_that_holds_the_root() -> None:
    points = bisection(SQUARE, 1.0, 2.0, 0.01)
    assert [c for c, _ in points] == [1.5, 1.25, 1.375, 1.4375, 1.40625, 1.421875, 1.4140625]
    assert [size for _, size in points] == pytest.approx([abs(c * c - 2.0) for c, _ in points])


def test_bisection_of_a_falling_function() -> None:
    assert [c for c, _ in bisection([-1.0, 0.3], 0.0, 1.0, 0.06)] == [0.5, 0.25]


def test_illinois_by_hand_with_a_halved_end() -> None:
    # x^2 - 2 on [1, 2]: c = 4/3, the sign changes against b = 2, so a = 2; then 7/5 with f = -1/25, the end 2 is kept
    # and its value 2 is halved to 1: c = (2 (-1/25) - 7/5) / (-1/25 - 1) = 37/26 = 1.4230769...
    points = illinois(SQUARE, 1.0, 2.0, 0.03)
    assert [c for c, _ in points] == pytest.approx([4 / 3, 1.4, 37 / 26], rel=1e-12)
    assert points[2][1] == pytest.approx((37 / 26) ** 2 - 2, rel=1e-12)


def test_both_find_the_same_root_within_the_tolerance() -> None:
    for method in (bisection, illinois):
        points = method(SQUARE, 0.0, 2.0, 1e-12)
        assert points[-1][0] == pytest.approx(math.sqrt(2.0), abs=1e-12)
        assert all(size > 1e-12 for _, size in points[:-1])


def test_a_tolerance_that_is_not_reached_is_said() -> None:
    with pytest.raises(ValueError, match="bisection does not reach"):
        bisection([1.0, 0.0, 1.0], 0.0, 1.0, 1e-3)
    with pytest.raises(ValueError, match="Illinois rule does not reach"):
        illinois([1.0, 0.0, 1.0], 0.0, 1.0, 1e-3)


def test_the_ends_count_as_evaluations() -> None:
    assert evaluations([(1.0, 0.5), (1.5, 0.25), (1.4, 0.1)]) == 5


def test_results_are_those_of_the_methods() -> None:
    config = {"profile": "test", "scale": "test", "coefficients": SQUARE, "left": 0.5, "right": 2.0, "tolerance": 1e-9}
    results = measure(config)
    slow, fast = bisection(SQUARE, 0.5, 2.0, 1e-9), illinois(SQUARE, 0.5, 2.0, 1e-9)
    assert results["bisection_evaluations"] == len(slow) + 2
    assert results["illinois_evaluations"] == len(fast) + 2
    assert results["ratio"] == pytest.approx((len(slow) + 2) / (len(fast) + 2))
    assert results["root"] == fast[-1][0]
    assert results["fifth"] == pytest.approx(math.log10(fast[4][1]))
