"""From what the rules found to a verdict: a pure table, and never a model's word."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .outcome import FAILS, HOLDS

DIRECTIONS = ("supports", "contradicts")
"""Reason codes of what rows say of the claim, whatever becomes of it."""
VERDICTS = ("verified", "falsified", "toy", "inconclusive", "contested", "blocked")


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
        lacking = ("missing",) if evidence.missing else ()
        return Decision("contested", ("paper_contradicts_itself", *_of_the_reading(evidence), *lacking))
    if not evidence.has_rules:
        return Decision("inconclusive", ("no_rule",))
    if not evidence.has_rows:
        return Decision("inconclusive", ("no_rows",))
    if evidence.checker == "disagrees":
        return Decision("contested", ("checker_disagrees",))
    return None


def _of_the_reading(evidence: Evidence) -> tuple[str, ...]:
    """What rows say of the reading that the contract fixed, where they would decide: told, and no verdict."""
    found = decide(replace(evidence, contradicted=False))
    return found.reasons[:1] if found.verdict in ("verified", "falsified") else ()


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
