"""The table of the paper's numbers and the measured ones. A measured number comes from results.json or is absent.

Each row has a grade, by the difference from the paper's number relative to it (`difference`):

    agrees to the printed digits    less than 2 %, and the same number when rounded as the paper prints it
    under 2 %       less than 2 %
    within 20 %     at most 20 %
    within 40 %     at most 40 %
    beyond          more
    not attempted   the run says why: the hardware, the data or the scale do not allow it
    not measured    there is neither a number nor a reason

A claim that is a bound (`at_most`, `at_least`) is graded by how far the measured number lies beyond the bound; one that
keeps the bound differs by 0 and is `under 2 %`. Where the paper's number is 0 nothing can be relative to it: the
difference is then the measured number itself, in the metric's own unit, or by 100 where that unit is per cent. Of a
logarithm (unit log10, ln or dB) the quantity itself is compared: 0.3 more in log10 is twice as much. A grade says
nothing about scale: it is always shown with the scale that was run.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from agentsys.core.artifacts import ExpectedResult, Grade, MeasuredResult, Plan
from agentsys.verify.results_file import Results, ResultsError, parse_results

_ROUNDING = 1e-9
"""Numbers of the paper are decimal: 14.4 is within 20 % of 12, whatever its binary form."""
_LOGARITHMS = (
    (re.compile(r"\blog[_ ]?\{?(10|₁₀)", re.IGNORECASE), math.log(10)),
    (re.compile(r"^ln\b|\blog_?e\b|\b[Nn]atural log"), 1.0),
    (re.compile(r"\bdB\b|\bdecibels?\b"), math.log(10) / 10),
)
"""Unit, and the natural logarithm of what one of it multiplies the quantity by."""
_NUMBER = re.compile(r"[-+\u2212]?\d+(?:\.\d+)?")


def compare(
    plan: Plan, results: Results | None, *, profile: str = "smoke", paper_scale: bool = False
) -> tuple[MeasuredResult, ...]:
    """Put each number that the paper reports beside what the run measured.

    Args:
        results: what the run wrote; None if there is no sound results file.
        profile: the profile that was run; it says at which scale the numbers were measured.
        paper_scale: the profile's settings are the full one's; of the full profile it is always so.
    """
    full = paper_scale or profile == "full"
    return tuple(_scaled(_row(item, results, profile), full) for item in plan.expected)


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
    if (base := _logarithm(item)) is not None:
        return abs(math.expm1(min(excess * base, 700.0)))
    scale = abs(item.value) or (100.0 if "%" in item.unit else 1.0)
    return abs(excess) / scale


def printed_half(item: ExpectedResult) -> float:
    """Return half a unit of the last digit with which the paper prints a number, as far as the plan has kept it."""
    texts = [text.replace("\u2212", "-") for text in _NUMBER.findall(item.place.quote)]
    alike = [text for text in texts if float(text) == item.value]
    text = max([_shortest(item.value), *alike], key=lambda each: len(each.partition(".")[2]))
    mantissa, _, exponent = text.partition("e")
    return 0.5 * 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def _shortest(value: float) -> str:
    text = repr(float(value))
    return text.removesuffix(".0")


def _logarithm(item: ExpectedResult) -> float | None:
    """Return by what one of a logarithmic unit multiplies the quantity, as a natural logarithm; None for others."""
    if not item.unit:
        pattern, base = _LOGARITHMS[0]
        return base if pattern.search(item.metric) else None
    return next((base for unit, base in _LOGARITHMS if unit.search(item.unit)), None)


def grade(item: ExpectedResult, measured: float) -> Grade:
    """Return the grade of a measured number."""
    missed = difference(item, measured)
    if missed < 0.02 * (1 - _ROUNDING):
        same = abs(measured - item.value) <= printed_half(item) * (1 + _ROUNDING)
        return "agrees to the printed digits" if same and item.relation == "equal" else "under 2 %"
    if missed <= 0.20 * (1 + _ROUNDING):
        return "within 20 %"
    return "within 40 %" if missed <= 0.40 * (1 + _ROUNDING) else "beyond"


def _scaled(row: MeasuredResult, full: bool) -> MeasuredResult:
    smaller = row.measured is not None and not full
    note = "measured at a smaller scale than the paper's" if smaller else row.note
    return row.model_copy(update={"paper_scale": full, "note": note})


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
    return MeasuredResult(expected=item, measured=measured, scale=scale, grade=grade(item, measured), profile=profile)
