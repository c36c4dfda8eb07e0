"""The raw rows of a claim as a table, seed by seed: a line for each case, setting, method and quantity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """Return what was measured for a claim, the claim's own case first; of many lines both ends and some between."""
    if claim not in rows.claims:
        return Values(())
    found: dict[Key, list[tuple[int, str]]] = {}
    index: list[int] = (rows.claim == rows.claims.index(claim)).nonzero()[0].tolist()
    for row in index:
        found.setdefault(_key(rows, row), []).append((int(rows.seed[row]), _number(rows, row)))
    keys = sorted(found, key=_place)
    shown = _thinned(keys)
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


def _thinned(keys: list[Key]) -> list[Key]:
    last = len(keys) - 1
    if last < MOST_LINES:
        return keys
    return [keys[round(number * last / (MOST_LINES - 1))] for number in range(MOST_LINES)]


def _by_seed(found: list[tuple[int, str]]) -> str:
    named = [f"{seed}: {value}" for seed, value in sorted(found, key=lambda pair: pair[0])[:MOST_SEEDS]]
    more = f", and {len(found) - MOST_SEEDS} more" if len(found) > MOST_SEEDS else ""
    return ", ".join(named) + more
