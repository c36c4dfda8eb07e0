from __future__ import annotations

import pytest
from sgdlab.config import Config, load
from sgdlab.experiments import compare
from sgdlab.report import results


def test_the_average_predicts_as_well_as_the_minimiser() -> None:
    outcome = compare(Config())
    assert outcome.error == pytest.approx(outcome.error_best, rel=0.15)


def test_most_of_the_variance_is_explained() -> None:
    assert 0.97 < compare(Config()).explained < 1.0


def test_the_profile_is_as_the_defaults() -> None:
    assert compare(load("configs/smoke.yaml")) == compare(Config())


def test_results_hold_both_numbers() -> None:
    written = results(Config(), compare(Config()))
    assert 0.0 <= written["final_gap"] < 0.002
