"""The table of the paper's numbers and the measured ones. A measured number comes from results.json or is absent."""

from __future__ import annotations

from pathlib import Path

from agentsys.artifacts import ExpectedResult, MeasuredResult, Plan
from agentsys.verify.results_file import Results, ResultsError, parse_results


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


def relative_difference(row: MeasuredResult) -> float | None:
    """Return |measured - paper| / |paper|; None where nothing was measured or the paper's number is 0."""
    if row.measured is None or row.expected.value == 0:
        return None
    return abs(row.measured - row.expected.value) / abs(row.expected.value)


def _row(item: ExpectedResult, results: Results | None, profile: str) -> MeasuredResult:
    if results is None:
        return MeasuredResult(expected=item, note="not measured: the run left no sound results file")
    if not item.result_key:
        return MeasuredResult(expected=item, note="not attempted: the plan names no key for it")
    scale = f"{profile} profile"
    said = results.words("scale")
    scale = f"{scale}: {said}" if said else scale
    measured = results.value(item.result_key)
    reason = results.reason(item.result_key)
    if measured is None:
        note = f"not attempted at this scale: {reason}" if reason else "not measured: no value and no reason"
        return MeasuredResult(expected=item, scale=scale, note=note)
    note = "" if profile == "full" else "measured at a smaller scale than the paper's"
    return MeasuredResult(expected=item, measured=measured, scale=scale, note=note)
