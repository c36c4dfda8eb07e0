"""A rule of several statistics as a table shows it: which of them the paper's number belongs to, and what each gave."""

from __future__ import annotations

import math
from typing import Protocol, Self, TypeVar

from agentsys.plan.claims.contract import Contract
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

    That is the one in the middle of whose bounds the number lies most nearly; the first where it lies in none.
    """
    fitting = {number: off for number in range(_count(contract)) if (off := _off(contract, number)) is not None}
    return min(fitting, key=lambda number: fitting[number], default=0)


def belongs(contract: Contract, number: int) -> bool:
    """True where the paper's number can stand beside what this part gave."""
    return number < _count(contract) and _off(contract, number) is not None


def _count(contract: Contract) -> int:
    return len(parts(contract.accept)) if contract.accept is not None else 0


def _off(contract: Contract, number: int) -> tuple[bool, float] | None:
    """Return how far the paper's number is from the middle of a part's bounds, as a share of their width; from the
    bound where there is but one, which counts for less. None where it lies outside, or is something else.
    """
    rule, target = parts(contract.accept)[number] if contract.accept is not None else None, contract.target
    if rule is None or target is None or target.unit != (rule.unit if isinstance(rule, _IN_UNIT) else ""):
        return None
    if isinstance(rule, NoCounterexample | Witness):
        return (False, 0.0) if math.isclose(rule.bound, target.value, rel_tol=1e-9) else None
    if not isinstance(rule, Region):
        return None
    low = -math.inf if rule.low is None else rule.low
    high = math.inf if rule.high is None else rule.high
    if not low <= target.value <= high:
        return None
    if math.isinf(high - low):
        return True, min(target.value - low, high - target.value)
    return False, abs(target.value - (low + high) / 2) / ((high - low) or 1.0)


def of_part(outcome: AnyOutcome, number: int) -> AnyOutcome:
    """Return the outcome of one part; the whole where it was judged before parts were kept, or has none."""
    return outcome.parts[number] if number < len(outcome.parts) else outcome


def part_words(rule: StatisticRule) -> str:
    """Return in a few words what a part measures. Names are a model's: whoever shows them makes them harmless."""
    methods = methods_of(rule)
    if isinstance(rule, Ordering):
        return f"cells in which {rule.quantity} is in order: {', '.join(methods)}"
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
