"""Estimates with their intervals, fits and drift: arrays in, numbers out."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy import special, stats

from .rows import Floats

RESAMPLES = 2000
_BOOTSTRAP_SEED = 20_260_701
FEWEST_FOR_BOOTSTRAP = 8
"""A bootstrap interval of fewer seeds is far too narrow."""
_TAIL_POINTS = 4
_LONG_ENOUGH = 6
"""Points of an axis of which the last four are a tail: of fewer they are nearly everything."""
_LEAST_SPAN = 8.0
"""Axis end over axis start: three doublings are the least that can show a rate."""


@dataclass(frozen=True)
class Estimate:
    """A statistic with its interval and the number of independent values (seeds) behind it."""

    value: float
    low: float
    high: float
    n: int


class Undecided(Exception):
    """A statistic cannot be formed; `code` is the reason."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code
        self.detail = detail


def t_quantile(freedom: int, level: float) -> float:
    """Return how many standard errors Student's t interval of a level reaches to either side."""
    return float(np.float64(special.stdtrit(freedom, 0.5 + level / 2)))


def half_widths(values: Floats, level: float) -> Floats:
    """Return the half-widths of t intervals of the mean, over axis 0 (seeds)."""
    n = len(values)
    if n < 2:
        return np.full(values.shape[1:], np.inf)
    spread = np.std(values, axis=0, ddof=1)
    return np.asarray(t_quantile(n - 1, level) * spread / math.sqrt(n), dtype=np.float64)


def t_estimate(values: Floats, level: float, *, deterministic: bool) -> Estimate:
    """Return the mean of one value a seed with its t interval; without chance the interval is the value itself.

    Raises: Undecided where one seed is all there is, or seeds that should agree do not.
    """
    mean = float(np.mean(values))
    if deterministic:
        if float(np.ptp(values)) > 1e-9 * max(abs(mean), 1e-300):
            raise Undecided("not_deterministic", "seeds of a deterministic claim differ")
        return Estimate(mean, mean, mean, len(values))
    if len(values) < 2:
        raise Undecided("no_interval", "one seed gives no interval")
    half = float(half_widths(values, level))
    return Estimate(mean, mean - half, mean + half, len(values))


def ratio_estimate(top: Floats, bottom: Floats, level: float) -> Estimate:
    """Return the ratio of two means, paired by seed, with a t interval by the delta method."""
    mean = float(np.mean(bottom))
    half = float(half_widths(bottom, level)) if len(bottom) > 1 else math.inf
    if abs(mean) <= half:
        raise Undecided("baseline_near_zero", "the interval of the baseline's mean holds 0: no ratio")
    ratio = float(np.mean(top)) / mean
    residual = t_estimate((top - ratio * bottom) / mean, level, deterministic=False)
    return Estimate(ratio, ratio + residual.low, ratio + residual.high, len(top))


def bootstrap_estimate(top: Floats, bottom: Floats | None, level: float) -> Estimate:
    """Return a mean, or the ratio of two means paired by seed, with its bias-corrected accelerated bootstrap interval.

    Raises: Undecided with fewer than eight seeds.
    """
    n = len(top)
    if n < FEWEST_FOR_BOOTSTRAP:
        raise Undecided("too_few_seeds", f"a bootstrap interval needs {FEWEST_FOR_BOOTSTRAP} seeds, there are {n}")

    def statistic(*samples: Floats, axis: int = -1) -> Floats:
        means = [np.mean(each, axis=axis) for each in samples]
        return means[0] if len(means) == 1 else means[0] / means[1]

    samples = (top,) if bottom is None else (top, bottom)
    value = float(statistic(*samples))
    if all(float(np.ptp(each)) == 0 for each in samples):
        return Estimate(value, value, value, n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = stats.bootstrap(
            samples,
            statistic,
            paired=True,
            vectorized=True,
            n_resamples=RESAMPLES,
            batch=RESAMPLES,
            confidence_level=level,
            method="BCa",
            rng=np.random.default_rng(_BOOTSTRAP_SEED),
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise Undecided("no_interval", "the bootstrap gives no finite interval")
    return Estimate(value, low, high, n)


def fit_tail(axis: Floats, values: Floats, scale: str) -> tuple[Floats, float, Floats]:
    """Fit slopes to the tail of curves: the upper half of the axis, in its logarithm unless `scale` is linear.

    Where the upper half of an axis of six points or more has less than four, the last four are the tail.

    Args:
        axis: increasing, shape (points,).
        values: shape (seeds, points).
        scale: `loglog`, `semilog` or `linear`.

    Returns: slope of each seed, shape (seeds,); the standard error of the mean curve's slope by its residuals; and by
        how much the slopes of the tail's two halves differ, the drift of each seed, shape (seeds,).
    Raises: Undecided where the axis is too short or a logarithm does not exist.
    """
    x = axis if scale == "linear" else _logarithm(axis)
    y = _logarithm(values) if scale == "loglog" else values
    if axis[-1] < _LEAST_SPAN * axis[0]:
        raise Undecided("horizon_short", f"the axis spans {axis[0]:g} to {axis[-1]:g}, less than three doublings")
    tail = int(np.count_nonzero(x < (x[0] + x[-1]) / 2))
    if len(x) >= _LONG_ENOUGH:
        tail = min(tail, len(x) - _TAIL_POINTS)
    x, y = x[tail:], y[:, tail:]
    if len(x) < _TAIL_POINTS:
        raise Undecided("too_few_points", f"{len(x)} points in the tail, {_TAIL_POINTS} are needed")
    slopes = _slopes(x, y)
    line = stats.linregress(x, y.mean(axis=0))
    middle = len(x) // 2
    drifts = _slopes(x[middle:], y[:, middle:]) - _slopes(x[: middle + 1], y[:, : middle + 1])
    return slopes, float(line.stderr), drifts


def _logarithm(values: Floats) -> Floats:
    if not bool(np.all(values > 0)):
        raise Undecided("not_positive", "a logarithm needs values above 0")
    return np.log(values)


def _slopes(x: Floats, y: Floats) -> Floats:
    centred = x - x.mean()
    return y @ centred / float(centred @ centred)


def remaining_change(first: float, second: float) -> float:
    """Return how much a sequence may still change after two successive steps, if the steps go on shrinking alike.

    Steps that do not shrink never end: infinite. (Aitken's extrapolation of a geometric tail.)
    """
    if second == 0:
        return 0.0
    shrink = second / first if first else math.inf
    if shrink >= 0.95:
        return math.copysign(math.inf, second)
    return second * max(shrink, 0.0) / (1 - max(shrink, 0.0))


def kendall_tau(values: Floats) -> Floats:
    """Return Kendall's tau (a) of each row of `values` against its order, shape (seeds,); pairs that tie count as 0."""
    points = values.shape[1]
    pairs = points * (points - 1) / 2
    order: Floats = np.arange(points, dtype=np.float64)
    found = np.zeros(len(values))
    for number in range(len(values)):
        row: Floats = values[number]
        counts = np.unique(row, return_counts=True)[1]
        untied = pairs - float((counts * (counts - 1) / 2).sum())
        if untied:
            # scipy's tau (b) divides by the pairs without ties.
            tau = cast("float", stats.kendalltau(order, row).statistic)
            found[number] = tau * math.sqrt(untied / pairs)
    return found
