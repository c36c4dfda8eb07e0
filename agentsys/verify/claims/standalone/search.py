"""Statements about every instance: searches for a counterexample or a witness, and equality in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import log

import numpy as np
from numpy.typing import NDArray

from .frame import Document, Frame, Sample, axis_value, frame
from .outcome import FAILS, HOLDS, UNDECIDED, Outcome
from .rows import Floats, Ints, distinct
from .statistics import Undecided, remaining_change

_STRICT = ("below", "above")
_DIED = 0.1
"""Share of itself to which a margin has to fall to count as dying away: what runs out falls visibly faster by then."""
_CONSTANT = 1.05
"""How much faster than before a margin may fall to count as falling at a constant rate."""
_ROUNDING = 1e-9
"""A float that misses a bound by less than this share of it says nothing."""


def no_counterexample(sample: Sample, rule: Document) -> Outcome:
    """Every instance keeps the bound; along an axis the margin must not go on shrinking towards it."""
    found = frame(sample, rule).of(rule["method"])
    _unique(found)
    margin = _margin(found.value, rule)
    worst = int(np.argmin(margin))
    value, n, least = float(found.value[worst]), len(margin), float(margin[worst])
    slack = float(_slack(found, rule)[worst])
    strict = rule["relation"] in _STRICT
    if least < -slack or (strict and not slack and least == 0):
        return Outcome(FAILS, (), value, None, None, n, f"broken at {_place(found, worst)}")
    if slack and (least < 0 or (strict and least <= slack)):
        return Outcome(UNDECIDED, ("rounding",), value, None, None, n, f"compute {_place(found, worst)} exactly")
    if n < rule["tried"]:
        return Outcome(UNDECIDED, ("search_short",), value, None, None, n, f"{n} instances, {rule['tried']} are asked")
    if float(margin.max()) <= _ROUNDING * max(1.0, abs(rule["bound"])):
        return Outcome(UNDECIDED, ("on_the_bound",), value, None, None, n, "no instance lies off the bound")
    if rule["axis"] and (detail := _shrinking(found, margin, rule["axis"])):
        return Outcome(UNDECIDED, ("drift",), value, None, None, n, detail)
    return Outcome(HOLDS, (), value, None, None, n)


def witness(sample: Sample, rule: Document) -> Outcome:
    """Some instance keeps the relation, confirmed in exact arithmetic."""
    whole = frame(sample, rule)
    found = whole.of(rule["method"])
    _unique(found)
    margin, slack, n = _margin(found.value, rule), _slack(found, rule), len(found.index)
    near = (margin >= -slack) & ((margin != 0) | (slack > 0) | (rule["relation"] not in _STRICT))
    there = np.flatnonzero(near)
    confirmed = _confirming(whole, rule["confirmed_by"]) if len(there) else {}
    bound = Fraction(str(rule["bound"]))
    for place in there:
        key = (int(found.seed[place]), int(found.setting[place]))
        if key in confirmed and _keeps(confirmed[key], rule["relation"], bound):
            detail = f"confirmed at {_place(found, int(place))}"
            return Outcome(HOLDS, (), float(found.value[place]), None, None, n, detail)
    best = float(found.value[int(np.argmax(margin))])
    if len(there):
        return Outcome(UNDECIDED, ("unconfirmed",), best, None, None, n, "found in floats, not confirmed exactly")
    if n < rule["tried"]:
        return Outcome(UNDECIDED, ("search_short",), best, None, None, n, f"{n} instances, {rule['tried']} are asked")
    return Outcome(FAILS, (), best, None, None, n)


def exact(sample: Sample, rule: Document) -> Outcome:
    """Both methods give the same exact value in every seed and setting."""
    whole = frame(sample, rule)
    rows = sample.rows
    ours, theirs = (_exact_rows(whole, rule[key]) for key in ("method", "reference"))
    same_cells = len(ours) == len(theirs) and all(
        np.array_equal(column[ours], column[theirs]) for column in (rows.seed, rows.setting)
    )
    if not same_cells:
        raise Undecided("unpaired", "methods have values on different seeds or settings")
    differ = rows.value[ours] != rows.value[theirs]
    if rows.texts:  # floats of these are rounded
        for place in np.flatnonzero(np.isin(ours, list(rows.texts)) | np.isin(theirs, list(rows.texts))):
            differ[place] = rows.fraction(int(ours[place])) != rows.fraction(int(theirs[place]))
    wrong = int(differ.sum())
    return Outcome(FAILS if wrong else HOLDS, (), wrong, None, None, len(ours), f"{wrong} of {len(ours)} differ")


def _exact_rows(whole: Frame, method: str) -> Ints:
    """Numbers of a method's rows by seed and setting, all of them exact and in the rule's own unit."""
    part, rows = whole.of(method), whole.sample.rows
    _unique(part)
    if bool(np.any(part.value != rows.value[part.index])):
        raise Undecided("units_differ", "exact values must be written in the rule's unit: a conversion would round")
    if not bool(rows.exact[part.index].all()):
        raise Undecided("not_exact", f"a value of {method} is a rounded number")
    return part.index[np.lexsort((part.setting, part.seed))]


def _confirming(whole: Frame, method: str) -> dict[tuple[int, int], Fraction]:
    """Exact values by seed and setting; none where the method has no rows."""
    try:
        index = _exact_rows(whole, method)
    except Undecided as error:
        if error.code == "no_rows":
            return {}
        raise
    rows = whole.sample.rows
    return {(int(rows.seed[row]), int(rows.setting[row])): rows.fraction(int(row)) for row in index}


def _keeps(value: Fraction, relation: str, bound: Fraction) -> bool:
    return {"at_most": value <= bound, "at_least": value >= bound, "below": value < bound, "above": value > bound}[
        relation
    ]


def _margin(values: Floats, rule: Document) -> Floats:
    """How far values lie on the right side of the bound. Raises: Undecided where one is not a number."""
    if bool(np.isnan(values).any()):
        raise Undecided("not_finite", "a value is not a number")
    return rule["bound"] - values if rule["relation"] in ("at_most", "below") else values - rule["bound"]


def _slack(part: Frame, rule: Document) -> Floats:
    """What rounding may make of each value: nothing where it is exact."""
    exact = part.sample.rows.exact[part.index]
    return np.where(exact, 0.0, _ROUNDING * max(1.0, abs(rule["bound"])))


def _unique(part: Frame) -> None:
    seed = distinct(part.seed)[1]
    cells, setting = distinct(part.setting)
    if len(distinct(seed * len(cells) + setting)[0]) < len(part.index):
        raise Undecided("duplicate_rows", "a seed and setting stand there twice")


def _place(part: Frame, number: int) -> str:
    rows, row = part.sample.rows, int(part.index[number])
    words = ";".join(f"{key}={value}" for key, value in sorted(rows.settings[int(rows.setting[row])].items()))
    return f"seed {int(rows.seed[row])}, {words or 'no setting'}"


def _shrinking(part: Frame, margin: Floats, axis: str) -> str:
    """Say how the margin goes on shrinking along an axis, if it may run out; compares the last three doublings."""
    settings = part.sample.rows.settings
    used, inverse = distinct(part.setting)
    x = np.array([axis_value(settings[int(number)], axis) for number in used])[inverse]
    end = float(x.max())
    places = [_least(margin, (x > end / 2 ** (step + 1)) & (x <= end / 2**step)) for step in (2, 1, 0)]
    least = [float(margin[place]) for place in places]
    if _dies_away([float(x[place]) for place in places], least):
        return ""
    first, second = least[1] - least[0], least[2] - least[1]
    if second >= -1e-12 * max(1.0, abs(least[2])):
        return ""
    rest = remaining_change(first, second)
    if least[2] + rest >= -0.1 * abs(least[0]):
        return ""
    return f"the margin shrank from {least[1]:.3g} to {least[2]:.3g} when {axis} doubled, and goes on shrinking"


def _least(margin: Floats, chosen: NDArray[np.bool_]) -> int:
    if not bool(chosen.any()):
        raise Undecided("horizon_short", "a doubling of the axis holds no instance")
    where = np.flatnonzero(chosen)
    return int(where[np.argmin(margin[where])])


def _dies_away(x: list[float], margin: list[float]) -> bool:
    """True where a margin fell to a tenth and more at a constant rate, or one that slows down: as the bound itself does
    of what converges, so it never runs out. One that runs out falls faster and faster before."""
    if min(margin) <= 0 or margin[2] > _DIED * margin[0] or not x[0] < x[1] < x[2]:
        return False
    early, late = ((log(margin[place]) - log(margin[place + 1])) / (x[place + 1] - x[place]) for place in (0, 1))
    return 0 < late <= _CONSTANT * early
