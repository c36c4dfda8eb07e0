"""The numbers of a replay beside those of the verification before it: the same tree gives the same numbers."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from agentsys.core.artifacts import Diagnostic
from agentsys.verify.checks.base import Bench, Found
from agentsys.verify.checks.smoke import SCRIPT
from agentsys.verify.dependence.report import FILE, Dependence
from agentsys.verify.dependence.scale import is_time
from agentsys.verify.dependence.variants import CHECK_NAME, measured
from agentsys.verify.results_file import Results, ResultsError, parse_results

TOLERANCE = 1e-6
"""Relative difference between a run and its replay."""
RANDOM_TOLERANCE = 1e-3
"""The same for a number that moves with the seed: chance magnifies the order in which threads add up."""


def compare_with_earlier(bench: Bench, results: Results, earlier: Path) -> Found:
    """Compare each number with the one measured before.

    Args:
        earlier: folder of the verification of the same tree.
    """
    try:
        before = measured(parse_results((earlier / "results.json").read_bytes()), bench.job.plan)
        shown = Dependence.model_validate_json((earlier / FILE).read_bytes())
    except (OSError, ResultsError, ValidationError) as error:
        message = f"there is nothing to compare the replay with: {type(error).__name__}"
        return bench.failed(Diagnostic(kind="result", check=CHECK_NAME, message=message))
    clocks = {row.result_key for row in bench.job.plan.expected if is_time(row)}
    now = measured(results, bench.job.plan)
    found = [
        _fault(key, before.get(key), now.get(key))
        for key in dict.fromkeys([*before, *now])
        if key not in clocks and not agrees(before.get(key), now.get(key), _tolerance(shown, key))
    ]
    if found:
        return Found(bench.check(CHECK_NAME, "failed", found[0].message), tuple(found))
    count = len(set(before) - clocks)
    note = f"{count} numbers are those of {earlier.name}, from another folder, home, time zone and hash seed"
    return Found(bench.check(CHECK_NAME, "passed", note, counts={"numbers": count}))


def _tolerance(shown: Dependence, key: str) -> float:
    row = shown.of(key)
    return RANDOM_TOLERANCE if row is not None and row.random else TOLERANCE


def agrees(before: float | None, now: float | None, tolerance: float) -> bool:
    """True where two measured numbers differ by no more than a relative tolerance, or both are absent."""
    if before is None or now is None:
        return before is now
    return abs(before - now) <= tolerance * max(abs(before), abs(now))


def _fault(key: str, before: float | None, now: float | None) -> Diagnostic:
    words = [f"{value!r}" if value is not None else "absent" for value in (before, now)]
    message = (
        f"`{key}` is {words[1]} in the replay and was {words[0]} before: the same code must give the same number in "
        "another folder and at another time; seed every generator, and take nothing from clock, path or environment"
    )
    return Diagnostic(kind="result", check=CHECK_NAME, message=message, path=SCRIPT, symbol=key)
