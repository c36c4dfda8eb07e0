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


def test_a_fault_of_many_numbers_or_places_is_told_once_with_all_of_them() -> None:
    row = Diagnostic(kind="result", check="dependence", message="`a` = 0 is not computed", path="m/a.py", detail="runs")
    other = row.model_copy(update={"message": "`b` = 1.5 is not computed", "path": "m/b.py", "requirements": ("R1",)})
    test = Diagnostic(
        kind="test", check="pytest", message="KeyError: 'k'", path="t.py", line=3, symbol="test_a", detail="x"
    )
    text = diagnostics_text([row, other, test, test.model_copy(update={"line": 9, "symbol": "test_b"})])
    assert text.count("is not computed") == 1 and text.count("runs") == 1
    assert "[2] the same as [1] of `b` = 1.5 at m/b.py [touches R1]" in text
    assert "[4] the same as [3] in `test_b` at t.py:9" in text


def test_what_differs_in_its_words_is_told_whole() -> None:
    row = Diagnostic(kind="result", check="dependence", message="`a` = 0 is not computed")
    text = diagnostics_text([row, row.model_copy(update={"message": "`a` = 0 hardly moves"})])
    assert "the same as" not in text and "hardly moves" in text


def test_of_a_long_list_the_beginning_is_told_and_of_other_details_all() -> None:
    detail = "\n".join(f"line {number}" for number in range(20))
    row = Diagnostic(kind="test", check="faults", message="m", detail=detail)
    text = diagnostics_text([row])
    assert text.endswith("line 3\n... 16 more lines ...") and "line 4" not in text
    assert "line 19" in diagnostics_text([row.model_copy(update={"check": "pytest"})])
