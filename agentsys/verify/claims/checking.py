"""Rows of a claim's program beside those of its independent checker, on the same small settings."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from agentsys.plan.claims.contract import CASE
from agentsys.verify.claims.cells import Cell, Climb
from agentsys.verify.claims.standalone.rows import Rows
from agentsys.verify.claims.standalone.statistics import t_quantile

SCALES, SEEDS = 3, 20
"""Smallest scales that a checker recomputes, and seeds of each."""
REPEATS = 10
"""Seeds of a claim whose scale is nothing but their number."""
RELATIVE, ABSOLUTE = 1e-6, 1e-9
BY_CHANCE = 6.3e-5
"""Means over seeds that lie further apart than chance alone puts them with this probability disagree: four standard
errors of many seeds, and more of few (Student's t)."""
_FEWEST = 3
INSTANCE = "instance"
"""What programs are told to call the key that names an instance of a call."""
_A_NAME = re.compile(r"[A-Za-z_-]{1,64}|[0-9]{1,4}")
_NAMED = 6
"""Rows of each side that are named where none can be compared."""

Key = tuple[tuple[tuple[str, str], ...], str, str, str]
"""Setting, method, quantity, unit."""


@dataclass(frozen=True)
class Agreement:
    """What a checker says; `words` name the first difference, or why nothing was compared."""

    state: Literal["agrees", "disagrees", "absent"]
    words: str = ""


def small_cells(climb: Climb) -> tuple[Cell, ...]:
    """Return the cells of the claim itself on its smallest scales."""
    first = [level[0].setting for level in climb.levels[:2]]
    levels = climb.levels[: REPEATS if first[0] == first[-1] else SCALES - climb.replaces]
    return tuple(cell for level in levels for cell in level if cell.case == "main" and cell.seed < SEEDS)


def compared(ours: Rows, theirs: Rows, *, deterministic: bool) -> Agreement:
    """Compare what both computed: value by value, or where chance is in it the means over seeds.

    Instances of one call are found by their number or name, whatever the key is called that holds it. Where chance is
    in it, one has nothing to do with the other's of the same number, and their mean is compared.

    Args:
        deterministic: there is no chance in it: each value must agree.
    """
    given = _common(ours) & _common(theirs)
    mine, other = _values(ours, given), _values(theirs, given)
    if not deterministic:
        both = mine.keys() & other.keys()
        mine, other = _pooled(mine, both), _pooled(other, both)
    counted = 0
    for key in sorted(mine.keys() & other.keys()):
        seeds = sorted(mine[key].keys() & other[key].keys())
        pairs = [(mine[key][seed], other[key][seed]) for seed in seeds]
        if not pairs or (not deterministic and len(pairs) < _FEWEST and not all(_close(*pair) for pair in pairs)):
            continue
        counted += 1
        if all(_close(*pair) for pair in pairs) or (not deterministic and _same_mean(pairs)):
            continue
        means = [statistics.fmean(column) for column in zip(*pairs, strict=True)]
        where = ";".join(f"{name}={value}" if name else value for name, value in key[0])
        words = f"`{key[2]}` of `{key[1]}` at `{where}`: {means[0]:.6g}, and {means[1]:.6g} by the checker"
        return Agreement("disagrees", words)
    return Agreement("agrees") if counted else Agreement("absent", "the checker computes none of the quantities")


def unpaired(ours: Rows, theirs: Rows, asked: Collection[str], *, deterministic: bool) -> str:
    """Say what rows both have where none of a checker's is of anything that the program measured; else nothing.

    Names only: of a setting what was asked for, and of what a program adds the key and the name of an instance, since
    anything else may be a value.

    Args:
        asked: keys of the settings that both were given.
    """
    given = _common(ours) & _common(theirs)
    mine, other = _values(ours, given).keys(), _values(theirs, given).keys()
    both = mine & other if deterministic else {_call(key) for key in mine} & {_call(key) for key in other}
    if not mine or not other or both:
        return ""
    first, second = (", ".join(_names(rows, asked)) for rows in (ours, theirs))
    return f"none of its rows can be set beside the others': they are of {second}; theirs of {first}"


def _names(rows: Rows, asked: Collection[str]) -> list[str]:
    found: dict[str, None] = {}
    for number in range(len(rows.value)):
        setting = rows.settings[int(rows.setting[number])]
        if CASE not in setting:
            words = ";".join(_shown(key, value, asked) for key, value in sorted(setting.items()))
            names = rows.methods[int(rows.method[number])], rows.quantities[int(rows.quantity[number])]
            found[f"`{', '.join(filter(None, (words, *names, rows.units[int(rows.unit[number])])))}`"] = None
    return list(found)[:_NAMED]


def _shown(key: str, value: str, asked: Collection[str]) -> str:
    return f"{key}={value}" if key in asked or (key == INSTANCE and _A_NAME.fullmatch(value)) else f"{key}=..."


def _common(rows: Rows) -> set[str]:
    """Return the keys that every setting has."""
    main = [set(setting) for setting in rows.settings if CASE not in setting]
    return set[str].intersection(*main) if main else set()


def _values(rows: Rows, given: set[str]) -> dict[Key, dict[int, float]]:
    found: dict[Key, dict[int, float]] = {}
    for number in range(len(rows.value)):
        setting = rows.settings[int(rows.setting[number])]
        if CASE in setting:
            continue
        names = rows.methods[int(rows.method[number])], rows.quantities[int(rows.quantity[number])]
        beyond = sorted(setting.keys() - given)
        named = [(key, setting[key]) for key in sorted(given)] + [("", setting[key]) for key in beyond]
        key = (tuple(named), *names, rows.units[int(rows.unit[number])])
        found.setdefault(key, {})[int(rows.seed[number])] = float(rows.value[number])
    return found


def _pooled(values: Mapping[Key, Mapping[int, float]], both: Collection[Key]) -> dict[Key, dict[int, float]]:
    """Average the instances of each call: those that both computed, where there are any."""
    shared = {_call(key) for key in both}
    found: dict[Key, dict[int, list[float]]] = {}
    for key, column in values.items():
        if key in both or _call(key) not in shared:
            for seed, value in column.items():
                found.setdefault(_call(key), {}).setdefault(seed, []).append(value)
    return {key: {seed: statistics.fmean(row) for seed, row in column.items()} for key, column in found.items()}


def _call(key: Key) -> Key:
    return (tuple(pair for pair in key[0] if pair[0]), *key[1:])


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _same_mean(pairs: list[tuple[float, float]]) -> bool:
    first, second = zip(*pairs, strict=True)
    gap = abs(statistics.fmean(first) - statistics.fmean(second))
    allowed = RELATIVE * abs(statistics.fmean(first)) + ABSOLUTE
    error = math.sqrt((statistics.variance(first) + statistics.variance(second)) / len(pairs))
    return gap <= allowed + t_quantile(2 * len(pairs) - 2, 1 - BY_CHANCE) * error
