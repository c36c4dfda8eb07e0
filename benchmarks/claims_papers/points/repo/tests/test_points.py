"""Points, discrepancy and errors by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from evenly.experiment import main, rms_error, run
from evenly.points import (
    INTEGRANDS,
    error,
    kink,
    random_points,
    sine,
    square,
    star_discrepancy,
    stratified_points,
    van_der_corput,
)

CONFIG = {"profile": "test", "scale": "test", "seed": 4, "n": 8, "sets": 12}


def test_van_der_corput_begins_as_printed() -> None:
    assert van_der_corput(9).tolist() == [0.0, 0.5, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875, 0.0625]
    assert van_der_corput(1).tolist() == [0.0]


def test_points_with_chance_take_their_numbers_from_the_generator() -> None:
    drawn = np.random.default_rng(1).random(5)
    assert random_points(5, np.random.default_rng(1)).tolist() == drawn.tolist()
    assert stratified_points(5, np.random.default_rng(1)) == pytest.approx((np.arange(5) + drawn) / 5, rel=1e-14)


def test_discrepancy_by_hand() -> None:
    assert star_discrepancy(np.array([0.5, 0.25, 0.0])) == pytest.approx(0.5)
    assert star_discrepancy(np.array([0.9, 0.6])) == pytest.approx(0.6)
    assert star_discrepancy(np.array([0.25, 0.75])) == pytest.approx(0.25)


def test_integrands_by_hand() -> None:
    x = np.array([0.0, 0.5, 0.9])
    assert square(x) == pytest.approx([0.0, 0.25, 0.81])
    assert sine(x) == pytest.approx([0.0, 1.0, math.sin(0.9 * math.pi)])
    assert kink(x) == pytest.approx([0.3, 0.2, 0.6])


@pytest.mark.parametrize("name", ["square", "exp", "sine", "kink"])
def test_fine_points_give_the_integral(name: str) -> None:
    f, exact = INTEGRANDS[name]
    assert float(f((np.arange(20_000) + 0.5) / 20_000).mean()) == pytest.approx(exact, rel=1e-6)


def test_errors_by_hand() -> None:
    assert error("square", np.array([0.0, 1.0])) == pytest.approx(0.5 - 1 / 3)
    assert error("exp", np.array([0.0])) == pytest.approx(math.e - 2.0)


def test_the_rms_error_is_over_independent_sets() -> None:
    rng = np.random.default_rng(3)
    errors = [error("kink", stratified_points(4, rng)) for _ in range(6)]
    expected = math.sqrt(sum(e * e for e in errors) / 6)
    assert rms_error("stratified", "kink", 4, 6, np.random.default_rng(3)) == pytest.approx(expected, rel=1e-12)


def test_results_are_measured_on_the_configured_points(tmp_path: Path) -> None:
    results = run(CONFIG)
    rng = np.random.default_rng(4)
    assert results["random_rms"] == rms_error("random", "exp", 8, 12, rng)
    assert results["stratified_rms"] == rms_error("stratified", "exp", 8, 12, rng)
    expected = np.mean([star_discrepancy(random_points(8, rng)) for _ in range(12)])
    assert results["random_discrepancy"] == pytest.approx(expected, rel=1e-14)
    assert results["discrepancy_product"] == pytest.approx(1.0, rel=1e-14)
    config = tmp_path / "c.yaml"
    config.write_text(json.dumps(CONFIG), encoding="utf-8")
    assert main(["--config", str(config), "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8")) == results
