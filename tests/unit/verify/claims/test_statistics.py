"""Each typed statistic: where it holds, fails and stays undecided."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from agentsys.verify.claims.standalone.statistics import (
    bootstrap_estimate,
    kendall_tau,
    ratio_estimate,
    t_estimate,
)
from benchmarks.claims_rules import KINDS
from unit.verify.claims.judging import Line, outcome

MEAN: dict[str, Any] = {"type": "mean", "method": "a"}
NORMAL = np.random.default_rng(3).normal(10.0, 1.0, 20)


def seeds(values: Any, method: str = "a", setting: str = "") -> list[Line]:
    return [(seed, setting, method, float(value)) for seed, value in enumerate(values)]


def along(of: Any, last: int = 512, method: str = "a", seed: int = 0) -> list[Line]:
    return [(seed, f"n={2**k}", method, float(of(2**k))) for k in range(1, round(math.log2(last)) + 1)]


def test_the_t_interval_is_scipys() -> None:
    found = t_estimate(NORMAL, 0.95, deterministic=False)
    low, high = stats.ttest_1samp(NORMAL, 0).confidence_interval(0.95)
    assert (found.low, found.high, found.n) == pytest.approx((low, high, 20))


@pytest.mark.parametrize("kind", ["t", "bootstrap"])
def test_intervals_of_a_ratio_cover_the_truth_as_often_as_they_say(kind: str) -> None:
    chance = np.random.default_rng(5)
    hits, repeats = 0, 200
    for _ in range(repeats):
        bottom = chance.normal(4.0, 0.5, 15)
        top = 1.5 * bottom + chance.normal(0.0, 0.4, 15)
        found = (ratio_estimate if kind == "t" else bootstrap_estimate)(top, bottom, 0.95)
        hits += found.low <= 1.5 <= found.high
    assert 0.88 <= hits / repeats <= 0.99


def test_pairing_by_seed_takes_the_seeds_own_noise_out(tmp_path: Path) -> None:
    base = np.random.default_rng(1).normal(0.0, 50.0, 8)
    lines = seeds(base, "b") + seeds(base + np.linspace(0.9, 1.1, 8), "a")
    rule = {"type": "difference", "method": "a", "baseline": "b", "low": 0.5}
    assert outcome(tmp_path, rule, lines).state == "holds"
    rule = {"type": "difference", "method": "a", "baseline": "b", "high": 0.5}
    assert outcome(tmp_path, rule, lines).state == "fails"


@pytest.mark.parametrize(
    ("low", "high", "state", "reasons"),
    [
        (9.0, 11.0, "holds", ()),
        (20.0, None, "fails", ()),
        (None, 5.0, "fails", ()),
        (10.0, 11.0, "undecided", ("interval_astride",)),
    ],
)
def test_a_region_is_decided_by_the_whole_interval(
    tmp_path: Path, low: float | None, high: float | None, state: str, reasons: tuple[str, ...]
) -> None:
    found = outcome(tmp_path, {**MEAN, "low": low, "high": high}, seeds(NORMAL))
    assert (found.state, found.reasons, found.n) == (state, reasons, 20)


@pytest.mark.parametrize(
    ("rule", "lines", "code"),
    [
        (MEAN, seeds([1.5]), "no_interval"),
        ({**MEAN, "interval": "bootstrap"}, seeds([1.0, 2.0, 3.0]), "too_few_seeds"),
        (MEAN, seeds([1.0, math.nan, 3.0]), "not_finite"),
        (MEAN, [*seeds([1.0, 2.0]), (1, "", "a", 5.0)], "duplicate_rows"),
        (MEAN, [*seeds([1.0, 2.0], setting="n=1"), (0, "n=2", "a", 5.0)], "cells_missing"),
        (MEAN, seeds([1.0, 2.0], "other"), "no_rows"),
        ({"type": "difference", "method": "a", "baseline": "b"}, seeds([1, 2, 3]) + seeds([1, 2], "b"), "unpaired"),
        (
            {"type": "ratio", "method": "a", "baseline": "b"},
            seeds([1, 2]) + seeds([-1, 1.1], "b"),
            "baseline_near_zero",
        ),
    ],
)
def test_rows_that_carry_no_statistic_leave_it_undecided(
    tmp_path: Path, rule: dict[str, Any], lines: list[Line], code: str
) -> None:
    found = outcome(tmp_path, {**rule, "low": 0.0}, lines)
    assert (found.state, found.reasons) == ("undecided", (code,))


def test_ordering_counts_cells_and_asks_for_the_papers_number_of_them(tmp_path: Path) -> None:
    rule = {"type": "ordering", "methods": ["a", "b"], "better": "higher", "at_least": 2, "of": 3}
    gaps = {1: 1.0, 2: 1.0, 3: -1.0}
    lines: list[Line] = [
        (seed, f"n={n}", method, 5 + (method == "a") * (gap + 0.1 * seed))
        for n, gap in gaps.items()
        for seed in range(4)
        for method in "ab"
    ]
    assert outcome(tmp_path, rule, lines).state == "holds"
    assert outcome(tmp_path, {**rule, "at_least": 3}, lines).state == "fails"
    assert outcome(tmp_path, {**rule, "of": 4}, lines).reasons == ("cells_missing",)


def test_many_cells_of_equal_methods_do_not_fail_an_ordering_by_chance(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    lines: list[Line] = [
        (seed, f"n={n}", method, float(chance.normal())) for n in range(60) for seed in range(10) for method in "ab"
    ]
    rule = {"type": "ordering", "methods": ["a", "b"], "better": "higher", "at_least": 60, "of": 60}
    assert outcome(tmp_path, rule, lines).reasons == ("cells_open",)


def test_kendalls_tau_counts_ties_as_nothing() -> None:
    table = np.array([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 2.0, 2.0]])
    assert kendall_tau(table) == pytest.approx([1.0, -1.0, 0.0, 4 / 6])


def test_a_trend_with_a_dip_is_not_monotone_throughout(tmp_path: Path) -> None:
    rule = {"type": "trend", "method": "a", "axis": "n", "direction": "increasing", "min_tau": 1.0}
    assert outcome(tmp_path, rule, along(math.log), sure=True).state == "holds"
    assert outcome(tmp_path, rule, along(lambda n: 0 if n == 64 else n), sure=True).state == "fails"
    assert outcome(tmp_path, rule, along(math.log, last=16), sure=True).reasons == ("too_few_points",)


def test_the_largest_error_over_a_grid_is_what_counts(tmp_path: Path) -> None:
    rule = {"type": "max_error", "method": "a", "value": 1.0, "at_most": 0.1}
    lines: list[Line] = [(0, f"n={n}", "a", 1.0 + (0.2 if n == 7 else 0.0)) for n in range(10)]
    assert outcome(tmp_path, rule, lines, sure=True).state == "fails"
    assert outcome(tmp_path, rule, lines[:7], sure=True).state == "holds"


def test_a_significance_test_is_the_named_one_of_scipy(tmp_path: Path) -> None:
    one, two = NORMAL[:10], NORMAL[10:]
    rule = {
        "type": "test", "test": "mann-whitney", "method": "a", "baseline": "b", "alternative": "two-sided", "p": 0.05,
        "quote": "by a Mann-Whitney U test",
    }  # fmt: skip
    found = outcome(tmp_path, rule, seeds(one) + seeds(two, "b"))
    assert found.value == pytest.approx(stats.mannwhitneyu(one, two).pvalue)


def test_all_of_holds_only_where_each_part_does(tmp_path: Path) -> None:
    good, bad, open_ = {**MEAN, "low": 5.0}, {**MEAN, "low": 50.0}, {**MEAN, "low": 10.0}
    for rules, state in (
        ([good, good], "holds"),
        ([good, bad], "fails"),
        ([open_, bad], "fails"),
        ([good, open_], "undecided"),
    ):
        whole = {"type": "all_of", "rules": [{"quantity": "v", **each} for each in rules]}
        sample = outcome(tmp_path, whole, seeds(NORMAL))
        assert sample.state == state


def test_the_failure_of_an_undecided_rule_is_undecided(tmp_path: Path) -> None:
    inner = {"quantity": "v", **MEAN, "low": 10.0}
    assert outcome(tmp_path, {"type": "fails", "rule": inner}, seeds(NORMAL)).state == "undecided"
    assert outcome(tmp_path, {"type": "fails", "rule": {**inner, "low": 50.0}}, seeds(NORMAL)).state == "holds"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind['type']}-{kind.get('interval', 't')}")
@pytest.mark.parametrize("sure", [False, True])
def test_no_rule_breaks_or_decides_on_values_that_overflow(tmp_path: Path, kind: dict[str, Any], sure: bool) -> None:
    odd = ["0", "-0.0", "1e-320", "1e308", "-1e308", "5", "1/3", "9" * 400]
    chance = np.random.default_rng(1)
    for _ in range(20):
        chosen = chance.choice(odd, size=(10, 8, 2))
        lines: list[Line] = [
            (seed, f"n={2**k}", method, str(chosen[seed, k, number]))
            for seed in range(10)
            for k in range(8)
            for number, method in enumerate("ab")
        ]
        found = outcome(tmp_path, {**kind, "quantity": "v"}, lines, sure=sure)
        assert found.state in ("holds", "fails", "undecided")
        if kind["type"] in ("mean", "difference", "ratio", "slope", "limit"):
            assert found.state == "undecided" or math.isfinite(found.low or 0.0)
