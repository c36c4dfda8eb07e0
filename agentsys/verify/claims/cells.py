"""Cells of a claim's experiment: one run of its program for a case, a setting and a seed, small before large."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agentsys.core.files import sha256_bytes
from agentsys.plan.claims.contract import SEEDS, Contract
from agentsys.plan.claims.rule import Difference, Mean, Ratio, Slope, StatisticRule, Test, axis_of, parts

Case = Literal["main", "control", "degenerate"]
MOST_CELLS = 20_000
"""Cells of one claim; a contract that asks for more is not run."""
TAIL, LONG = 4, 6
"""Points that the upper half of an axis needs for a slope, and points of an axis of which the last four will do."""
_DOUBLINGS = 9
_SMALLER = (16, 4, 1)
"""A scale that is no axis of a rule is climbed in these steps."""


@dataclass(frozen=True)
class Cell:
    """One run of a claim's program; `setting` is what it is told, without its case."""

    claim: str
    case: Case
    seed: int
    setting: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Name that no other cell has, and that is safe as a file's."""
        return f"{self.claim}-{self.case}-{self.seed}-{sha256_bytes(repr(self.setting))[:16]}"

    def argv(self, out: str, path: str = "") -> tuple[str, ...]:
        """Return the command that runs it in the repository's folder, by the claim's program or the one at `path`."""
        settings = [word for key, value in self.setting for word in ("--setting", f"{key}={value}")]
        return (
            "python",
            path or program(self.claim),
            "--case",
            self.case,
            "--seed",
            str(self.seed),
            *settings,
            "--out",
            out,
        )


@dataclass(frozen=True)
class Climb:
    """The cells of a claim by scale, the smallest first.

    Where `replaces` is set each scale takes the place of the one before: its statistics average over settings.
    """

    levels: tuple[tuple[Cell, ...], ...]
    replaces: bool

    def judged(self, complete: int) -> tuple[Cell, ...]:
        """Return the cells whose rows count once the first `complete` scales are done."""
        done = self.levels[:complete]
        return done[-1] if done and self.replaces else tuple(itertools.chain.from_iterable(done))


def program(claim: str) -> str:
    """Return the path of a claim's program in the repository."""
    return f"claims/{claim.lower()}.py"


def checker(claim: str) -> str:
    """Return the path of a claim's independent checker in the repository."""
    return f"claims/check_{claim.lower()}.py"


def climb(contract: Contract) -> Climb:
    """Return the cells that a contract with rules asks for.

    Raises: ValueError where they are more than MOST_CELLS.
    """
    cases: list[Case] = ["main"]
    if contract.control is not None:
        cases.append("control")
    if contract.degenerate is not None:
        cases.append("degenerate")
    axis, points = _axis(contract)
    fixed = {key: values for key, values in _choices(contract).items() if key != axis}
    scales = {} if axis else {key: least for key, least in _scales(contract).items() if key not in fixed}
    fixed |= {key: (_text(least, least),) for key, least in _scales(contract).items() if axis and key not in fixed}
    fixed.pop(axis, None)
    steps: list[dict[str, Sequence[str]]] = [{**fixed, axis: (point,)} for point in points] if axis else []
    if scales:
        steps = [{**fixed, **{key: (_text(least / by, least),) for key, least in scales.items()}} for by in _SMALLER]
    whole = math.prod(map(len, fixed.values())) * contract.seeds * len(cases) * max(len(steps), 1)
    if whole > MOST_CELLS:
        raise ValueError(f"{whole:,} cells are more than {MOST_CELLS:,}: ask for fewer seeds or values of the grid")
    if not steps:  # no scale but the number of seeds: each seed is a step
        levels = [tuple(_cells(contract.claim, cases, [seed], fixed)) for seed in range(contract.seeds)]
    else:
        levels = [tuple(_cells(contract.claim, cases, range(contract.seeds), step)) for step in steps]
    return Climb(tuple(dict.fromkeys(levels)), bool(scales))


def _cells(
    claim: str, cases: Sequence[Case], seeds: Sequence[int], choices: Mapping[str, Sequence[str]]
) -> Iterator[Cell]:
    keys = sorted(choices)
    for values in itertools.product(*(choices[key] for key in keys)):
        for seed, case in itertools.product(seeds, cases):
            yield Cell(claim, case, seed, tuple(zip(keys, values, strict=True)))


def _rules(contract: Contract) -> tuple[StatisticRule, ...]:
    return tuple(part for rule in (contract.accept, contract.falsify) if rule is not None for part in parts(rule))


def _choices(contract: Contract) -> dict[str, Sequence[str]]:
    """The paper's grid, and the settings that rules look at."""
    found: dict[str, Sequence[str]] = dict(contract.grid)
    for rule in (*_rules(contract), *(row for row in contract.baselines)):
        for key, value in rule.where.items():
            if key not in contract.grid:
                found[key] = tuple(dict.fromkeys((*found.get(key, ()), value)))
    return found


def _axis(contract: Contract) -> tuple[str, tuple[str, ...]]:
    """The axis that is swept and its values; none where a rule averages over settings."""
    named = [axis for rule in _rules(contract) if (axis := axis_of(rule))]
    averaged = any(isinstance(rule, Mean | Difference | Ratio | Test) for rule in _rules(contract))
    horizon = contract.horizon
    axis = named[0] if named else horizon.axis if horizon is not None and not averaged else ""
    if not axis:
        return "", ()
    values = {float(value): value for value in contract.grid.get(axis, ()) if _is_number(value)}
    if horizon is not None and horizon.axis == axis and horizon.at_least > max(values, default=0):
        least = horizon.at_least
        swept = [least] if values else [least / 2**k for k in range(_DOUBLINGS + 1) if least < 8 or least / 2**k >= 1]
        values |= {value: _text(value, least) for value in swept}
    if any(isinstance(rule, Slope) and rule.axis == axis for rule in _rules(contract)):
        values = _dense(values)
    return axis, tuple(dict.fromkeys(values[value] for value in sorted(values)))


def _dense(values: Mapping[float, str]) -> dict[float, str]:
    """Put points between those of a short axis to which a slope is fitted, where its upper half has too few of them."""
    points = sorted(values)
    if not 2 <= len(points) < LONG or points[0] <= 0:
        return dict(values)
    if sum(one >= math.sqrt(points[0] * points[-1]) for one in points) >= TAIL:
        return dict(values)
    between = [math.sqrt(one * other) for one, other in itertools.pairwise(points)]
    whole = all(point == int(point) for point in points)
    more = {float(round(one)): str(round(one)) for one in between} if whole else {one: f"{one:.6g}" for one in between}
    return {**more, **values}


def _scales(contract: Contract) -> dict[str, float]:
    """The scale from which on it is evidence, by key: at least this has to be reached."""
    found = {key: least for key, least in contract.toy_below.items() if key != SEEDS}
    horizon = contract.horizon
    if horizon is not None:
        found[horizon.axis] = max(horizon.at_least, found.get(horizon.axis, 0.0))
    return found


def _text(value: float, largest: float) -> str:
    """Sizes are whole numbers; an axis that ends below 8 is a real one."""
    return f"{value:.6g}" if largest < 8 and largest != int(largest) else str(max(math.ceil(value), 1))


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
