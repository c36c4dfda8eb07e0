"""The estimators on numbers worked out by hand, and what they converge to."""

from __future__ import annotations

import math

import numpy as np
import pytest

from variates.estimators import antithetic, coefficient, control, plain

FEW = np.array([0.1, 0.4, 0.7])


def test_plain_by_hand() -> None:
    assert plain(FEW) == pytest.approx((math.exp(0.1) + math.exp(0.4) + math.exp(0.7)) / 3, rel=1e-14)


def test_antithetic_by_hand() -> None:
    both = [(math.exp(u) + math.exp(1 - u)) / 2 for u in (0.1, 0.4, 0.7)]
    assert antithetic(FEW) == pytest.approx(sum(both) / 3, rel=1e-14)


def test_antithetic_does_not_tell_a_number_from_its_mirror() -> None:
    assert antithetic(1.0 - FEW) == pytest.approx(antithetic(FEW), rel=1e-14)


def test_coefficient_is_the_slope_of_a_line() -> None:
    assert coefficient(3.0 - 2.5 * FEW, FEW) == pytest.approx(-2.5, rel=1e-12)
    values = np.array([1.0, 0.0, 4.0])
    assert coefficient(values, FEW) == pytest.approx(np.cov(values, FEW)[0, 1] / np.var(FEW, ddof=1), rel=1e-12)


def test_control_by_hand() -> None:
    values = [math.exp(u) for u in (0.1, 0.4, 0.7)]
    slope = (values[2] - values[0]) / 0.6
    assert control(FEW) == pytest.approx(sum(values) / 3 - slope * (0.4 - 0.5), rel=1e-12)


@pytest.mark.parametrize("estimator", [plain, antithetic, control])
def test_the_estimates_tend_to_the_integral(estimator) -> None:
    assert estimator(np.random.default_rng(3).random(400_000)) == pytest.approx(math.e - 1, abs=3e-3)
