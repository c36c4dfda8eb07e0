"""Reports of one run a status; `UPDATE_GOLDEN=1 pytest tests/unit/report` renews the stored pages."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agentsys.report import facts
from agentsys.report.data import ReportData, collect
from agentsys.report.markdown import markdown
from agentsys.report.pages import as_json
from agentsys.report.summary import MAX_LINES, summary
from agentsys.report.verdict import headline, next_command
from agentsys.report.view.onefile import html

from .made import STATES, Page, make

GOLDEN = Path(__file__).parent / "golden"
FORMS: dict[str, Callable[[ReportData], str]] = {"txt": summary, "md": markdown, "html": html}


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_report_is_the_stored_one(tmp_path: Path, name: str) -> None:
    state, form = name.split(".")
    page = FORMS[form](collect(make(tmp_path, state))).replace(str(tmp_path), "RUNS").rstrip("\n") + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(page, encoding="utf-8")
    assert page == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("state", STATES)
def test_every_fact_stands_in_the_page(tmp_path: Path, state: str) -> None:
    data = collect(make(tmp_path, state))
    text = Page(html(data)).text
    rows = [*facts.overview(data), *facts.provenance(data), *facts.requirements(data), *facts.decisions(data)]
    rows += [*facts.findings(data), *facts.numbers(data.measured), [headline(data), next_command(data)]]
    rows += [facts.check_cells(check) for item in data.rounds if item.verdict for check in item.verdict.checks]
    assert [cell for row in rows for cell in row if cell not in text] == []


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
