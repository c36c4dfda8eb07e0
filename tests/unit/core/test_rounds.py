"""What the folder `rounds` remembers, and what the router concludes from it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from agentsys.core.artifacts import Check, Diagnosis, Diagnostic, Dismissal, Review, ReviewFinding, Verdict
from agentsys.core.events import EventLog
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rounds import Rounds
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.debug.debugger import DiagnosisAnswer, DismissedAnswer, check_dismissed
from agentsys.debug.rollback import discard_unfinished, restore_best
from agentsys.llm.client import AnswerError
from agentsys.plan.context import Context
from agentsys.plan.workspace import Workspace
from agentsys.report.ending import stuck
from agentsys.run.snapshot import is_reviewed
from agentsys.verify.checks.table import demanded
from agentsys.verify.reviewer import Reviewer, settle_dismissed


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "run")
    run.repo.mkdir(parents=True)
    return run


def verdict(number: int, tree: str = "t1", *, failed: str = "") -> Verdict:
    checks = [Check(name=name, state="failed" if name == failed else "passed") for name in demanded()]
    if failed == "review":
        checks.append(Check(name="review", state="failed"))
    found = (Diagnostic(kind="test", check="pytest", message="wrong"),) if failed else ()
    return Verdict(
        round=number, tree=tree, checks=tuple(checks), demanded=demanded(), diagnostics=found, backend="fake"
    )


def review(tree: str = "t1", severity: str = "wrong", number: int = 1) -> Review:
    finding = ReviewFinding.model_validate(
        {"path": "a.py", "requirement": "R1", "severity": severity, "what": "the sign is flipped"}
    )
    return Review(number=number, tree=tree, files=("a.py",), findings=(finding,))


def workspace(run: RunDir, **settings: object) -> Workspace:
    chosen = Settings.model_validate({"reviews": 2} | settings)
    return Workspace(run, chosen, EventLog(None, "test"))


def test_a_verdict_with_a_failed_review_has_not_passed_though_all_other_checks_did():
    assert verdict(1).passed
    assert not verdict(1, failed="review").passed


def test_a_tree_is_reviewed_when_a_review_of_it_left_nothing_open(run: RunDir):
    rounds = Rounds(run)
    rounds.write_verdict(verdict(1))
    assert not is_reviewed(workspace(run), rounds, rounds.last())
    rounds.write_review(1, review(severity="doubt"))
    assert is_reviewed(workspace(run), rounds, rounds.last())


def test_open_findings_are_reviewed_only_when_they_stand_in_the_next_verdict(run: RunDir):
    rounds = Rounds(run)
    rounds.write_verdict(verdict(1))
    rounds.write_review(1, review())
    assert not is_reviewed(workspace(run, reviews=1), rounds, rounds.latest_for_tree("t1"))
    rounds.write_verdict(verdict(2, failed="review"))
    rounds.write_verdict(verdict(3, "t2"))
    assert is_reviewed(workspace(run, reviews=1), rounds, rounds.latest_for_tree("t2"))
    assert not is_reviewed(workspace(run, reviews=2), rounds, rounds.latest_for_tree("t2"))


def test_no_review_is_missing_where_none_is_wanted(run: RunDir):
    rounds = Rounds(run)
    rounds.write_verdict(verdict(1))
    assert is_reviewed(workspace(run, reviews=0), rounds, rounds.last())


def test_a_repair_that_was_given_up_ends_the_rounds_until_the_run_is_resumed(run: RunDir):
    rounds = Rounds(run)
    rounds.write_verdict(verdict(1, failed="pytest"))
    assert stuck(rounds, rounds.last()) == ""
    rounds.give_up(1, "no usable repair was found")
    assert stuck(rounds, rounds.last()) == "given_up"
    rounds.reopen()
    assert stuck(rounds, rounds.last()) == ""


def test_a_repair_that_changed_nothing_is_told_from_one_under_way(run: RunDir):
    rounds = Rounds(run)
    rounds.write_verdict(verdict(1, failed="pytest"))
    rounds.write_diagnosis(Diagnosis(round=1, cause="c", owner="coder"), ("coder",), "base")
    assert stuck(rounds, rounds.last()) == ""
    rounds.write_handover(1, (), "base")
    assert stuck(rounds, rounds.last()) == "no_change"


def test_half_done_work_is_taken_back_and_kept_as_a_diff(run: RunDir):
    git = GitRepo(run.repo)
    git.init()
    (run.repo / "a.py").write_text("x = 1\n")
    git.commit("First version")
    head = git.head()
    (run.repo / "a.py").write_text("x = 2  # by hand\n")
    (run.repo / "new.py").write_text("y = 3\n")
    context = cast("Context", SimpleNamespace(ws=workspace(run), git=git))
    discard_unfinished(context, 1)
    assert git.head() == head and (run.repo / "a.py").read_text() == "x = 1\n" and not (run.repo / "new.py").exists()
    kept = (run.round(1) / "discarded.diff").read_text()
    assert "+x = 2  # by hand" in kept and "+y = 3" in kept


def test_where_nothing_was_changed_nothing_is_kept(run: RunDir):
    git = GitRepo(run.repo)
    git.init()
    (run.repo / "a.py").write_text("x = 1\n")
    git.commit("First version")
    discard_unfinished(cast("Context", SimpleNamespace(ws=workspace(run), git=git)), 1)
    assert not (run.round(1) / "discarded.diff").exists()


def context(run: RunDir, **settings: object) -> Context:
    """A repository with one committed file, as far as roll-backs and reviews look at it."""
    git = GitRepo(run.repo)
    git.init()
    (run.repo / "a.py").write_text("x = 1\n")
    git.commit("First version")
    ws = workspace(run, **settings)
    return cast("Context", SimpleNamespace(ws=ws, git=git, rounds=Rounds(run), events=ws.events, settings=ws.settings))


def verified(context: Context, number: int, *, failed: str = "") -> None:
    """Write a round of the tree as it is now."""
    folder = context.ws.run.round(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "commit").write_text(context.git.head() + "\n")
    context.rounds.write_verdict(verdict(number, context.ws.code_tree(), failed=failed))


async def test_findings_on_a_tree_that_was_put_back_by_hand_are_opened_and_not_forgotten(run: RunDir):
    team = context(run, reviews=1)
    verified(team, 1)
    (run.repo / "a.py").write_text("x = 2\n")
    verified(team, 2, failed="pytest")
    (run.repo / "a.py").write_text("x = 1\n")
    team.rounds.write_review(1, review(team.ws.code_tree()))
    assert not is_reviewed(team.ws, team.rounds, team.rounds.latest_for_tree(team.ws.code_tree()))
    assert "1 findings to repair" in await Reviewer(team).act("review")
    current = team.rounds.latest_for_tree(team.ws.code_tree())
    assert current is not None and current.number == 3 and not current.verdict.passed
    assert not restore_best(team)


def test_findings_of_a_review_roll_nothing_back(run: RunDir):
    team = context(run)
    verified(team, 1)
    verified(team, 2, failed="review")
    head = team.git.head()
    assert not restore_best(team)
    assert team.git.head() == head and not (run.round(2) / "rollback.json").exists()


def test_a_repair_that_leads_back_to_a_worse_tree_is_not_delivered(run: RunDir):
    team = context(run)
    verified(team, 1, failed="pytest")
    (run.repo / "a.py").write_text("x = 2\n")
    team.git.commit("Round 1: a guess")
    verified(team, 2, failed="imports")
    team.rounds.write_diagnosis(Diagnosis(round=2, cause="c", owner="debugger"), (), "base")
    assert stuck(team.rounds, team.rounds.last()) == "no_change"
    assert not restore_best(team) and restore_best(team, final=True)
    assert (run.repo / "a.py").read_text() == "x = 1\n"


def test_what_a_person_changed_and_nobody_verified_is_kept_in_the_end(run: RunDir):
    team = context(run)
    verified(team, 1, failed="pytest")
    (run.repo / "a.py").write_text("x = 2  # by hand\n")
    assert not restore_best(team, final=True)
    assert "by hand" in (run.repo / "a.py").read_text()


def test_what_was_seen_of_a_tree_is_found_though_a_review_opened_a_round_of_it(run: RunDir):
    rounds = Rounds(run)
    rounds.write_verdict(verdict(1))
    (run.round(1) / "tests.json").write_text("{}")
    rounds.write_verdict(verdict(2, failed="review"))
    rounds.write_verdict(verdict(3))
    assert rounds.evidence("t1", "tests.json") == run.round(1) / "tests.json"
    assert rounds.evidence("t2", "tests.json") is None and rounds.evidence("t1", "other") is None


def test_a_finding_that_was_dismissed_may_be_dismissed_again(run: RunDir):
    rounds = Rounds(run)
    rounds.write_verdict(verdict(1, failed="review"))
    found = verdict(1, failed="review").diagnostics
    mark = found[0].fingerprint
    rounds.write_diagnosis(Diagnosis(round=1, cause="c", owner="debugger", fingerprints=(mark,)), (), "base")
    assert len(rounds.attempts(found)) == 1
    why = Dismissal(fingerprint=mark, message="m", reason="the paper says so")
    answer = Diagnosis(round=1, cause="c", owner="debugger", fingerprints=(mark,), dismissed=(why,))
    rounds.write_diagnosis(answer, (), "base")
    assert rounds.attempts(found) == []


def test_a_finding_that_was_not_shown_is_neither_dismissed_nor_settled(run: RunDir):
    team = context(run)
    rows = tuple(
        Diagnostic(kind="fidelity", check="review", message=f"R{word} differs", symbol=word)
        for word in "abcdefghijklmn"
    )
    found = verdict(1, team.ws.code_tree(), failed="review").model_copy(update={"diagnostics": rows})
    team.rounds.write_verdict(found)
    current = team.rounds.last()
    assert current is not None
    why = "the paper's words say what the code does"
    numbers = [DismissedAnswer(number=number, reason=why) for number in range(1, 15)]
    answer = DiagnosisAnswer(cause="c", owner="debugger", dismissed=tuple(numbers))
    with pytest.raises(AnswerError, match="diagnostic 13"):
        check_dismissed(answer, current)
    check_dismissed(answer.model_copy(update={"dismissed": tuple(numbers[:12])}), current)
    settle_dismissed(team, current, {row.fingerprint for row in rows[:12]})
    after = team.rounds.last()
    assert after is not None and not after.verdict.passed and after.verdict.diagnostics == rows[12:]
    settle_dismissed(team, after, {row.fingerprint for row in rows[12:]})
    assert (last := team.rounds.last()) is not None and last.verdict.passed
