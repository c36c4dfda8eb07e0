"""Claims in reports: the verdict first, with what it rests on, and none that is older than the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir
from agentsys.plan.claims.amendment import freeze
from agentsys.plan.claims.contract import Contract
from agentsys.plan.workspace import experiment_inputs
from agentsys.report.data import collect
from agentsys.report.markdown import markdown
from agentsys.report.pages import as_json
from agentsys.report.status import write_status
from agentsys.report.summary import summary
from agentsys.report.view.onefile import html
from agentsys.verify.claims.record import Findings, write_record
from agentsys.verify.claims.standalone import again
from unit.verify.claims.judging import compared, contract, rows_of

from .claimed import done, rate, recorded
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
    assert "no independent checker recomputed it" in text and "`claims/pages/c1.md`" in text
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


MEAN_OF = {"quantity": "error", "unit": "m"}
MEAN = {"type": "mean", **MEAN_OF}
PAIR = (("ours", 2.9), ("base", 6.1))


def several(unit: str = "m") -> Contract:
    """`ours` beats `base` by 2 at least, and each mean is near the paper's: 3 against 6."""
    return rate(
        kind="comparison",
        grid={},
        horizon=None,
        toy_below={"seeds": 5},
        seeds=5,
        baselines=[{"method": "base", "quantity": "error", "unit": "m", "value": 6.0}],
        target={"value": 3.0, "unit": unit, "where": {"section": "5"}},
        accept={
            "type": "all_of",
            "rules": [
                {"type": "difference", **MEAN_OF, "method": "ours", "baseline": "base", "high": -2.0},
                {**MEAN, "method": "base", "low": 2.9, "high": 7.0},
                {**MEAN, "method": "ours", "low": 0.9, "high": 5.0},
            ],
        },
        falsify={
            "type": "fails",
            "rule": {"type": "difference", **MEAN_OF, "method": "ours", "baseline": "base", "high": -1.0},
        },
    )


def rows_of_several() -> list[str]:
    rows = [f"C2,{seed},,{name},error,{value + 0.01 * seed!r},m" for seed in range(5) for name, value in PAIR]
    return rows + [f"C2,{seed},case=control,{name},error,6.0,m" for seed in range(5) for name, _ in PAIR]


def measured(folder: Path, unit: str = "m") -> list[str]:
    [row] = collect(recorded(folder, several(unit), rows=rows_of_several())).claims
    return [f"{row.paper} | {row.measured}", *(f"{each.what} | {each.paper} | {each.measured}" for each in row.lines)]


def test_the_papers_number_stands_beside_the_part_of_the_rule_that_it_belongs_to(tmp_path: Path) -> None:
    board, *lines = measured(tmp_path)
    assert board == "3 m | 2.92 m"
    assert lines[:4] == [
        "claim: error of ours | 3 m | 2.92 m",
        "claim: error, ours minus base |  | -3.2 m",
        "claim: error of base | 6 m | 6.12 m",
        "control | must fail | 0 m",
    ]


def test_a_number_of_another_unit_stands_beside_nothing_and_what_was_measured_is_named(tmp_path: Path) -> None:
    board, first, *_ = measured(tmp_path, "furlong")
    assert board == "3 furlong | -3.2 m (error, ours minus base)"
    assert first == "claim: error, ours minus base |  | -3.2 m"


def test_a_record_from_before_the_parts_of_a_rule_were_kept_is_read_and_evaluated_again(tmp_path: Path) -> None:
    run = recorded(tmp_path, several(), rows=rows_of_several())
    file = run.claims / "verdicts.json"
    stored = json.loads(file.read_text())
    for outcome in stored["verdicts"][0]["outcomes"].values():
        outcome.pop("parts", None)
    file.write_text(json.dumps(stored))
    assert again.main(run.claims) == 0
    write_json(run.path / "inputs.json", {"experiments": experiment_inputs(run)})
    [row] = collect(run).claims
    assert row.lines[0].what == "claim" and not row.lines[0].paper  # of which part the number is is not known


def test_a_checker_that_wrote_nothing_is_named_and_is_no_failed_cell_of_the_claim(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    cell = done("C1", "main")
    cell |= {"command": ["python", "claims/check_c1.py"], "sha256": "", "fault": "it wrote no rows"}
    with (run.claims / "cells.jsonl").open("a") as file:
        file.write(json.dumps(cell) + "\n")
    write_json(run.path / "inputs.json", {"experiments": experiment_inputs(run)})
    row = collect(run).claims[0]
    assert (row.cells, row.failed) == (3, 0)
    assert row.checked.startswith("independent checker: absent (its program: it wrote no rows)")
