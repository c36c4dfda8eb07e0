"""The raw rows of a claim as a table, seed by seed: a line for each case, setting, method and quantity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from agentsys.verify.claims.standalone.frame import CONTROL, MAIN
from agentsys.verify.claims.standalone.rows import CASE, Rows, setting_text

MOST_LINES = 24
MOST_SEEDS = 20
CLAIM = "claim"
"""What the case is called that is no control and no degenerate one."""
_ORDER = (CLAIM, CONTROL)
Key = tuple[str, str, str, str, str]


@dataclass(frozen=True)
class Values:
    """The lines of the table: case, setting, method, quantity, unit, value by seed; and how many are not shown."""

    lines: tuple[tuple[str, ...], ...]
    left: int = 0


def values(rows: Rows, claim: str) -> Values:
    """Return what was measured for a claim, the claim's own case first.

    Of many lines those with the smallest and the largest value of each quantity, on which a bound or an error is
    decided, both ends, and some between.
    """
    if claim not in rows.claims:
        return Values(())
    found: dict[Key, list[tuple[int, str]]] = {}
    ends: dict[tuple[str, ...], list[tuple[float, Key]]] = {}
    index: list[int] = (rows.claim == rows.claims.index(claim)).nonzero()[0].tolist()
    for row in index:
        key, value = _key(rows, row), float(rows.value[row])
        found.setdefault(key, []).append((int(rows.seed[row]), _number(rows, row)))
        if not math.isnan(value):
            both = ends.setdefault((key[0], *key[2:]), [(value, key), (value, key)])
            both[0] = min(both[0], (value, key), key=_value)
            both[1] = max(both[1], (value, key), key=_value)
    keys = sorted(found, key=_place)
    shown = _thinned(keys, {key for both in ends.values() for _, key in both})
    return Values(tuple((*key, _by_seed(found[key])) for key in shown), len(keys) - len(shown))


def _key(rows: Rows, row: int) -> Key:
    setting = dict(rows.settings[int(rows.setting[row])])
    case = setting.pop(CASE, MAIN) or CLAIM
    names = (
        rows.methods[int(rows.method[row])],
        rows.quantities[int(rows.quantity[row])],
        rows.units[int(rows.unit[row])],
    )
    return (case, setting_text(setting), *names)


def _number(rows: Rows, row: int) -> str:
    return rows.texts.get(row) or f"{float(rows.value[row]):.6g}"


def _place(key: Key) -> tuple[int, Sequence[tuple[bool, float, str]], Key]:
    """Cases as they are judged, then numbers of a setting by size."""
    return _ORDER.index(key[0]) if key[0] in _ORDER else len(_ORDER), list(_sizes(key[1])), key


def _sizes(setting: str) -> Iterator[tuple[bool, float, str]]:
    for part in setting.split(";"):
        text = part.partition("=")[2]
        try:
            yield False, float(text), ""
        except ValueError:
            yield True, 0.0, text


def _value(end: tuple[float, Key]) -> float:
    return end[0]


def _thinned(keys: list[Key], kept: Set[Key]) -> list[Key]:
    """Return at most MOST_LINES of the keys in their order: what is to be kept first, then some of the others."""
    if len(keys) <= MOST_LINES:
        return keys
    first = [key for key in keys if key in kept][:MOST_LINES]
    others = [key for key in keys if key not in kept]
    room, last = MOST_LINES - len(first), len(others) - 1
    places = {round(number * last / max(room - 1, 1)) for number in range(room)} if others else set[int]()
    chosen = {*first, *(others[place] for place in places)}
    return [key for key in keys if key in chosen]


def _by_seed(found: list[tuple[int, str]]) -> str:
    named = [f"{seed}: {value}" for seed, value in sorted(found, key=lambda pair: pair[0])[:MOST_SEEDS]]
    more = f", and {len(found) - MOST_SEEDS} more" if len(found) > MOST_SEEDS else ""
    return ", ".join(named) + more
