"""From what the rules found to a verdict: a pure table, and never a model's word."""

from __future__ import annotations

from dataclasses import dataclass

from .outcome import FAILS, HOLDS

VERDICTS = ("verified", "falsified", "toy", "inconclusive", "contested", "blocked")

REASONS = {
    "supports": "the rows meet the acceptance rule",
    "contradicts": "the rows meet the falsification condition",
    "missing": "data, hardware or a detail is missing",
    "no_rule": "the claim is qualitative and has no rule",
    "no_rows": "there are no rows",
    "paper_contradicts_itself": "the paper says the opposite elsewhere",
    "checker_disagrees": "the independent checker gets another result",
    "rules_collide": "the rows meet both rules",
    "between_rules": "the rows meet neither the acceptance rule nor the falsification condition",
    "control_missing": "there are no rows of the control",
    "control_holds": "the rule also holds on the control: it shows nothing",
    "control_open": "the rule does not decide on the control",
    "degenerate_missing": "there are no rows of the degenerate case",
    "degenerate_fails": "the degenerate case does not hold exactly",
    "seeds_missing": "fewer seeds than the contract asks",
    "seeds_chosen": "seeds are not 0, 1, 2, ...: some may have been left out",
    "horizon_short": "the axis was not swept far enough",
    "units_differ": "rows are in a unit that does not compare with the rule's",
    "baseline_off": "a baseline misses the number that the paper reports for it",
    "baseline_missing": "there are no rows of a baseline",
    "padding_counted": "padded or masked positions entered the metric",
    "padding_unknown": "the rows do not say how many positions were padded",
    "review_found": "the code of this claim differs from the paper",
    "review_missing": "no reviewer compared the code of this claim with the paper",
    "checker_missing": "no independent checker recomputed it",
    "paper_silent": "the paper does not say all that the experiment needs",
    "below_scale": "the scale is below the one from which on it is evidence",
    "grid_incomplete": "values of the paper's grid were not run",
    "drift": "the statistic still moves when the axis doubles",
    "interval_astride": "the interval reaches over a bound of the rule",
    "no_power": "the interval is wider than the effect",
    "no_interval": "one seed gives no interval",
    "too_few_seeds": "too few seeds for this statistic",
    "seeds_identical": "all seeds give the same value: the seed has no influence",
    "not_deterministic": "seeds of a deterministic claim differ",
    "too_few_points": "too few points along the axis",
    "axis_missing": "a setting has no number for the axis",
    "cells_missing": "cells of the grid have no rows",
    "cells_open": "too many cells are undecided",
    "duplicate_rows": "a seed and setting stand there twice",
    "unpaired": "methods ran on different seeds or settings",
    "not_finite": "a value is not finite",
    "not_positive": "a logarithm needs values above 0",
    "not_exact": "a value is not an integer or a fraction",
    "baseline_near_zero": "a baseline is too near 0 for a ratio",
    "search_short": "fewer instances were searched than the rule asks",
    "on_the_bound": "every instance attains the bound: it holds by construction",
    "rounding": "within rounding of the bound",
    "unconfirmed": "not confirmed in exact arithmetic",
}
"""Every reason code, in words."""


@dataclass(frozen=True)
class Evidence:
    """All that a verdict rests on.

    `accept`, `falsify`, `control` and `degenerate` are `holds`, `fails`, `undecided` or `absent`; `control` is what
    `accept` says of the control's rows. `flaws` are reason codes of what spoils the rows, `undecided` those that left a
    rule open, `small` those that make them toy. `checker` is agrees, disagrees or absent, `reviewer` clean, finding or
    absent.
    """

    accept: str
    falsify: str
    control: str = "absent"
    degenerate: str = "absent"
    needs_degenerate: bool = False
    has_rules: bool = True
    has_rows: bool = True
    flaws: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    small: tuple[str, ...] = ()
    checker: str = "absent"
    reviewer: str = "absent"
    contradicted: bool = False
    silent: bool = False
    missing: bool = False


@dataclass(frozen=True)
class Decision:
    """A verdict and its reason codes, the deciding ones first."""

    verdict: str
    reasons: tuple[str, ...]


def decide(evidence: Evidence) -> Decision:
    """Return the verdict of a claim.

    A falsification asks for all that a verification asks, and for a checker that agrees, a review that found nothing
    and a paper that is not silent.
    """
    if early := _before_the_rules(evidence):
        return early
    flaws = _flaws(evidence)
    if evidence.accept == HOLDS and evidence.falsify == HOLDS:
        return Decision("inconclusive", ("rules_collide", *flaws))
    direction = _direction(evidence)
    if flaws or not direction:
        # What is decided against the claim without meeting `falsify` is no verdict against it.
        between = () if direction or evidence.undecided else ("between_rules",)
        return Decision("inconclusive", _once(*(() if direction else evidence.undecided), *flaws, *between))
    if evidence.small or evidence.missing:
        return Decision("toy", _once(direction, *evidence.small, *(["missing"] if evidence.missing else [])))
    doubts = _doubts(evidence)
    if direction == "contradicts" and doubts:
        return Decision("inconclusive", _once(*doubts, direction))
    return Decision("verified" if direction == "supports" else "falsified", _once(direction, *doubts))


def _before_the_rules(evidence: Evidence) -> Decision | None:
    if evidence.missing and not evidence.has_rows:
        return Decision("blocked", ("missing",))
    if evidence.contradicted:
        return Decision("contested", ("paper_contradicts_itself",))
    if not evidence.has_rules:
        return Decision("inconclusive", ("no_rule",))
    if not evidence.has_rows:
        return Decision("inconclusive", ("no_rows",))
    if evidence.checker == "disagrees":
        return Decision("contested", ("checker_disagrees",))
    return None


def _direction(evidence: Evidence) -> str:
    if evidence.accept == HOLDS and evidence.falsify != HOLDS:
        return "supports"
    if evidence.falsify == HOLDS and evidence.accept != HOLDS:
        return "contradicts"
    return ""


def _flaws(evidence: Evidence) -> tuple[str, ...]:
    """What forbids any verdict, for or against the claim."""
    found = list(evidence.flaws)
    if evidence.control != FAILS:
        found.append({HOLDS: "control_holds", "absent": "control_missing"}.get(evidence.control, "control_open"))
    if evidence.needs_degenerate and evidence.degenerate != HOLDS:
        found.append("degenerate_missing" if evidence.degenerate == "absent" else "degenerate_fails")
    if evidence.reviewer == "finding":
        found.append("review_found")
    return _once(*found)


def _doubts(evidence: Evidence) -> tuple[str, ...]:
    """What forbids a falsification and is told beside a verification."""
    found: list[str] = []
    if evidence.checker != "agrees":
        found.append("checker_missing")
    if evidence.reviewer != "clean":
        found.append("review_missing")
    if evidence.silent:
        found.append("paper_silent")
    return tuple(found)


def _once(*codes: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))
