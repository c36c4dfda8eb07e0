"""Repetitions and the table."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from variates.estimators import antithetic, plain
from variates.experiment import main, repeat, run

CONFIG = {"profile": "test", "scale": "test", "seed": 5, "evaluations": 16, "repetitions": 200}


def test_repeat_takes_fresh_numbers_each_time() -> None:
    estimates = repeat("plain", 4, 3, np.random.default_rng(1))
    numbers = np.random.default_rng(1).random(12)
    assert estimates == pytest.approx([plain(numbers[4 * i : 4 * i + 4]) for i in range(3)])


def test_an_antithetic_pair_costs_two_evaluations() -> None:
    estimates = repeat("antithetic", 6, 1, np.random.default_rng(1))
    assert estimates == pytest.approx([antithetic(np.random.default_rng(1).random(3))])
    with pytest.raises(ValueError, match="groups of 2"):
        repeat("antithetic", 5, 1, np.random.default_rng(1))


def test_the_table_is_computed_from_the_estimates() -> None:
    results = run(CONFIG)
    streams = np.random.SeedSequence(5).spawn(3)
    for name, stream in zip(("plain", "antithetic", "control"), streams, strict=True):
        estimates = repeat(name, 16, 200, np.random.default_rng(stream))
        assert results[f"{name}_mean"] == pytest.approx(np.mean(estimates), rel=1e-12)
        assert results[f"{name}_spread"] == pytest.approx(np.std(estimates, ddof=1), rel=1e-12)
    ratio = results["plain_spread"] / results["control_spread"]
    assert results["control_reduction"] == pytest.approx(ratio**2, rel=1e-12)


def test_the_reductions_are_those_of_the_theory() -> None:
    results = run({**CONFIG, "repetitions": 4000, "evaluations": 64})
    one, product = (math.e**2 - 1) / 2 - (math.e - 1) ** 2, math.e - (math.e - 1) ** 2
    assert results["plain_spread"] == pytest.approx(math.sqrt(one / 64), rel=0.06)
    assert results["antithetic_reduction"] == pytest.approx(one / (one + product), rel=0.12)


def test_another_seed_gives_other_numbers_and_the_same_seed_the_same(tmp_path: Path) -> None:
    assert run(CONFIG) == run(CONFIG)
    assert run(CONFIG)["plain_mean"] != run({**CONFIG, "seed": 6})["plain_mean"]
    config = tmp_path / "c.yaml"
    config.write_text(json.dumps(CONFIG), encoding="utf-8")
    assert main(["--config", str(config), "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8")) == run(CONFIG)
