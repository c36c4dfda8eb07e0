"""The rows that one rule looks at: selected, converted to the rule's unit, laid out by seed and cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rows import Floats, Ints, Rows, distinct, setting_text
from .statistics import Undecided

MAIN = ""
CONTROL = "control"
DEGENERATE = "degenerate"

Document = Mapping[str, Any]
"""A rule or a contract as plain JSON."""
Conversions = Mapping[str, Mapping[str, tuple[float, float]]]
"""Unit of a rule -> unit of rows -> factor and offset; a pair that is absent cannot be compared."""


@dataclass(frozen=True)
class Sample:
    """All rows of one claim and one case, and what the contract says of them."""

    rows: Rows
    claim: str
    case: str
    deterministic: bool
    conversions: Conversions
    target: tuple[float, str] | None = None
    """Value and unit that the paper reports."""


@dataclass(frozen=True)
class Frame:
    """The rows of one rule; `value` is in the rule's unit."""

    sample: Sample
    index: Ints
    value: Floats

    @property
    def seed(self) -> Ints:
        return self.sample.rows.seed[self.index]

    @property
    def setting(self) -> Ints:
        return self.sample.rows.setting[self.index]

    def of(self, method: str) -> Frame:
        """Return the rows of a method. Raises: Undecided where there are none."""
        rows = self.sample.rows
        chosen = np.zeros(len(self.index), dtype=np.bool_)
        if method in rows.methods:
            chosen = rows.method[self.index] == rows.methods.index(method)
        if not bool(chosen.any()):
            raise Undecided("no_rows", f"no rows of {method}")
        return Frame(self.sample, self.index[chosen], self.value[chosen])


@dataclass(frozen=True)
class Table:
    """A method's values by seed and cell, without holes: shape (seeds, cells)."""

    seeds: Ints
    cells: Ints
    values: Floats


def frame(sample: Sample, rule: Document) -> Frame:
    """Return the rows of a rule's quantity. Raises: Undecided where there are none, or where units do not compare."""
    rows = sample.rows
    index = of_case(rows, rows.of_quantity(sample.claim, rule["quantity"]), sample.case, rule["where"])
    if not len(index):
        raise Undecided("no_rows", f"no rows of quantity {rule['quantity']}")
    return Frame(sample, index, converted(rows, index, rule["unit"], sample.conversions))


def of_case(rows: Rows, index: Ints, case: str, where: Mapping[str, str]) -> Ints:
    """Return those of `index` whose setting belongs to a case and has the values of `where`."""
    found = rows.in_case(index, case)
    if not where:
        return found
    used, inverse = distinct(rows.setting[found])
    settings = [rows.settings[int(number)] for number in used]
    kept = [all(each.get(key) == value for key, value in where.items()) for each in settings]
    return found[np.array(kept, dtype=np.bool_)[inverse]] if len(found) else found


def converted(rows: Rows, index: Ints, unit: str, conversions: Conversions) -> Floats:
    """Return the values of rows in a unit. Raises: Undecided where a row's unit does not compare with it."""
    values = rows.value[index].copy()
    codes = rows.unit[index]
    for code in distinct(codes)[0]:
        name = rows.units[int(code)]
        if name == unit:
            continue
        if name not in (known := conversions.get(unit, {})):
            raise Undecided("units_differ", f"rows are in {name or 'no unit'!r}, the rule in {unit or 'no unit'!r}")
        factor, offset = known[name]
        chosen = codes == code
        values[chosen] = values[chosen] * factor + offset
    return values


def table(part: Frame) -> Table:
    """Lay out rows by seed and cell.

    Raises: Undecided where a cell is missing or stands there twice, or a value is not finite.
    """
    seeds, row = distinct(part.seed)
    cells, column = distinct(part.setting)
    if not bool(np.isfinite(part.value).all()):
        raise Undecided("not_finite", "a value is not finite")
    filled = np.bincount(row * len(cells) + column, minlength=len(seeds) * len(cells))
    if bool((filled > 1).any()):
        raise Undecided("duplicate_rows", "a seed and setting stand there twice")
    if bool((filled == 0).any()):
        raise Undecided("cells_missing", "a seed lacks settings that another has")
    values = np.empty((len(seeds), len(cells)))
    values[row, column] = part.value
    return Table(seeds, cells, values)


def paired(whole: Frame, methods: tuple[str, ...] | list[str]) -> tuple[Table, ...]:
    """Return the tables of methods that ran on the same seeds and settings. Raises: Undecided where they did not."""
    tables = tuple(table(whole.of(method)) for method in methods)
    first = tables[0]
    for other in tables[1:]:
        if not (np.array_equal(first.seeds, other.seeds) and np.array_equal(first.cells, other.cells)):
            raise Undecided("unpaired", "methods ran on different seeds or settings")
    return tables


def by_axis(part: Frame, axis: str) -> tuple[Floats, NDArray[np.float64]]:
    """Lay out a method's rows along an axis.

    Returns: the axis, increasing, shape (points,); values, shape (curves, seeds, points), a curve for each setting of
        the other keys.
    Raises: Undecided where the axis is no number, or curves have different points.
    """
    whole = table(part)
    settings = [part.sample.rows.settings[int(number)] for number in whole.cells]
    curves: dict[str, dict[float, int]] = {}
    for column, each in enumerate(settings):
        rest = setting_text({key: value for key, value in each.items() if key != axis}) if len(each) > 1 else ""
        curves.setdefault(rest, {})[axis_value(each, axis)] = column
    points = sorted(next(iter(curves.values())))
    if any(sorted(curve) != points for curve in curves.values()):
        raise Undecided("cells_missing", f"settings have different values of {axis}")
    if sum(map(len, curves.values())) < len(settings):
        raise Undecided("duplicate_rows", f"a value of {axis} stands there twice")
    stacked = [whole.values[:, [curve[point] for point in points]] for curve in curves.values()]
    return np.array(points), np.stack(stacked)


def axis_value(setting: Mapping[str, str], axis: str) -> float:
    """Return a setting's value of an axis as a number. Raises: Undecided where it has none."""
    try:
        value = float(setting[axis])
    except (KeyError, ValueError):
        raise Undecided("axis_missing", f"a setting has no number {axis}") from None
    if not np.isfinite(value):
        raise Undecided("axis_missing", f"a setting's {axis} is not finite")
    return value
