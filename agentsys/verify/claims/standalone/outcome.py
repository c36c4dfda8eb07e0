"""What a rule says of rows: holds, fails or undecided, with the number behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .statistics import Estimate, Undecided

HOLDS = "holds"
FAILS = "fails"
UNDECIDED = "undecided"


@dataclass(frozen=True)
class Outcome:
    """State of a rule with its reason codes; value and interval in the rule's unit, n counts seeds or instances."""

    state: str
    reasons: tuple[str, ...] = ()
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    detail: str = ""
    parts: tuple[Outcome, ...] = ()
    """Of a rule that is made of several: theirs, in its order."""

    def document(self) -> dict[str, object]:
        """Return plain JSON; what is not finite is None, and parts are left out where there are none."""
        found: dict[str, object] = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in vars(self).items()
        }
        found["reasons"] = list(self.reasons)
        found["parts"] = [each.document() for each in self.parts]
        return found if self.parts else {key: value for key, value in found.items() if key != "parts"}


def undecided(error: Undecided) -> Outcome:
    """Return the outcome of a statistic that could not be formed."""
    return Outcome(UNDECIDED, (error.code,), detail=error.detail)


def in_region(estimate: Estimate, low: float | None, high: float | None, effect: float | None = None) -> Outcome:
    """Decide by an interval: within [low, high] it holds, outside it fails, astride or without power it is open.

    Args:
        effect: the effect that the paper claims; an interval that is wider has no power.
    """
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return Outcome(UNDECIDED, ("not_finite",), n=estimate.n, detail="the statistic overflows")
    bottom = -math.inf if low is None else low
    top = math.inf if high is None else high
    state, reasons = UNDECIDED, ("interval_astride",)
    if bottom <= estimate.low and estimate.high <= top:
        state, reasons = HOLDS, ()
    elif estimate.high < bottom or estimate.low > top:
        state, reasons = FAILS, ()
    if effect and estimate.high - estimate.low > effect:
        state, reasons = UNDECIDED, ("no_power",)
    return Outcome(state, reasons, estimate.value, estimate.low, estimate.high, estimate.n)


def all_of(outcomes: list[Outcome]) -> Outcome:
    """Combine: all hold, or one fails, or it is undecided; the numbers are those of the outcome that decides."""
    for state in (FAILS, UNDECIDED):
        worst = [each for each in outcomes if each.state == state]
        if worst:
            reasons = tuple(dict.fromkeys(code for each in worst for code in each.reasons))
            return replace(worst[0], reasons=reasons, parts=tuple(outcomes))
    return replace(outcomes[0], parts=tuple(outcomes))


def negated(outcome: Outcome) -> Outcome:
    """Return the outcome of a rule that holds where the given one fails."""
    turned = {HOLDS: FAILS, FAILS: HOLDS}.get(outcome.state, outcome.state)
    return replace(outcome, state=turned)
