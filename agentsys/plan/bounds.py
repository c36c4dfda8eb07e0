"""Bounds that the paper claims: taken for bounds only where its own words say so, with the number."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from agentsys.core.artifacts import ExpectedResult
from agentsys.paper.model import Paper
from agentsys.paper.query import plain, words_of

_BOUND = re.compile(
    r"(?i)\b(at most|at least|less than|more than|fewer than|greater than|no more|no less|exceeds?|up to|below|above"
    r"|under|over|within|bound(?:ed|s)?|minimum|maximum|(?:small|larg|low|high)er than)\b|[<>\u2264\u2265]|\\[lg]eq?\b"
)
_NUMBER = re.compile(r"[-+\u2212]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def stated(rows: Sequence[ExpectedResult], paper: Paper) -> tuple[ExpectedResult, ...]:
    """Return expected results; one whose quotation does not state a bound on its very number is the number itself.

    A number that may only be missed on one side is hardly ever missed: a plan cannot make its own task easier.
    """
    text = f" {plain(words_of(paper))} "
    return tuple(
        row if row.relation == "equal" or _states(row, text) else row.model_copy(update={"relation": "equal"})
        for row in rows
    )


def _states(row: ExpectedResult, text: str) -> bool:
    quote = row.place.quote
    there = bool(plain(quote)) and f" {plain(quote)} " in text
    return there and _BOUND.search(quote) is not None and _holds(quote, row.value)


def _holds(quote: str, value: float) -> bool:
    """True where the number stands in the quotation, as it is or as a percentage of it."""
    numbers = [float(number.replace("\u2212", "-")) for number in _NUMBER.findall(quote)]
    return any(
        math.isclose(number, value * factor, rel_tol=1e-9) for number in numbers for factor in (1.0, 100.0, 0.01)
    )
