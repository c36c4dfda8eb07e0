"""The table of the paper's numbers and the measured ones. A measured number comes from results.json or is absent.

Each row has a grade, by the difference from the paper's number relative to it (`difference`):

    under 2 %       less than 2 %
    within 20 %     at most 20 %
    within 40 %     at most 40 %
    beyond          more
    not attempted   the run says why: the hardware, the data or the scale do not allow it
    not measured    there is neither a number nor a reason

A claim that is a bound (`at_most`, `at_least`) is graded by how far the measured number lies beyond the bound; one that
keeps the bound differs by 0 and is `under 2 %`. Where the paper's number is 0 nothing can be relative to it: the
difference is then the measured number itself, in the metric's own unit, or by 100 where that unit is per cent. A grade
says nothing about scale: it is always shown with the scale that was run.
"""

from __future__ import annotations

from pathlib import Path

from agentsys.core.artifacts import ExpectedResult, Grade, MeasuredResult, Plan
from agentsys.verify.results_file import Results, ResultsError, parse_results

_ROUNDING = 1e-9
"""Numbers of the paper are decimal: 14.4 is within 20 % of 12, whatever its binary form."""


def compare(plan: Plan, results: Results | None, *, profile: str = "smoke") -> tuple[MeasuredResult, ...]:
    """Put each number that the paper reports beside what the run measured.

    Args:
        results: what the run wrote; None if there is no sound results file.
        profile: the profile that was run; it says at which scale the numbers were measured.
    """
    return tuple(_row(item, results, profile) for item in plan.expected)


def compare_file(plan: Plan, path: Path, *, profile: str = "smoke") -> tuple[MeasuredResult, ...]:
    """Read `path` (results.json) and compare; a missing or unsound file measures nothing."""
    try:
        results = parse_results(path.read_bytes())
    except (OSError, ResultsError):
        results = None
    return compare(plan, results, profile=profile)


def larger_scale(rows: tuple[MeasuredResult, ...], full: tuple[MeasuredResult, ...]) -> tuple[MeasuredResult, ...]:
    """Put the numbers of the full profile in the place of the smoke profile's, which stay beside them as `smoke`.

    What the full profile did not measure keeps the smoke profile's row.
    """
    measured = {row.expected.id: row for row in full if row.measured is not None}
    return tuple(
        measured[row.expected.id].model_copy(update={"smoke": row.measured}) if row.expected.id in measured else row
        for row in rows
    )


def difference(item: ExpectedResult, measured: float) -> float:
    """Return by how much a number misses what the paper reports, as a share of it; see the head of this module."""
    excess = measured - item.value
    if item.relation == "at_most":
        excess = max(excess, 0.0)
    elif item.relation == "at_least":
        excess = min(excess, 0.0)
    scale = abs(item.value) or (100.0 if "%" in item.unit else 1.0)
    return abs(excess) / scale


def grade(item: ExpectedResult, measured: float) -> Grade:
    """Return the grade of a measured number."""
    missed = difference(item, measured)
    if missed < 0.02 * (1 - _ROUNDING):
        return "under 2 %"
    if missed <= 0.20 * (1 + _ROUNDING):
        return "within 20 %"
    return "within 40 %" if missed <= 0.40 * (1 + _ROUNDING) else "beyond"


def _row(item: ExpectedResult, results: Results | None, profile: str) -> MeasuredResult:
    if results is None:
        note = "not measured: the run left no sound results file"
        return MeasuredResult(expected=item, note=note, profile=profile)
    if not item.result_key:
        note = "not attempted: the plan names no key for it"
        return MeasuredResult(expected=item, note=note, grade="not attempted", profile=profile)
    scale = f"{profile} profile"
    said = results.words("scale")
    scale = f"{scale}: {said}" if said else scale
    measured = results.value(item.result_key)
    reason = results.reason(item.result_key)
    if measured is None:
        note = f"not attempted at this scale: {reason}" if reason else "not measured: no value and no reason"
        word: Grade = "not attempted" if reason else "not measured"
        return MeasuredResult(expected=item, scale=scale, note=note, grade=word, profile=profile)
    note = "" if profile == "full" else "measured at a smaller scale than the paper's"
    return MeasuredResult(
        expected=item, measured=measured, scale=scale, note=note, grade=grade(item, measured), profile=profile
    )
