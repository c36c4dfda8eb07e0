"""Statistics over cells: ordering, trend, largest error, and the paper's own significance test."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .frame import MAIN, Document, Sample, Table, by_axis, frame, paired, table
from .outcome import FAILS, HOLDS, UNDECIDED, Outcome, all_of, in_region
from .rows import Floats
from .statistics import Undecided, half_widths, kendall_tau, t_estimate

_FEWEST_POINTS = 5
Side = Literal["two-sided", "greater", "less"]


def ordering(sample: Sample, rule: Document) -> Outcome:
    """Count the cells in which neighbours of the order differ beyond their interval."""
    tables = paired(frame(sample, rule), rule["methods"])
    cells, needed = len(tables[0].cells), rule["at_least"]
    if sample.case != MAIN:
        needed = math.ceil(needed * cells / rule["of"])
    elif cells != rule["of"]:
        raise Undecided("cells_missing", f"{cells} cells instead of {rule['of']}")
    sign = 1.0 if rule["better"] == "higher" else -1.0
    gaps = [sign * (one.values - two.values) for one, two in itertools.pairwise(tables)]
    right = np.logical_and.reduce([_beyond(sample, gap, rule["level"]) for gap in gaps])
    # Every cell and pair is a chance to look wrong by accident: the level for that is shared among them.
    strict = 1 - (1 - rule["level"]) / (cells * len(gaps))
    wrong = np.logical_or.reduce([_beyond(sample, -gap, strict) for gap in gaps])
    count, seeds = int(right.sum()), len(tables[0].seeds)
    state, reasons = UNDECIDED, ("cells_open",)
    if count >= needed:
        state, reasons = HOLDS, ()
    elif cells - int(wrong.sum()) < needed:
        state, reasons = FAILS, ()
    most = cells - int(wrong.sum())
    return Outcome(state, reasons, count, count, most, seeds, f"{count} of {cells} cells in order, at most {most}")


def _beyond(sample: Sample, gap: Floats, level: float) -> NDArray[np.bool_]:
    """True for cells whose mean gap lies above 0 by more than its interval."""
    mean = gap.mean(axis=0)
    if sample.deterministic:
        return mean > 0
    if len(gap) < 2:
        raise Undecided("no_interval", "one seed gives no interval")
    return mean > half_widths(gap, level)


def trend(sample: Sample, rule: Document) -> Outcome:
    """Kendall's tau of each seed along the axis; with several curves each must hold."""
    axis, curves = by_axis(frame(sample, rule).of(rule["method"]), rule["axis"])
    if len(axis) < _FEWEST_POINTS:
        raise Undecided("too_few_points", f"{len(axis)} points, a trend needs {_FEWEST_POINTS}")
    sign = 1.0 if rule["direction"] == "increasing" else -1.0
    outcomes: list[Outcome] = []
    for curve in curves:
        estimate = t_estimate(sign * kendall_tau(curve), rule["level"], deterministic=sample.deterministic)
        outcomes.append(in_region(estimate, rule["min_tau"] - 1e-12, None))
    return all_of(outcomes)


def max_error(sample: Sample, rule: Document) -> Outcome:
    """Largest error of the cells' means, with the interval that its noise allows."""
    whole = frame(sample, rule)
    if rule["reference"] is None:
        ours = table(whole.of(rule["method"]))
        gap, scale = ours.values - rule["value"], np.full(len(ours.cells), abs(float(rule["value"])))
    else:
        ours, theirs = paired(whole, [rule["method"], rule["reference"]])
        gap, scale = ours.values - theirs.values, np.abs(theirs.values.mean(axis=0))
    if not rule["relative"]:
        scale = np.ones(len(ours.cells))
    if not bool(np.all(scale > 0)):
        raise Undecided("baseline_near_zero", "no error is relative to 0")
    error = np.abs(gap.mean(axis=0)) / scale
    noise = _noise(sample, ours, gap) / scale
    top, bottom = float(np.max(error + noise)), float(np.max(error - noise))
    if not math.isfinite(top):
        raise Undecided("not_finite", "the error overflows")
    state, reasons = UNDECIDED, ("interval_astride",)
    if top <= rule["at_most"]:
        state, reasons = HOLDS, ()
    elif bottom > rule["at_most"]:
        state, reasons = FAILS, ()
    return Outcome(state, reasons, float(np.max(error)), max(bottom, 0.0), top, len(ours.cells))


def _noise(sample: Sample, ours: Table, gap: Floats) -> Floats:
    if sample.deterministic:
        return np.zeros(len(ours.cells))
    if len(gap) < 2:
        raise Undecided("no_interval", "one seed gives no interval")
    return half_widths(gap, 1 - 0.05 / len(ours.cells))


def significance(sample: Sample, rule: Document) -> Outcome:
    """The test that the paper names, on one value a seed."""
    whole = frame(sample, rule)
    named, side = rule["test"], rule["alternative"]
    if named in ("paired t", "wilcoxon"):
        ours, theirs = paired(whole, [rule["method"], rule["baseline"]])
    else:
        ours, theirs = table(whole.of(rule["method"])), table(whole.of(rule["baseline"]))
    one, two = ours.values.mean(axis=1), theirs.values.mean(axis=1)
    if min(len(one), len(two)) < _FEWEST_POINTS:
        raise Undecided("too_few_seeds", f"a test needs {_FEWEST_POINTS} seeds")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of methods that do not differ at all
        p = _p_value(named, one, two, side)
    if not math.isfinite(p):
        raise Undecided("not_finite", "the test gives no p value")
    return Outcome(HOLDS if p <= rule["p"] else FAILS, (), p, None, None, min(len(one), len(two)))


def _p_value(named: str, one: Floats, two: Floats, side: Side) -> float:
    from scipy import stats

    if named == "paired t":
        return float(stats.ttest_rel(one, two, alternative=side).pvalue)
    if named == "welch":
        return float(stats.ttest_ind(one, two, equal_var=False, alternative=side).pvalue)
    if named == "wilcoxon":
        return float(stats.wilcoxon(one, two, alternative=side).pvalue)
    return float(stats.mannwhitneyu(one, two, alternative=side).pvalue)
