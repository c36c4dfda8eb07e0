"""Both sequences against values worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tables.experiment import main, run
from tables.sequences import moebius, peak, sign_sums, stopping_time, trajectory

CONFIG = {"profile": "test", "scale": "test", "starts": 7, "last": 13}


def test_trajectories_by_hand() -> None:
    assert trajectory(6) == [6, 3, 10, 5, 16, 8, 4, 2, 1]
    assert trajectory(1) == [1]
    with pytest.raises(ValueError, match="1 or more"):
        trajectory(0)


def test_stopping_times_and_peaks_by_hand() -> None:
    assert [stopping_time(n) for n in range(1, 8)] == [0, 1, 7, 2, 5, 8, 16]
    assert [peak(n) for n in range(1, 8)] == [1, 2, 16, 4, 16, 16, 52]
    assert stopping_time(27) == 111 and peak(27) == 9232


def test_moebius_by_hand() -> None:
    expected = [1, -1, -1, 0, -1, 1, -1, 0, 0, 1, -1, 0, -1, 1, 1, 0, -1, 0, -1, 0, 1, 1, -1, 0, 0, 1, 0, 0, -1, -1]
    assert moebius(30).tolist() == expected


def test_moebius_sums_over_divisors_to_nothing() -> None:
    mu = moebius(60)
    for n in range(1, 61):
        assert sum(int(mu[d - 1]) for d in range(1, n + 1) if n % d == 0) == (1 if n == 1 else 0)


def test_sign_sums_add_up() -> None:
    assert sign_sums(10).tolist() == [1, 0, -1, -1, -2, -1, -2, -2, -2, -1]
    assert np.diff(sign_sums(40)).tolist() == moebius(40)[1:].tolist()


def test_results_are_those_of_the_sequences(tmp_path: Path) -> None:
    results = run(CONFIG)
    assert results["mean_stopping_time"] == pytest.approx((0 + 1 + 7 + 2 + 5 + 8 + 16) / 7, rel=1e-14)
    assert results["largest_peak"] == 52
    assert results["smallest_sum"] == -3
    config = tmp_path / "c.yaml"
    config.write_text(json.dumps(CONFIG), encoding="utf-8")
    assert main(["--config", str(config), "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8")) == results
