"""Steps, losses and counts by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from quadratic.descent import CURVATURES, averaged_loss, evaluations, final_loss, iterates, loss, noise
from quadratic.experiment import main, run

CONFIG = {
    "profile": "test",
    "scale": "test",
    "seed": 2,
    "seeds": 3,
    "steps": 40,
    "eta": 0.4,
    "beta": 0.8,
    "sigma": 0.02,
    "level": 0.5,
}


def test_the_curvatures_are_spaced_in_the_logarithm() -> None:
    assert CURVATURES[0] == pytest.approx(0.01) and CURVATURES[-1] == pytest.approx(1.0) and len(CURVATURES) == 50
    assert np.diff(np.log10(CURVATURES)) == pytest.approx(np.full(49, 2 / 49))


def test_the_loss_by_hand() -> None:
    x = np.zeros(50)
    x[0], x[49] = 2.0, 3.0
    assert loss(x) == pytest.approx(0.5 * (0.01 * 4.0 + 1.0 * 9.0), rel=1e-14)


def test_without_noise_plain_descent_shrinks_each_coordinate_by_its_factor() -> None:
    path = iterates(3, 0.4, 0.0, 0.0, np.random.default_rng(0))
    assert path[2] == pytest.approx((1.0 - 0.4 * CURVATURES) ** 3, rel=1e-12)


def test_two_steps_of_heavy_ball_by_hand() -> None:
    path = iterates(2, 0.4, 0.8, 0.0, np.random.default_rng(0))
    first = 1.0 - 0.4 * CURVATURES
    assert path[0] == pytest.approx(first, rel=1e-12)
    assert path[1] == pytest.approx(first + 0.8 * (first - 1.0) - 0.4 * CURVATURES * first, rel=1e-12)


def test_the_noise_enters_the_gradient() -> None:
    path = iterates(2, 0.4, 0.0, 0.02, np.random.default_rng(7))
    drawn = np.random.default_rng(7)
    one, two = drawn.standard_normal(50), drawn.standard_normal(50)
    first = 1.0 - 0.4 * (CURVATURES + 0.02 * one)
    assert path[0] == pytest.approx(first, rel=1e-12)
    assert path[1] == pytest.approx(first - 0.4 * (CURVATURES * first + 0.02 * two), rel=1e-12)


def test_both_laws_have_variance_one() -> None:
    for law in ("normal", "laplace"):
        rng = np.random.default_rng(1)
        drawn = np.concatenate([noise(law, rng) for _ in range(4000)])
        assert drawn.mean() == pytest.approx(0.0, abs=0.01) and drawn.var() == pytest.approx(1.0, rel=0.02)
    kurtosis = float(np.mean(drawn**4) / np.mean(drawn**2) ** 2)
    assert kurtosis == pytest.approx(6.0, rel=0.1)
    with pytest.raises(ValueError, match="no law"):
        noise("cauchy", np.random.default_rng(1))


def test_final_averaged_and_counted_by_hand() -> None:
    path = np.zeros((4, 50))
    path[:, 49] = [4.0, 3.0, 2.0, 1.0]
    assert final_loss(path) == pytest.approx(0.5)
    assert averaged_loss(path) == pytest.approx(0.5 * 1.5**2)
    assert evaluations(path, 4.5) == 2 and evaluations(path, 4.4) == 3
    with pytest.raises(ValueError, match="no step"):
        evaluations(path, 0.4)


def test_results_are_means_over_the_seeds(tmp_path: Path) -> None:
    results = run(CONFIG)
    rngs = [np.random.default_rng(2 + k) for k in range(3)]
    plain = [iterates(40, 0.4, 0.0, 0.02, rng) for rng in rngs]
    heavy = [iterates(40, 0.4, 0.8, 0.02, rng) for rng in rngs]
    assert results["heavy_final"] == pytest.approx(sum(map(final_loss, heavy)) / 3, rel=1e-12)
    assert results["heavy_averaged"] == pytest.approx(sum(map(averaged_loss, heavy)) / 3, rel=1e-12)
    assert results["plain_evaluations"] == pytest.approx(sum(evaluations(path, 0.5) for path in plain) / 3, rel=1e-12)
    assert results["plain_exact"] == pytest.approx(loss((1.0 - 0.4 * CURVATURES) ** 40), rel=1e-9)
    config = tmp_path / "c.yaml"
    config.write_text(json.dumps(CONFIG), encoding="utf-8")
    assert main(["--config", str(config), "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8")) == results
