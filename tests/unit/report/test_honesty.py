"""No report says more than what lies on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.artifacts import Check, ReviewFinding
from agentsys.core.errors import UsageError
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import SettingValue
from agentsys.report.data import ReportData, collect
from agentsys.report.ledger import review_words
from agentsys.report.markdown import markdown
from agentsys.report.pages import as_json
from agentsys.report.status import write_status
from agentsys.report.summary import summary
from agentsys.report.verdict import effective_status, missing_evidence, next_command
from agentsys.report.view.onefile import html
from agentsys.verify.checks.review import fingerprint

from .made import decision, make, record, verdict, write_json, write_screen

ALL = (summary, markdown, html, as_json)


def test_run_json_alone_gives_every_report(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.write(record("interrupted", stage="read"))
    data = collect(run)
    assert all(form(data) for form in ALL)
    assert "there is no plan yet" in summary(data)
    assert "Nothing was screened before the run ended." in markdown(data)


def test_no_run_json_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run directory"):
        collect(RunDir(tmp_path))


def test_damaged_run_json_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"id": ')
    with pytest.raises(UsageError, match="is damaged"):
        collect(RunDir(tmp_path))


@pytest.mark.parametrize("lost", ["rounds/replay/verdict.json", "rounds/02/verdict.json"])
def test_verified_is_not_believed_without_its_evidence(tmp_path: Path, lost: str) -> None:
    run = make(tmp_path, "verified")
    (run.path / lost).unlink()
    data = collect(run)
    assert effective_status(data) == "unverified"
    assert missing_evidence(data)
    assert summary(data).startswith("not verified: run.json says verified, but ")


@pytest.mark.parametrize("state", ["failed", "not_run", "infra_error"])
def test_verified_is_not_believed_if_the_replay_did_not_pass(tmp_path: Path, state: str) -> None:
    run = make(tmp_path, "verified")
    checks = [
        check.model_copy(update={"state": state}) if check.name == "smoke" else check for check in verdict(2).checks
    ]
    write_json(run.rounds / "replay" / "verdict.json", verdict(2, checks=tuple(checks)))
    assert effective_status(collect(run)) == "unverified"


@pytest.mark.parametrize(
    "broken", ["plan/plan.json", "rounds/01/verdict.json", "rounds/01/diagnosis.json", "audit/code.json"]
)
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"decisions": [1]}', b"\xff\xfe", b"[" * 100_000])
def test_broken_file_is_named_and_the_rest_is_reported(tmp_path: Path, broken: str, content: bytes) -> None:
    run = make(tmp_path, "verified")
    (run.path / broken).write_bytes(content)
    data = collect(run)
    assert all(form(data) for form in ALL)
    if not (broken.startswith("audit") and content == b"[]"):
        assert any(Path(broken).name in problem for problem in data.problems)
        assert "What this report could not read" in markdown(data)


def test_results_that_are_a_link_or_a_pipe_are_not_read(tmp_path: Path) -> None:
    run = make(tmp_path, "verified")
    results = run.repo / "results" / "results.json"
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"loss": 42.0}))
    results.unlink()
    results.symlink_to(secret)
    data = collect(run)
    assert data.measured[0].measured is None
    assert any("results.json" in problem for problem in data.problems)
    results.unlink()
    import os

    os.mkfifo(results)
    assert collect(run).measured[0].measured is None


@pytest.mark.parametrize("value", ["NaN", "Infinity", '"0.3"', "true", "null", "[0.3]"])
def test_only_a_finite_number_is_a_measured_result(tmp_path: Path, value: str) -> None:
    run = make(tmp_path, "verified")
    (run.repo / "results" / "results.json").write_text(f'{{"loss": {value}}}')
    assert collect(run).measured[0].measured is None


def test_numbers_of_code_that_was_not_verified_say_so(tmp_path: Path) -> None:
    run = make(tmp_path, "unverified")
    (run.round(1) / "results.json").write_text('{"loss": 0.3}')
    row = collect(run).measured[0]
    assert row.measured == 0.3
    assert "this code was not verified" in row.scale
    assert "not verified" in summary(collect(run)).split("numbers", 1)[1]


def test_checks_are_those_of_the_best_round_which_is_the_one_delivered(tmp_path: Path) -> None:
    run = make(tmp_path, "unverified")
    worse = verdict(2, {"imports": "0 of 3 modules import", "pytest": "none"}, tree="1" * 32)
    write_json(run.round(2) / "verdict.json", worse)
    write_json(run.round(3) / "verdict.json", verdict(3, {"install": "no"}, infra="the engine is gone"))
    assert "imports passed" in summary(collect(run))
    assert "pytest failed (2 passed, 1 failed)" in summary(collect(run)).splitlines()[0]


def test_a_loosened_policy_is_said_before_the_verdict_in_every_form(tmp_path: Path) -> None:
    run = make(tmp_path, "verified")
    assert "looser" not in summary(collect(run))
    write_screen(run, decision("purpose") | {"loosened": ["known package our-own"]})
    data = collect(run)
    first = "judged by a policy looser than the shipped one (known package our-own); verified: "
    assert summary(data).startswith(first)
    assert json.loads(as_json(data))["headline"].startswith(first)
    assert all("looser than the shipped one" in form(data) for form in (markdown, html))


def test_weak_sandbox_is_said_in_every_form(tmp_path: Path) -> None:
    data = collect(make(tmp_path, "unverified"))
    assert all("WEAK" in form(data) for form in (summary, markdown, html))
    assert json.loads(as_json(data))["record"]["weak_sandbox"] is True


def test_unknown_price_is_not_shown_as_nothing(tmp_path: Path) -> None:
    text = summary(collect(make(tmp_path, "limit")))
    assert "price unknown" in text
    assert "$0.00" not in text


@pytest.mark.parametrize(
    ("reason", "flag"),
    [
        ("the budget of $1 is used up", "--budget"),
        ("the limit of 5 tokens is used up", "--max-tokens"),
        ("the time limit of 5 s is used up", "--time-limit"),
    ],
)
def test_next_command_names_the_limit_that_was_reached(tmp_path: Path, reason: str, flag: str) -> None:
    run = make(tmp_path, "limit")
    run.write(record("limit", reason=reason))
    assert flag in next_command(collect(run))


def reviewed(
    tmp_path: Path, *, dismissed: str = "", later_passed: bool = True, again: list[dict[str, str]] | None = None
) -> ReportData:
    """A run whose first round passed, and whose review found one thing to repair and one to doubt."""
    run = make(tmp_path, "verified")
    found = [
        {"path": "made/core.py", "requirement": "R1", "severity": "wrong", "what": "the sign is flipped", "line": 3},
        {"path": "made/core.py", "requirement": "R1", "severity": "doubt", "what": "the name is odd"},
    ]
    write_json(run.round(1) / "verdict.json", verdict(1))
    review = {"number": 1, "tree": "0" * 32, "files": ["made/core.py"], "findings": found}
    write_json(run.round(1) / "review.json", review)
    write_json(run.round(2) / "verdict.json", verdict(2, {"results": "as the review says"}))
    mark = fingerprint(ReviewFinding.model_validate(found[0]))
    rows = [{"fingerprint": mark, "message": "R1 wrong: the sign is flipped", "reason": dismissed}] if dismissed else []
    diagnosis = {"round": 2, "cause": "the sign", "owner": "debugger", "fingerprints": [mark], "dismissed": rows}
    write_json(run.round(2) / "diagnosis.json", diagnosis)
    if again is not None:
        second = {"number": 2, "tree": "1" * 32, "files": ["made/core.py"], "findings": again}
        write_json(run.round(3) / "review.json", second)
    write_json(run.round(3) / "verdict.json", verdict(3, None if later_passed else {"pytest": "1 failed"}))
    return collect(run)


def test_a_finding_of_the_review_is_said_with_what_became_of_it(tmp_path: Path) -> None:
    words = review_words(reviewed(tmp_path, again=[]))
    assert words == "1 file beside the paper, 2 findings: 1 doubted, 1 repaired"


def test_a_repair_that_no_later_review_looked_at_is_not_called_a_repair(tmp_path: Path) -> None:
    assert "1 answered and not looked at again" in review_words(reviewed(tmp_path))


def test_a_finding_that_a_later_review_has_again_is_open(tmp_path: Path) -> None:
    row = {"path": "made/core.py", "requirement": "R1", "severity": "wrong", "what": "the sign is flipped"}
    assert "2 open" in review_words(reviewed(tmp_path, again=[row]))


def test_a_tree_in_which_a_review_found_faults_is_not_reported_as_one_that_passed(tmp_path: Path) -> None:
    run = make(tmp_path, "verified")
    passed = verdict(3)
    write_json(run.round(3) / "verdict.json", passed)
    failed = Check(name="review", state="failed", note="1 findings in 1 files")
    write_json(
        run.round(4) / "verdict.json", passed.model_copy(update={"round": 4, "checks": (*passed.checks, failed)})
    )
    data = collect(run)
    assert data.best is not None and data.best.number == 4
    assert effective_status(data) == "unverified" and "review failed" in missing_evidence(data)


def test_a_finding_that_no_later_round_answered_is_open(tmp_path: Path) -> None:
    assert "1 open" in review_words(reviewed(tmp_path, later_passed=False))


def meaning(run: RunDir) -> str:
    GitRepo(run.repo).init()
    write_status(run)
    facts = json.loads((run.repo / "status.json").read_text())
    assert facts["means"].partition(". ")[2] in " ".join((run.repo / "README.md").read_text().split())
    return facts["means"]


def test_where_no_number_can_tell_the_status_says_who_compared_the_code_with_the_paper(tmp_path: Path) -> None:
    run = make(tmp_path, "verified")
    assert "Nobody has compared the code with the paper" in meaning(run)
    review = {"number": 1, "tree": "0" * 32, "files": ["made/core.py"], "findings": []}
    write_json(run.round(1) / "review.json", review)
    assert "and the model that wrote it, which read 1 file beside the paper, 0 findings" in meaning(run)
    kept = run.read()
    other = {**kept.settings, "agent_models.reviewer": SettingValue(value="another", source="flag")}
    run.write(kept.model_copy(update={"settings": other}))
    assert "another model than the one that wrote it" in meaning(run)


def test_a_dismissed_finding_carries_its_reason_in_every_report(tmp_path: Path) -> None:
    data = reviewed(tmp_path, dismissed="the paper defines it with this sign")
    assert "1 dismissed" in review_words(data)
    for text in (markdown(data), html(data), as_json(data)):
        assert "the paper defines it with this sign" in text
