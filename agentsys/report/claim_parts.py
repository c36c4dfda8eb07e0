"""A rule of several statistics as a table shows it: which of them the paper's number belongs to, and what each gave."""

from __future__ import annotations

import math
from typing import Protocol, Self, TypeVar

from agentsys.plan.claims.contract import Contract, Target
from agentsys.plan.claims.rule import (
    Difference,
    Limit,
    MaxError,
    Mean,
    NoCounterexample,
    Ordering,
    Ratio,
    Region,
    StatisticRule,
    Test,
    Trend,
    Witness,
    methods_of,
    parts,
)

_IN_UNIT = (Mean, Difference, Limit, NoCounterexample, Witness)
"""Rules whose statistic has the unit of its quantity."""


class Judged(Protocol):
    """An outcome that knows those of its parts, where the rule has several."""

    @property
    def parts(self) -> tuple[Self, ...]: ...


AnyOutcome = TypeVar("AnyOutcome", bound=Judged)


def leading(contract: Contract) -> int:
    """Return which part of the acceptance rule the paper's number belongs to, counted from 0.

    That is the narrowest of those in whose bounds the number lies; the first where it lies in none.
    """
    rules = parts(contract.accept) if contract.accept is not None else ()
    if contract.target is None:
        return 0
    widths = {number: _width(rule, contract.target) for number, rule in enumerate(rules)}
    fitting = {number: width for number, width in widths.items() if width is not None}
    return min(fitting, key=lambda number: fitting[number], default=0)


def belongs(contract: Contract, number: int) -> bool:
    """True where the paper's number can stand beside what this part gave."""
    rules = parts(contract.accept) if contract.accept is not None else ()
    return bool(rules) and contract.target is not None and _width(rules[number], contract.target) is not None


def _width(rule: StatisticRule, target: Target) -> float | None:
    """Return how wide the bounds around the paper's number are; None where it lies outside, or is something else."""
    if target.unit != (rule.unit if isinstance(rule, _IN_UNIT) else ""):
        return None
    if isinstance(rule, NoCounterexample | Witness):
        return 0.0 if math.isclose(rule.bound, target.value, rel_tol=1e-9) else None
    if not isinstance(rule, Region):
        return None
    low = -math.inf if rule.low is None else rule.low
    high = math.inf if rule.high is None else rule.high
    return high - low if low <= target.value <= high else None


def of_part(outcome: AnyOutcome, number: int) -> AnyOutcome:
    """Return the outcome of one part; the whole where it was judged before parts were kept, or has none."""
    return outcome.parts[number] if number < len(outcome.parts) else outcome


def part_words(rule: StatisticRule) -> str:
    """Return in a few words what a part measures. Names are a model's: whoever shows them makes them harmless."""
    methods = methods_of(rule)
    if isinstance(rule, Ordering):
        return f"cells in which {rule.quantity} stands in order"
    if isinstance(rule, Trend):
        return f"Kendall's tau of {rule.quantity} along {rule.axis}"
    if isinstance(rule, MaxError):
        return f"largest error of {rule.quantity} of {rule.method}"
    if isinstance(rule, Test):
        return f"p value of {rule.quantity}"
    if isinstance(rule, Difference) and len(methods) > 1:
        return f"{rule.quantity}, {methods[0]} minus {methods[1]}"
    if isinstance(rule, Ratio) and len(methods) > 1:
        return f"{rule.quantity}, {methods[0]} over {methods[1]}"
    return f"{rule.quantity} of {', '.join(methods)}"
