"""Claims in reports: the verdict first, with what it rests on, and none that is older than the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir
from agentsys.plan.claims.amendment import freeze
from agentsys.plan.workspace import experiment_inputs
from agentsys.report.data import collect
from agentsys.report.markdown import markdown
from agentsys.report.pages import as_json
from agentsys.report.status import write_status
from agentsys.report.summary import summary
from agentsys.report.view.onefile import html
from agentsys.verify.claims.record import Findings, write_record
from unit.verify.claims.judging import compared, contract, rows_of

from .made import make, write_json


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A verified run (made by hand) with one claim, judged by the rules."""
    made = make(tmp_path / "runs", "verified")
    rows_of(tmp_path, compared())
    for folder in (made.claims, made.repo / "claims"):
        write_record(folder, freeze((contract(),)), [tmp_path / "rows.csv"], {"C1": Findings()})
    write_json(made.claims / "entries.json", {"C1": "the budget for claims is used up"})
    write_json(made.path / "inputs.json", {"experiments": experiment_inputs(made)})
    return made


def test_the_first_line_says_both_and_the_scoreboard_comes_first(run: RunDir) -> None:
    data = collect(run)
    assert summary(data).splitlines()[0].startswith("verified; claims: 1 verified; every check passed in round 2")
    text = markdown(data)
    assert text.index("## Claims: 1 verified") < text.index("## Requirements")
    assert "no independent checker recomputed it" in text and contract().hash in text
    assert "## Claims" not in html(data) and "Claims: 1 verified" in html(data)
    row = json.loads(as_json(data))["claims"][0]
    assert (row["verdict"], row["n"], row["why"]) == ("verified", 5, "the budget for claims is used up")


def test_the_status_file_of_the_repository_has_each_verdict_and_its_contract(run: RunDir) -> None:

    GitRepo(run.repo).init()
    write_status(run)
    facts = json.loads((run.repo / "status.json").read_text())
    assert [(row["claim"], row["verdict"]) for row in facts["claims"]] == [("C1", "verified")]
    assert facts["claims"][0]["contract_sha256"] == contract().hash and facts["verified"] is True
    assert "claims: 1 verified" in (run.repo / "README.md").read_text()


def test_a_verdict_on_other_code_or_another_contract_is_not_shown(run: RunDir) -> None:
    (run.repo / "made" / "core.py").write_text("x = 2\n")
    assert "claims: 1 not judged" in summary(collect(run)).splitlines()[0]


def test_verdicts_without_the_mark_of_a_finished_step_are_not_shown(run: RunDir) -> None:
    (run.path / "inputs.json").unlink()
    assert "verified; claims: 1 not judged" in summary(collect(run)).splitlines()[0]


def test_a_run_without_contracts_says_nothing_of_claims(tmp_path: Path) -> None:
    assert summary(collect(make(tmp_path, "verified"))).startswith("verified: every check passed")
