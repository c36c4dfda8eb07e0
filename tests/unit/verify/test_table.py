"""The table of checks: one row more is one check more, and no verdict of yesterday is judged by it."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import agentsys
from agentsys.core.artifacts import FIRST_DEMANDED, Check, Diagnostic, Verdict
from agentsys.core.errors import InternalError
from agentsys.core.rounds import Rounds
from agentsys.core.rundir import RunDir
from agentsys.report.data import collect
from agentsys.report.verdict import effective_status
from agentsys.verify.checks import table
from agentsys.verify.checks.base import Bench, CheckSpec, Found
from agentsys.verify.checks.table import Seen, demanded, make_verdict
from agentsys.verify.run import verify
from agentsys_sandbox.spec import Outcome
from unit.report.made import record, write_json
from unit.verify.scripted import ends, scripted
from unit.verify.tiny import GREEN, job, write_repo

OLD = (Path(__file__).parent / "data/verdict-before-demanded.json").read_bytes()
"""Round 2 of a verified run of the example, as it was stored before verdicts named what they demanded."""
AUDIT = Found(Check(name="audit", state="passed"))


def with_row(monkeypatch: pytest.MonkeyPatch, spec: CheckSpec, after: str = "pyright") -> None:
    """Add a check to the table."""
    place = [row.name for row in table.TABLE].index(after) + 1
    monkeypatch.setattr(table, "TABLE", (*table.TABLE[:place], spec, *table.TABLE[place:]))


async def says_no(bench: Bench) -> Found:
    return Found(bench.check("lint", "failed", "3 findings"))


def test_a_verdict_from_before_is_judged_by_the_checks_of_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with_row(monkeypatch, CheckSpec("lint", says_no, needs=("install",)))
    old = Verdict.model_validate_json(OLD)
    assert old.demanded == FIRST_DEMANDED and "lint" in demanded()
    assert old.passed and old.score == (7, 0)


def test_of_checks_that_run_beside_each_other_it_counts_how_much_is_wrong_and_not_which_of_them_fails() -> None:
    def verdict(bad: str, count: int) -> Verdict:
        names = ("install", "pytest", "results", "faults", "dependence", "audit")
        checks = tuple(Check(name=name, state="failed" if name == bad else "passed") for name in names)
        wrong = (Diagnostic(kind="result", check=bad, message="m"),) * count
        return Verdict(round=1, tree="t", checks=checks, demanded=names, diagnostics=wrong)

    assert verdict("faults", 5).score > verdict("dependence", 14).score > verdict("results", 1).score


@pytest.mark.parametrize("name", FIRST_DEMANDED)
def test_a_verdict_from_before_does_not_pass_without_one_of_its_checks(name: str) -> None:
    data = json.loads(OLD)
    data["checks"] = [row for row in data["checks"] if row["name"] != name]
    old = Verdict.model_validate_json(json.dumps(data))
    assert not old.passed and old.score == (FIRST_DEMANDED.index(name), 0)


def test_yesterdays_verified_run_stays_verified_with_one_more_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDir(tmp_path / "run")
    write_json(run.record_file, record("verified"))
    for folder in (run.round(1), run.rounds / "replay"):
        folder.mkdir(parents=True)
        (folder / "verdict.json").write_bytes(OLD.replace(b'"round": 2', b'"round": 1'))
    with_row(monkeypatch, CheckSpec("lint", says_no, needs=("install",)))
    assert effective_status(collect(run)) == "verified"
    (stored,) = Rounds(run).all()
    assert stored.verdict.passed


def test_what_demands_nothing_never_passes() -> None:
    passed = tuple(Check(name=name, state="passed") for name in demanded())
    assert not Verdict(round=1, tree="t", checks=passed).passed
    assert not Verdict.model_validate_json(Verdict(round=1, tree="t", checks=passed).model_dump_json()).passed
    assert Verdict(round=1, tree="t", checks=passed, demanded=demanded()).passed


def test_a_check_that_this_version_does_not_know_is_read_and_must_have_passed() -> None:
    data = json.loads(OLD)
    row = {"name": "proof", "state": "failed", "note": "from a later version"}
    later = {**data, "demanded": [*FIRST_DEMANDED, "proof"], "checks": [*data["checks"], row]}
    assert not Verdict.model_validate_json(json.dumps(later)).passed
    row["state"] = "passed"
    assert Verdict.model_validate_json(json.dumps(later)).passed


def test_a_state_that_nobody_knows_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="state"):
        Verdict.model_validate_json(OLD.replace(b'"passed"', b'"waived"', 1))


def test_two_results_of_one_check_pass_only_together() -> None:
    rows = [Check(name=name, state="passed") for name in demanded()]
    failed = Check(name="install", state="failed")
    for checks in ([failed, *rows], [*rows, failed]):
        assert not Verdict(round=1, tree="t", checks=tuple(checks), demanded=demanded()).passed


async def test_a_row_more_is_a_check_more_with_its_note_its_place_and_its_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_row(monkeypatch, CheckSpec("lint", says_no, needs=("install",)))
    verdict = await verify(job(write_repo(tmp_path / "repo", GREEN), tmp_path / "rounds/01"), scripted, AUDIT)
    assert [check.name for check in verdict.checks] == list(verdict.demanded) == list(demanded())
    assert [check.name for check in verdict.checks if check.state == "failed"] == ["lint"]
    assert not verdict.passed and verdict.score[0] == 3


async def test_a_check_is_not_run_where_what_it_needs_has_failed_and_the_note_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_row(monkeypatch, CheckSpec("lint", says_no, needs=("pyright",)), after="results")
    repo = write_repo(tmp_path / "repo", GREEN)
    broken = scripted({"pyright": ends(Outcome.OOM)})
    verdict = await verify(job(repo, tmp_path / "rounds/01"), lambda: broken, AUDIT)
    (lint,) = [check for check in verdict.checks if check.name == "lint"]
    assert (lint.state, lint.note) == ("not_run", "pyright failed")


async def test_imports_that_hang_spare_the_sandbox_what_would_hang_as_well(tmp_path: Path) -> None:
    repo = write_repo(tmp_path / "repo", GREEN)
    hung = scripted({"imports": ends(Outcome.TIMEOUT)})
    verdict = await verify(job(repo, tmp_path / "rounds/01"), lambda: hung, AUDIT)
    notes = {check.name: check.note for check in verdict.checks if check.state == "not_run"}
    assert notes == dict.fromkeys(("pytest", "faults", "smoke", "results", "dependence"), "imports failed")


async def test_the_numbers_of_a_note_are_stored_as_numbers(tmp_path: Path) -> None:
    verdict = await verify(job(write_repo(tmp_path / "repo", GREEN), tmp_path / "rounds/01"), scripted, AUDIT)
    counts = {check.name: check.counts for check in verdict.checks if check.counts}
    assert counts["imports"] == {"imported": 4, "modules": 4}
    assert counts["pytest"] == {"passed": 1, "failed": 0, "skipped": 0, "functions": 1}
    assert counts["pyright"] == {"errors": 0, "files": 4, "silenced": 0, "taken_over": 0}


def test_a_result_that_belongs_to_no_row_is_refused(tmp_path: Path) -> None:
    work = job(write_repo(tmp_path / "repo", GREEN), tmp_path / "rounds/01")
    with pytest.raises(InternalError, match="no check `mine`"):
        make_verdict(work, Seen(found={"mine": Found(Check(name="mine", state="passed"))}))


def test_new_verdicts_are_made_in_one_place_that_takes_no_list_of_checks() -> None:
    makers: set[str] = set()
    for file in Path(agentsys.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            named = isinstance(node, ast.keyword) and node.arg == "demanded" and file.parent.name != "checks"
            if called == "Verdict" or named or (isinstance(node, ast.Dict) and "demanded" in _keys(node.keys)):
                makers.add(file.name)
    assert makers == {"table.py", "artifacts.py"}  # the second reads what was stored before


def _keys(keys: Sequence[ast.expr | None]) -> list[object]:
    return [key.value for key in keys if isinstance(key, ast.Constant)]
