"""What a report says of the ledger: evidence first, what has none by name, and the faults that no test notices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.rundir import RunDir
from agentsys.report.data import ReportData, collect
from agentsys.report.markdown import markdown
from agentsys.report.pages import as_json
from agentsys.report.summary import MAX_LINES, summary
from agentsys.report.view.onefile import html
from agentsys.verify.fidelity.mutation_report import MutationReport, TriedMutant
from agentsys.verify.fidelity.papermap import SHOWN_MEANS

from .made import make, plan, write_json

FORMS = {"txt": summary, "md": markdown, "html": html}


def named_run(folder: Path) -> RunDir:
    """A verified run whose plan names symbols: R1 is tested, R2 is written, R3 is not there."""
    run = make(folder, "verified")
    symbols = {"R1": ("update",), "R2": ("untested",), "R3": ("absent",)}
    files = tuple(
        spec.model_copy(update={"symbols": symbols, "requirements": tuple(symbols)})
        if spec.path == "made/core.py"
        else spec
        for spec in plan().files
    )
    write_json(run.plan / "plan.json", plan().model_copy(update={"files": files}))
    (run.repo / "made/core.py").write_text("def update(x):\n    return x\n\n\ndef untested(x):\n    return x\n")
    tests = {
        "outcomes": {"tests/test_core.py::test_update": "passed"},
        "functions": {"tests/test_core.py::test_update": ["made/core.py:update"]},
    }
    write_json(run.round(2) / "tests.json", tests)
    base = {"path": "made/core.py", "symbol": "update", "line": 2, "before": "x", "after": "-x", "fault": "sign"}
    row = TriedMutant.model_validate({**base, "number": 1, "state": "caught", "by": "tests/test_core.py::test_update"})
    write_json(run.round(2) / "faults.json", MutationReport(tree="0" * 32, mutants=(row,)))
    return run


def planted(run: RunDir, tree: str = "0" * 32, note: str = "") -> None:
    base = {"path": "made/core.py", "symbol": "update", "line": 2, "before": "x", "after": "-x"}
    rows = (
        TriedMutant.model_validate({**base, "number": 1, "fault": "sign flipped", "state": "caught", "by": "t::a"}),
        TriedMutant.model_validate({**base, "number": 2, "fault": "sqrt dropped", "state": "survived"}),
        TriedMutant.model_validate({**base, "number": 3, "fault": "wrong axis", "state": "not_run"}),
    )
    write_json(run.rounds / "mutation.json", MutationReport(tree=tree, mutants=rows, note=note))


def look(run: RunDir) -> ReportData:
    return collect(run)


def test_summary_says_how_many_are_shown_and_names_the_others(tmp_path: Path) -> None:
    text = summary(look(named_run(tmp_path)))
    (line,) = [line for line in text.splitlines() if line.startswith("  evidence")]
    words = "1 of 3 requirements shown by a fault noticed or a result; not done: R3; no evidence: R2; "
    assert line.split(maxsplit=1)[1] == words + SHOWN_MEANS


def test_what_is_executed_and_no_more_has_its_own_word_and_counts_as_not_shown(tmp_path: Path) -> None:
    run = named_run(tmp_path)
    (run.round(2) / "faults.json").unlink()
    text = summary(look(run))
    assert "0 of 3 requirements shown" in text and "executed only: R1" in text and SHOWN_MEANS in text


@pytest.mark.parametrize("form", ["md", "html"])
def test_what_has_no_evidence_stands_before_the_numbers(tmp_path: Path, form: str) -> None:
    page = FORMS[form](look(named_run(tmp_path)))
    title, first, second = (
        page.index(word) for word in ("without owner or evidence", "R3 is not done", "R2 is written")
    )
    assert title < first < second < page.index("What is not reproduced") < page.index("Numbers of the paper")


def test_ledger_has_a_column_of_evidence(tmp_path: Path) -> None:
    assert "shown: 1 test" in html(look(named_run(tmp_path)))


def test_a_plan_without_names_is_said(tmp_path: Path) -> None:
    assert "the plan names no symbols" in summary(look(make(tmp_path, "verified")))


@pytest.mark.parametrize("form", list(FORMS))
def test_share_of_noticed_faults_is_said_without_those_not_tried(tmp_path: Path, form: str) -> None:
    run = named_run(tmp_path)
    planted(run)
    assert "the tests noticed 1 of 2 planted faults; 1 not tried" in FORMS[form](look(run))


@pytest.mark.parametrize("form", ["md", "html"])
def test_faults_that_no_test_notices_are_listed_with_their_place(tmp_path: Path, form: str) -> None:
    run = named_run(tmp_path)
    planted(run)
    page = FORMS[form](look(run))
    assert "tests do not notice: sqrt dropped at made/core.py:2" in page.replace("\\_", "_")
    assert form == "md" or "noticed by t::a" in page


def test_why_faults_were_not_tried_is_said(tmp_path: Path) -> None:
    run = named_run(tmp_path)
    planted(run, note="the sandbox failed: engine lost")
    assert "engine lost" in summary(look(run))


def test_faults_planted_in_other_code_are_not_shown(tmp_path: Path) -> None:
    run = named_run(tmp_path)
    planted(run, tree="1" * 32)
    assert "planted fault" not in summary(look(run)) and look(run).mutation is None


def test_json_holds_evidence_and_planted_faults(tmp_path: Path) -> None:
    run = named_run(tmp_path)
    planted(run)
    tree = json.loads(as_json(look(run)))
    assert [row["state"] for row in tree["evidence"]["requirements"]] == ["shown", "written", "not_done"]
    assert [row["state"] for row in tree["mutation"]["mutants"]] == ["caught", "survived", "not_run"]


def test_the_end_of_a_full_summary_is_never_cut(tmp_path: Path) -> None:
    run = make(tmp_path, "unverified")
    planted(run)
    numbers = [row.model_copy(update={"id": f"E{n}"}) for n in range(1, 9) for row in plan().expected[:1]]
    write_json(run.plan / "plan.json", plan().model_copy(update={"expected": tuple(numbers)}))
    write_json(run.repo / "results/results.json", {"loss": 0.3})
    for name in ("report.md", "report.html"):
        (run.path / name).write_text("x")
    lines = summary(look(run)).splitlines()
    assert len(lines) <= MAX_LINES and lines[-1].split()[0] == "next"
