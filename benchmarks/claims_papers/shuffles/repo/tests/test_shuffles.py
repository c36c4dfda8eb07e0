"""Shuffles on chosen draws, and statistics by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from shuffling.experiment import main, means, run
from shuffling.shuffles import fisher_yates, fixed_points, forward, half, longest_increasing, records, sattolo

CONFIG = {"profile": "test", "scale": "test", "seed": 3, "large": 12, "small": 6, "repetitions": 20}


class Draws:
    """Hands out the smallest number of each range, and keeps the ranges."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def integers(self, low: int, high: int) -> int:
        self.ranges.append((low, high))
        return low


@pytest.mark.parametrize(
    ("shuffle", "ranges", "made"),
    [
        (fisher_yates, [(0, 5), (0, 4), (0, 3), (0, 2)], [1, 2, 3, 4, 0]),
        (sattolo, [(0, 4), (0, 3), (0, 2), (0, 1)], [1, 2, 3, 4, 0]),
        (half, [(0, 5), (0, 4)], [3, 1, 2, 4, 0]),
        (forward, [(0, 5), (1, 5), (2, 5), (3, 5)], [0, 1, 2, 3, 4]),
    ],
)
def test_each_shuffle_draws_from_its_ranges_and_swaps(shuffle, ranges, made) -> None:
    draws = Draws()
    assert shuffle(5, draws).tolist() == made
    assert draws.ranges == ranges


def test_fisher_yates_reaches_every_permutation_equally_often() -> None:
    rng = np.random.default_rng(1)
    for shuffle in (fisher_yates, forward):
        counts: dict[tuple[int, ...], int] = {}
        for _ in range(6000):
            key = tuple(shuffle(3, rng).tolist())
            counts[key] = counts.get(key, 0) + 1
        assert len(counts) == 6 and max(abs(count - 1000) for count in counts.values()) < 150


def test_statistics_by_hand() -> None:
    p = np.array([0, 2, 1, 3, 5, 4])
    assert fixed_points(p) == 2
    assert records(p) == 4
    assert longest_increasing(p) == 4
    assert longest_increasing(np.array([3, 0, 4, 1, 2])) == 3
    assert records(np.array([4, 3, 2])) == 1 and fixed_points(np.array([1, 0])) == 0


def test_means_are_those_of_the_drawn_permutations() -> None:
    rng = np.random.default_rng(5)
    drawn = [half(6, rng) for _ in range(9)]
    found = means("half", 6, 9, np.random.default_rng(5))
    assert found["records"] == pytest.approx(sum(records(p) for p in drawn) / 9, rel=1e-14)
    assert found["fixed_points"] == pytest.approx(sum(fixed_points(p) for p in drawn) / 9, rel=1e-14)
    assert found["fixed_points_squared"] == pytest.approx(sum(fixed_points(p) ** 2 for p in drawn) / 9, rel=1e-14)
    assert found["longest_increasing"] == pytest.approx(sum(longest_increasing(p) for p in drawn) / 9, rel=1e-14)


def test_results_are_the_means_of_the_configured_shuffles(tmp_path: Path) -> None:
    results = run(CONFIG)
    rng = np.random.default_rng(3)
    large = means("fisher_yates", 12, 20, rng)
    small = {name: means(name, 6, 20, rng) for name in ("fisher_yates", "sattolo", "half", "forward")}
    assert results["records"] == large["records"]
    assert results["sattolo_gap"] == pytest.approx(small["fisher_yates"]["fixed_points"], rel=1e-14)
    assert small["sattolo"]["fixed_points"] == 0.0
    assert results["length"] == small["fisher_yates"]["longest_increasing"]
    config = tmp_path / "c.yaml"
    config.write_text(json.dumps(CONFIG), encoding="utf-8")
    assert main(["--config", str(config), "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8")) == results
