"""One run a status, its report compared with a stored page; `UPDATE_GOLDEN=1 pytest tests/unit/report` renews them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agentsys.report.data import ReportData, collect
from agentsys.report.html import html
from agentsys.report.jsonform import as_json
from agentsys.report.markdown import markdown
from agentsys.report.summary import MAX_LINES, summary

from .made import STATES, make

GOLDEN = Path(__file__).parent / "golden"
FORMS: dict[str, Callable[[ReportData], str]] = {"txt": summary, "md": markdown, "html": html}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("state", STATES)
def test_report_is_the_stored_one(tmp_path: Path, state: str, form: str) -> None:
    page = FORMS[form](collect(make(tmp_path, state))).replace(str(tmp_path), "RUNS").rstrip("\n") + "\n"
    stored = GOLDEN / f"{state}.{form}"
    if os.environ.get("UPDATE_GOLDEN"):
        stored.parent.mkdir(exist_ok=True)
        stored.write_text(page, encoding="utf-8")
    assert page == stored.read_text(encoding="utf-8")


@pytest.mark.parametrize("state", STATES)
def test_report_is_a_pure_function_of_the_directory(tmp_path: Path, state: str) -> None:
    run = make(tmp_path, state)
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    pages = [[form(collect(run)) for form in (*FORMS.values(), as_json)] for _ in range(2)]
    assert pages[0] == pages[1]
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


@pytest.mark.parametrize("state", STATES)
def test_summary_has_the_verdict_first_and_at_most_20_lines(tmp_path: Path, state: str) -> None:
    lines = summary(collect(make(tmp_path, state))).splitlines()
    assert len(lines) <= MAX_LINES == 20
    words = {"unverified": "not verified", "blocked": "refused", "limit": "stopped at a limit"}
    assert lines[0].startswith(words.get(state, state))
    last = lines[-1].split()[0]
    assert last == ("run" if state == "verified" else "next")
