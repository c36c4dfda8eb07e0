"""Statistics with an interval over seeds: mean, difference, ratio, slope and limit."""

from __future__ import annotations

import math

import numpy as np

from .frame import Document, Sample, by_axis, frame, paired, table
from .outcome import HOLDS, UNDECIDED, Outcome, all_of, in_region
from .rows import Floats
from .statistics import (
    Estimate,
    Undecided,
    bootstrap_estimate,
    fit_tail,
    half_widths,
    ratio_estimate,
    remaining_change,
    t_estimate,
)

_FEWEST_FOR_SUSPICION = 3
_HIDDEN = 4.0
"""The same for what the noise of a slope may hide: with 1, one in a hundred noisy curves of a true rate was refuted."""
_FURTHER = 10.0
"""A slope is not settled while ten times the move that was seen would decide otherwise."""


def mean(sample: Sample, rule: Document) -> Outcome:
    """Mean over seeds; several settings are averaged within a seed."""
    values = table(frame(sample, rule).of(rule["method"])).values.mean(axis=1)
    return in_region(_mean(sample, rule, values), rule["low"], rule["high"])


def difference(sample: Sample, rule: Document) -> Outcome:
    """Mean of method minus baseline, paired by seed and setting."""
    ours, theirs = paired(frame(sample, rule), [rule["method"], rule["baseline"]])
    values = (ours.values - theirs.values).mean(axis=1)
    return in_region(_mean(sample, rule, values), rule["low"], rule["high"], _effect(sample, rule))


def ratio(sample: Sample, rule: Document) -> Outcome:
    """Mean of the method over mean of the baseline, paired by seed."""
    ours, theirs = paired(frame(sample, rule), [rule["method"], rule["baseline"]])
    top, bottom = ours.values.mean(axis=1), theirs.values.mean(axis=1)
    if not bool(np.all(bottom != 0)):
        raise Undecided("baseline_near_zero", "the baseline is 0")
    if sample.deterministic:
        estimate = t_estimate(top / bottom, rule["level"], deterministic=True)
    else:
        _suspect(top / bottom)
        small = rule["interval"] == "t"
        estimate = (ratio_estimate if small else bootstrap_estimate)(top, bottom, rule["level"])
    return in_region(estimate, rule["low"], rule["high"], _effect(sample, rule))


def _effect(sample: Sample, rule: Document) -> float | None:
    """Size of the effect that the paper reports: a difference from 0, a ratio from 1; None where it reports neither."""
    if sample.target is None:
        return None
    value, unit = sample.target
    if rule["type"] == "ratio":
        return abs(value - 1.0) or None
    factor = 1.0 if unit == rule["unit"] else sample.conversions.get(rule["unit"], {}).get(unit, (0.0, 0.0))[0]
    return abs(value * factor) or None


def _mean(sample: Sample, rule: Document, values: Floats) -> Estimate:
    if not sample.deterministic:
        _suspect(values)
    if rule["interval"] == "bootstrap" and not sample.deterministic:
        return bootstrap_estimate(values, None, rule["level"])
    return t_estimate(values, rule["level"], deterministic=sample.deterministic)


def _suspect(values: Floats) -> None:
    """Seeds that give the same fraction to the last bit were not used."""
    same = len(values) >= _FEWEST_FOR_SUSPICION and float(np.ptp(values)) == 0
    if same and float(values[0]) != round(float(values[0])):
        raise Undecided("seeds_identical", "all seeds give the same value: the seed has no influence")


def slope(sample: Sample, rule: Document) -> Outcome:
    """Slope of the tail; with several curves each must hold."""
    axis, curves = by_axis(frame(sample, rule).of(rule["method"]), rule["axis"])
    return all_of([_slope(sample, rule, axis, curve) for curve in curves])


def _slope(sample: Sample, rule: Document, axis: Floats, curve: Floats) -> Outcome:
    slopes, error, drifts = fit_tail(axis, curve, rule["scale"])
    drift = float(drifts.mean())
    noise = 0.0 if sample.deterministic else float(half_widths(drifts, 0.95))
    if sample.deterministic:
        found = t_estimate(slopes, rule["level"], deterministic=True)
        estimate = Estimate(found.value, found.value - 2 * error, found.value + 2 * error, found.n)
    else:
        _suspect(slopes)
        estimate = t_estimate(slopes, rule["level"], deterministic=False)
    outcome = in_region(estimate, rule["low"], rule["high"])
    # A drift within its own noise has no direction; what the noise may hide must not decide otherwise.
    seen = abs(drift) > noise
    moves = (_FURTHER * drift,) if seen else (-_HIDDEN * noise, _HIDDEN * noise)
    if max(abs(drift), noise) <= rule["settle"] and not any(_may_turn(outcome, move, rule) for move in moves):
        return outcome
    code, size = (
        ("drift", f"{drift:.3g}") if seen else ("no_power", f"up to {noise:.3g}, for all that its noise shows,")
    )
    detail = f"the slope changes by {size} within the tail"
    return Outcome("undecided", (code,), estimate.value, estimate.low, estimate.high, estimate.n, detail)


def _may_turn(outcome: Outcome, move: float, rule: Document) -> bool:
    """True where a slope that is decided and moves on would decide otherwise."""
    if outcome.state == UNDECIDED or outcome.low is None or outcome.high is None:
        return False
    low = -math.inf if rule["low"] is None else rule["low"]
    high = math.inf if rule["high"] is None else rule["high"]
    if outcome.state == HOLDS:
        return outcome.low + move < low or outcome.high + move > high
    below = outcome.high < low
    return outcome.high + move >= low if below else outcome.low + move <= high


def limit(sample: Sample, rule: Document) -> Outcome:
    """Value at the end of an axis, once doubling the axis moves it no more."""
    axis, curves = by_axis(frame(sample, rule).of(rule["method"]), rule["axis"])
    return all_of([_limit(sample, rule, axis, curve) for curve in curves])


def _limit(sample: Sample, rule: Document, axis: Floats, curve: Floats) -> Outcome:
    last = len(axis) - 1
    half = _at_most(axis, axis[last] / 2)
    quarter = _at_most(axis, axis[half] / 2)
    estimate = t_estimate(curve[:, last], rule["level"], deterministic=sample.deterministic)
    second = curve[:, last] - curve[:, half]
    first = float((curve[:, half] - curve[:, quarter]).mean())
    step = float(second.mean())
    noise = 0.0 if sample.deterministic else float(half_widths(second, 0.95))
    # A step within its own noise has no direction, so nothing can be extrapolated from it.
    rest = remaining_change(first, step) if abs(step) > noise else 0.0
    outcome = in_region(estimate, rule["low"], rule["high"])
    if abs(step) <= rule["settle"] and abs(rest) <= rule["settle"] and noise <= rule["settle"]:
        return outcome
    code = "drift" if noise <= rule["settle"] else "no_power"
    detail = f"the last doubling of {rule['axis']} moved the value by {step:.3g}, more may follow"
    return Outcome("undecided", (code,), estimate.value, estimate.low, estimate.high, estimate.n, detail)


def _at_most(axis: Floats, end: float) -> int:
    found = int(np.searchsorted(axis, end * (1 + 1e-9), side="right")) - 1
    if found < 0 or axis[found] <= 0 or math.isclose(axis[found], axis[-1]):
        raise Undecided("horizon_short", "the axis holds no two doublings")
    return found
