"""Signs of a healthy run in results.json: what was trained has moved, what was measured is better than chance.

The run writes the list `health` into its results file, one object a sign, in one of three forms:

    {"experiment": "E", "quantity": "training loss", "start": 0.69, "end": 0.31, "better": "lower"}
    {"experiment": "E", "quantity": "accuracy", "value": 0.81, "above": 0.5, "note": "chance"}
    {"experiment": "E", "quantity": "gap", "values": [0.5, 0.31, 0.2], "better": "lower"}

`start` and `end`: it moved beyond rounding, to the better. `value`: it lies strictly `above` or `below` what chance or
the starting point gives, or between both. `values`: a curve that is not constant and whose last value is better than
its first. Every number is finite, and one bound at least is in reach of the value: what cannot fail shows nothing.
Other keys (`note`, `unit`, `seed`) are words for the reader.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from agentsys.core.artifacts import Experiment, Plan
from agentsys.core.text import clean_text
from agentsys.verify.results_file import HEALTH, Results, is_finite, number_words

ROUNDING = 1e-6
"""Relative difference below which two numbers are the same: what single precision resolves in a few operations."""
OUT_OF_REACH = 1000.0
"""A bound so many times larger than the value, and than 1, is one that nothing could violate."""
MAX_ROWS = 500
MAX_VALUES = 100_000

FORMS = (
    '{"experiment": "NAME", "quantity": "WORDS", "start": NUMBER, "end": NUMBER, "better": "lower" or "higher"}, or '
    '{..., "value": NUMBER, "above": NUMBER and/or "below": NUMBER}, or '
    '{..., "values": [NUMBER, NUMBER, ...], "better": "lower" or "higher"}'
)
"""The forms of a row, as a fault tells them."""
_FORM_KEYS = ("start", "value", "values")


@dataclass(frozen=True)
class Sign:
    """One row of `health`, judged. `fault` is empty where it holds."""

    experiment: str
    quantity: str
    words: str
    """The numbers in plain words: `from 0.693 to 0.31`."""
    fault: str = ""
    bounded: bool = False
    """It compares a value with bounds, which may be out of reach; the other forms compare the run with itself."""


@dataclass(frozen=True)
class Health:
    """What `health` says, and what it leaves out."""

    signs: tuple[Sign, ...] = ()
    missing: tuple[str, ...] = ()
    """Experiments of the plan that were attempted but show no sign, where the plan asks for signs."""
    notes: tuple[str, ...] = ()
    """What is odd but no fault."""

    @property
    def faults(self) -> list[Sign]:
        """Everything that is wrong, each with its `fault` in plain words."""
        return [sign for sign in self.signs if sign.fault] + [
            _wrong(name, "", f"experiment `{name}` shows no sign of health: `{HEALTH}` needs a row {FORMS}")
            for name in self.missing
        ]


def judge_health(results: Results, plan: Plan) -> Health:
    """Judge every row of `health`, and say which experiments have none.

    The plan asks for rows where one of its experiments says what a healthy run shows (`Experiment.health`); otherwise
    `health` may be absent, but what is there must hold. An experiment whose result keys all stand in `not_attempted`
    needs no row.
    """
    asked = any(item.health.strip() for item in plan.experiments)
    rows = results.data.get(HEALTH, [])
    names = {item.name for item in plan.experiments}
    if isinstance(rows, list):
        listed = cast("list[object]", rows)
        signs = [_judge(row, number, names) for number, row in enumerate(listed[:MAX_ROWS])]
        if len(listed) > MAX_ROWS:
            signs.append(_wrong("", "", f"`{HEALTH}` has {len(listed)} rows; at most {MAX_ROWS} are read"))
    else:
        signs = [_wrong("", "", f"`{HEALTH}` is no list; it is a list of rows {FORMS}")]
    shown = {sign.experiment for sign in signs}
    missing = [item.name for item in plan.experiments if item.name not in shown and not _left_out(item, results, plan)]
    return Health(tuple(signs), tuple(missing) if asked else (), tuple(_equal_keys(results, plan)))


def health_text(health: Health) -> str:
    """Return the judgement as the lines of a log."""
    lines = [f"{'FAULT' if s.fault else 'holds'}  {s.experiment}: {s.quantity} {s.words}" for s in health.signs]
    lines += [f"       {sign.fault}" for sign in health.faults]
    lines += [f"note   {note}" for note in health.notes]
    return "\n".join(lines or ["the run shows no sign of health, and the plan asks for none"]) + "\n"


def _left_out(experiment: Experiment, results: Results, plan: Plan) -> bool:
    """True where the run says of everything this experiment should measure why it was not attempted."""
    keys = [row.result_key for row in plan.expected if row.experiment == experiment.name and row.result_key]
    return all(results.reason(key) for key in keys or [experiment.name])


def _judge(row: object, number: int, names: set[str]) -> Sign:
    if not isinstance(row, dict):
        return _wrong("", "", f"`{HEALTH}[{number}]` is no object; a row is {FORMS}")
    table = cast("dict[str, object]", row)
    experiment, quantity = _text(table, "experiment"), _text(table, "quantity")
    if experiment not in names:
        known = ", ".join(f"`{name}`" for name in sorted(names))
        return _wrong("", quantity, f"`{HEALTH}[{number}]` names no experiment of the plan; they are {known}")
    if not quantity:
        return _wrong(experiment, "", f"`{HEALTH}[{number}]` of `{experiment}` names no `quantity`; a row is {FORMS}")
    given = [key for key in _FORM_KEYS if key in table]
    judge = {"start": _moved, "value": _bounded, "values": _curve}.get(given[0]) if len(given) == 1 else None
    if judge is None:
        words = " and ".join(f"`{key}`" for key in given) or "neither `start`, `value` nor `values`"
        return _wrong(experiment, quantity, f"{experiment}: {quantity} has {words}; a row is {FORMS}")
    try:
        words, fault = judge(table)
    except _FormError as error:
        return _wrong(experiment, quantity, f"{experiment}: {quantity}: {error}; a row is {FORMS}")
    said = f"{experiment}: {quantity} {words}: {fault}" if fault else ""
    return Sign(experiment, quantity, words, said, bounded="value" in table)


class _FormError(ValueError):
    """A key of a row is missing, or holds something else than it must."""


def _moved(row: Mapping[str, object]) -> tuple[str, str]:
    start, end, sign = _number(row, "start"), _number(row, "end"), _better(row)
    words = f"from {number_words(start)} to {number_words(end)}"
    if not (is_finite(start) and is_finite(end)):
        return words, "not finite"
    return words, _progress(start, end, sign)


def _bounded(row: Mapping[str, object]) -> tuple[str, str]:
    value = _number(row, "value")
    bounds = [(key, _number(row, key)) for key in ("above", "below") if key in row]
    if not bounds:
        raise _FormError("`value` needs a bound, `above` or `below`")
    note = _text(row, "note")
    said = " and ".join(f"{key} {number_words(bound)}" for key, bound in bounds) + (f" ({note})" if note else "")
    words = f"is {number_words(value)}, must lie {said}"
    if not all(is_finite(number) for number in (value, *(bound for _, bound in bounds))):
        return words, "not finite"
    if all(abs(bound) > OUT_OF_REACH * max(abs(value), 1.0) for _, bound in bounds):
        return words, "nothing could violate that; take what chance or the starting point gives"
    held = all(value > bound if key == "above" else value < bound for key, bound in bounds)
    return words, "" if held else "not better than chance or the starting point"


def _curve(row: Mapping[str, object]) -> tuple[str, str]:
    given, sign = row["values"], _better(row)
    if not isinstance(given, list) or not 2 <= len(cast("list[object]", given)) <= MAX_VALUES:
        raise _FormError(f"`values` is no list of 2 to {MAX_VALUES} numbers")
    values = [_number({"values": item}, "values") for item in cast("list[object]", given)]
    words = f"over {len(values)} values from {number_words(values[0])} to {number_words(values[-1])}"
    bad = next((number for number, value in enumerate(values) if not is_finite(value)), None)
    if bad is not None:
        return words, f"value {bad + 1} is {number_words(values[bad])}, not finite"
    if _same(min(values), max(values)):
        return words, "constant"
    return words, _progress(values[0], values[-1], sign)


def _progress(start: float, end: float, sign: int) -> str:
    """Return what is wrong with the way from start to end; `sign` is 1 where higher is better, else -1."""
    if _same(start, end):
        return "it did not move" if start == end else "it did not move beyond rounding"
    return "" if (end - start) * sign > 0 else f"it got worse, {'higher' if sign > 0 else 'lower'} is better"


def _same(one: float, two: float) -> bool:
    return abs(one - two) <= ROUNDING * max(abs(one), abs(two))


def _number(row: Mapping[str, object], key: str) -> float:
    if key not in row:
        raise _FormError(f"`{key}` is missing")
    found = row[key]
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _FormError(f"`{key}` is {clean_text(repr(found))[:60]}, no number")
    return found


def _better(row: Mapping[str, object]) -> int:
    signs = {"lower": -1, "higher": 1}
    word = row.get("better")
    if not isinstance(word, str) or word not in signs:
        raise _FormError("`better` is not `lower` or `higher`")
    return signs[word]


def _text(row: Mapping[str, object], key: str) -> str:
    found = row.get(key)
    return " ".join(clean_text(found).split())[:100] if isinstance(found, str) else ""


def _wrong(experiment: str, quantity: str, message: str) -> Sign:
    return Sign(experiment, quantity, "", message)


def _equal_keys(results: Results, plan: Plan) -> list[str]:
    """Name the results of one experiment that agree in every digit: methods or seeds may not differ in truth."""
    notes: list[str] = []
    for experiment in plan.experiments:
        groups: dict[float, list[str]] = defaultdict(list)
        for row in plan.expected:
            value = results.value(row.result_key) if row.experiment == experiment.name and row.result_key else None
            if value is not None:
                groups[value].append(row.result_key)
        notes += [_equal_words(experiment.name, value, keys) for value, keys in groups.items() if len(set(keys)) > 1]
    return notes


def _equal_words(experiment: str, value: float, keys: Sequence[str]) -> str:
    names = ", ".join(f"`{key}`" for key in sorted(set(keys)))
    return f"{experiment}: {names} are equal in every digit ({number_words(value)})"
