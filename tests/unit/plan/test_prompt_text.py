"""Diagnostics as the debugger is shown them."""

from __future__ import annotations

from agentsys.core.artifacts import Diagnostic
from agentsys.plan.prompt_text import MAX_DIAGNOSTICS, MAX_SHORT, diagnostics_text


def rows(count: int) -> list[Diagnostic]:
    return [
        Diagnostic(
            kind="test", check="faults", path="tests/test_a.py", message=f"`test_{number}` passes\nwhatever {number}"
        )
        for number in range(count)
    ]


def test_of_diagnostics_beyond_the_first_each_is_told_in_one_line() -> None:
    text = diagnostics_text(rows(MAX_DIAGNOSTICS + 2))
    *_, short = text.split("\n\n")
    assert short.splitlines()[0] == "In short:" and len(short.splitlines()) == 3
    assert short.splitlines()[-1] == "- test (faults) in tests/test_a.py: `test_13` passes whatever 13"
    assert "left out" not in text


def test_of_very_many_diagnostics_the_rest_is_counted() -> None:
    text = diagnostics_text(rows(MAX_DIAGNOSTICS + MAX_SHORT + 7))
    assert text.endswith("(7 more left out)")
