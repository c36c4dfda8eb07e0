"""Units, checked before values are compared; pint knows the units, the contract the paper's counting units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, cast

_NAME = r"[A-Za-zµΩ°][A-Za-z0-9µΩ°_]{0,40}|%"
_TERM = rf"(?:1|(?:{_NAME})(?:(?:\*\*|\^)-?[1-9])?)"
_UNIT = re.compile(rf"{_TERM}(?:\s?[*/ ]\s?{_TERM}){{0,7}}")
_NAMES = re.compile(_NAME)
_COUNT = re.compile(rf"([0-9]{{1,12}}(?:\.[0-9]{{1,12}})?)\s*\*?\s*({_NAME})")
_PURE = ("", "1", "dimensionless")
_FIELD = (
    "frame = [frame]",
    "fps = frame / second",
    "nat = 1.4426950408889634 * bit",
    "pp = 0.01",
    "acc = 1",
    "k = 1000",
    "M = 1000000",
    "pct = 0.01",
    "pt = 0.01",
    "Gb = 1000000000 * bit",
)
"""What papers of this field mean; pint reads feet a second, a nano-atmosphere, a point of print and a pint instead."""


class UnitsError(ValueError):
    """A unit, or the relation of two, cannot be read; the message says which and how to write it."""


class Units:
    """Converts between units.

    Units that nobody knows (`trajectory`, `token`) are counts of their own: only what the paper relates converts.

    Args:
        counts: counting unit -> what the paper says it is, e.g. `{"batch": "50 trajectory"}`.

    Raises: UnitsError where a relation is not `NUMBER UNIT`, or would redefine a unit.
    """

    def __init__(self, counts: Mapping[str, str]) -> None:
        import pint

        self._registry: Any = pint.UnitRegistry(cache_folder=None, on_redefinition="ignore")
        for meaning in _FIELD:
            self._registry.define(meaning)
        self._pint_error = pint.PintError
        self._found: dict[tuple[str, str], tuple[float, float] | None] = {}
        for name, meaning in counts.items():
            relation = _COUNT.fullmatch(meaning.strip())
            if relation is None or not _NAMES.fullmatch(name) or name == relation[2]:
                raise UnitsError(f"`{name[:60]}` = `{meaning[:60]}`: write a count as `50 trajectory`")
            if self._knows(name):
                raise UnitsError(f"`{name}` is a unit already: give the paper's count another name")
            self._parsed(relation[2])
            self._registry.define(f"{name} = {relation[1]} * {relation[2]}")

    def conversion(self, source: str, target: str) -> tuple[float, float] | None:
        """Return factor and offset from `source` to `target`; None where they do not compare.

        Raises: UnitsError where one of them is no unit.
        """
        key = (source, target)
        if key not in self._found:
            self._found[key] = self._conversion(self._parsed(source), self._parsed(target))
        return self._found[key]

    def _conversion(self, source: Any, target: Any) -> tuple[float, float] | None:
        try:
            zero, one, two = (float(self._registry.Quantity(value, source).to(target).m) for value in (0.0, 1.0, 2.0))
        except (self._pint_error, ValueError, OverflowError, ZeroDivisionError):
            return None
        # Decibels and other logarithms are no straight line: their numbers are compared in their own unit only.
        straight = abs((two - one) - (one - zero)) <= 1e-9 * abs(one - zero)
        return (one - zero, zero) if straight else None

    def _parsed(self, text: str) -> Any:
        """Read a unit strictly: names, `*`, `/` and small powers, so that no expression is ever evaluated."""
        if text.strip() in _PURE:
            return self._registry.Unit("")
        if not _UNIT.fullmatch(text.strip()):
            raise UnitsError(f"unit `{text[:80]}` cannot be read: write it as `ms`, `s/trajectory` or `kg*m**2`")
        for name in _NAMES.findall(text):
            if name != "%" and not self._knows(name):
                self._registry.define(f"{name} = [{name}]")
        plain = text.strip().replace("%", "percent").replace("^", "**")
        try:
            return self._registry.parse_units(plain)
        except (self._pint_error, ValueError, TypeError) as error:
            raise UnitsError(f"unit `{text}` cannot be read: {error}") from None

    def _knows(self, name: str) -> bool:
        try:
            self._registry.parse_units(name)
        except self._pint_error:
            return False
        return True


@cache
def _units(counts: tuple[tuple[str, str], ...]) -> Units:
    return Units(dict(counts))


def conversions(
    counts: Mapping[str, str], wanted: Iterable[str], present: Iterable[str]
) -> dict[str, dict[str, tuple[float, float]]]:
    """Return the table of `standalone.frame.Conversions`: wanted unit -> unit of rows -> factor and offset.

    A unit that cannot be read, or does not compare, is left out: what is not in the table is never compared. Where the
    counts cannot be read they relate nothing.
    """
    try:
        units = _units(tuple(sorted(counts.items())))
    except UnitsError:
        units = _units(())
    sources = list(present)
    return {target: _to(units, target, sources) for target in dict.fromkeys(wanted)}


def _to(units: Units, target: str, sources: Iterable[str]) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for source in sources:
        try:
            pair = units.conversion(source, target)
        except UnitsError:
            continue
        if pair is not None:
            found[source] = pair
    return found


def units_of(contract: Mapping[str, Any]) -> list[str]:
    """Return the units that a contract (plain JSON) states anywhere."""
    found: list[str] = []
    waiting: list[object] = [contract]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            fields = cast("dict[str, object]", item)
            found += [value for key, value in fields.items() if key == "unit" and isinstance(value, str)]
            waiting += fields.values()
        elif isinstance(item, list | tuple):
            waiting += cast("list[object]", item)
    return sorted(set(found))
