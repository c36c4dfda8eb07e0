"""Yesterday's idioms: the coder is told of those that the plan touches, the debugger what stands for them."""

from __future__ import annotations

import re

import pytest

from agentsys.core.prompts import render
from agentsys.plan.removals import replacements, table, touched


def test_rows_name_library_version_and_source_and_silent_changes_come_first() -> None:
    kinds = [bool(row.error) for row in table()]
    assert kinds == sorted(kinds) and not all(kinds)
    for row in table():
        assert re.fullmatch(r"\d+(\.\d+)+", row.since), row
        assert row.source.startswith("https://")
        assert (row.fails and row.works) if row.error else row.shows, row.old


@pytest.mark.parametrize("code", [code for row in table() for code in (row.fails, row.works, row.shows) if code])
def test_code_of_a_row_is_python(code: str) -> None:
    compile(code, "row", "exec")


def test_only_libraries_of_the_plan_are_named_and_only_releases_that_it_allows() -> None:
    assert {row.library for row in touched([("NumPy", ""), ("sklearn", "")])} == {"numpy", "scikit-learn"}
    assert {row.library for row in touched([("gym", "")])} == {"gymnasium"}
    assert touched([("rich", "")]) == []
    old = {row.since for row in touched([("numpy", ">=1.20,<2")])}
    new = {row.since for row in touched([("numpy", ">=2,<3")])}
    assert "2.0" not in old and "1.24" in old
    assert {"1.24", "2.0", "2.4"} <= new
    assert "2.4" not in {row.since for row in touched([("numpy", "==2.1.*")])}


ERRORS = {
    "AttributeError: `np.Inf` was removed in the NumPy 2.0 release. Use `np.inf` instead.": "np.inf",
    "AttributeError: module 'numpy' has no attribute 'trapz'": "np.trapezoid",
    "AttributeError: 'DataFrame' object has no attribute 'append'": "pd.concat",
    "ValueError: too many values to unpack (expected 4)": "truncated",
    "_pickle.UnpicklingError: Weights only load failed. This file can still be loaded": "weights_only=False",
    "TypeError: OneHotEncoder.__init__() got an unexpected keyword argument 'sparse'": "sparse_output",
    "ImportError: cannot import name 'AdamW' from 'transformers' (/x/transformers/__init__.py)": "torch.optim.AdamW",
}


@pytest.mark.parametrize("error", ERRORS)
def test_replacement_stands_beside_the_error(error: str) -> None:
    assert any(ERRORS[error] in row.new for row in replacements(f"tests/test_a.py:3: in f\nE   {error}"))


def test_errors_of_other_kinds_get_no_replacement() -> None:
    assert replacements("ValueError: operands could not be broadcast together\nAssertionError: assert 1 == 2") == []


def test_prompts_name_them_only_where_there_are_any() -> None:
    words = touched([("numpy", "")])[0].words
    values: dict[str, object] = dict.fromkeys(
        ("checks", "diagnostics", "history", "tried", "sections", "edit_format"), ""
    )
    values |= {"round": 1, "max_rounds": 2, "looks": 3, "analyses": [], "reviewed": False, "fence": "Q1"}
    values |= {"sources": {}, "raw": {}, "logs": {}, "others": {}, "experiments": [], "lost": None}
    assert words in render("debug/debug", replacements=[words], **values)
    assert "idiom is gone" not in render("debug/debug", replacements=[], **values)
