"""Why a run ended is stored as a code; what to do next follows from it, in the record and on the console alike."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from agentsys.core.artifacts import Check
from agentsys.core.errors import ReasonCode
from agentsys.core.rounds import Round
from agentsys.core.runrecord import RunRecord
from agentsys.core.state import State
from agentsys.report.data import collect
from agentsys.report.ending import code_of, judge, next_step
from agentsys.report.verdict import next_command
from unit.report.made import make, record, verdict


def round_of(failed: dict[str, str] | None = None) -> Round:
    return Round(1, verdict(1, failed), rolled_back=False, diagnosis=None, pending=(), base="")


FAILED = State(verified="failed")


@pytest.mark.parametrize(
    ("state", "current", "code", "words"),
    [
        (State(stopped="it was asked to stop after the plan"), None, "stopped", "asked to stop"),
        (State(), None, "not_verified", "was not verified"),
        (State(verified="passed", replayed="passed"), round_of(), "passed", "in round 1"),
        (State(verified="passed"), round_of(), "replay_failed", "not again in a fresh sandbox"),
        (FAILED, round_of({"pytest": ""}), "rounds_used", "pytest failed (0 diagnostics); the repair rounds"),
        (State(verified="failed", stuck="same_cause"), round_of({"smoke": ""}), "same_cause", "same root cause"),
        (State(verified="failed", stuck="no_change"), round_of({"smoke": ""}), "no_change", "changed nothing"),
        (State(verified="failed", stuck="given_up"), round_of({"smoke": ""}), "given_up", "nobody knew better"),
    ],
)
def test_each_end_has_its_code_and_its_words(state: State, current: Round | None, code: str, words: str) -> None:
    found = judge(state, current, "nobody knew better")
    assert found.code == code and words in found.reason
    assert (found.status == "verified") is (code == "passed")


def test_a_missing_central_method_is_the_reason_whatever_else_stopped_the_repair() -> None:
    found = judge(State(verified="failed", stuck="no_change"), round_of({"results": ""}), "", ("R3",))
    assert (found.status, found.code) == ("unverified", "central_method")
    assert "own method is missing (R3)" in found.reason and "changed nothing" in found.reason
    assert next_step(found.status, found.code, "r", Path("/repo"), 8) == "agentsys resume r --max-rounds 8"


def test_code_that_the_policy_refused_is_blocked_and_not_merely_unverified() -> None:
    rows = (Check(name="install", state="not_run"), Check(name="audit", state="failed"))
    refused = verdict(1, checks=rows, diagnostics=({"kind": "audit", "check": "audit", "message": "rule `x`"},))
    current = Round(1, refused, rolled_back=False, diagnosis=None, pending=(), base="")
    found = judge(FAILED, current, "")
    assert (found.status, found.code) == ("blocked", "refused") and "rule `x`" in found.reason


@pytest.mark.parametrize(
    ("status", "code", "wanted"),
    [
        ("unverified", "rounds_used", "agentsys resume r --max-rounds 8"),
        ("unverified", "same_cause", "correct '/a repo' by hand, then: agentsys resume r"),
        ("unverified", "no_change", "correct '/a repo' by hand, then: agentsys resume r"),
        ("unverified", "given_up", "agentsys resume r --model ..."),
        ("unverified", "stopped", "agentsys resume r"),
        ("limit", "tokens", "agentsys resume r --max-tokens MORE"),
        ("limit", "time", "agentsys resume r --time-limit MORE"),
        ("limit", "budget", "agentsys resume r --budget MORE"),
        ("limit", "of a later version", "agentsys resume r --budget MORE"),
        ("verified", "passed", ""),
    ],
)
def test_each_code_has_its_next_step(status: str, code: str, wanted: str) -> None:
    assert next_step(status, code, "r", Path("/a repo"), 8) == wanted  # type: ignore[arg-type]


def test_the_console_goes_by_the_code_whatever_the_words_say(tmp_path: Path) -> None:
    run = make(tmp_path, "limit")
    run.write(record("limit", reason="no token of time is left", reason_code="budget"))
    assert "--budget" in next_command(collect(run))
    run = make(tmp_path / "b", "unverified")
    run.write(record("unverified", reason_code="same_cause"))
    assert "by hand" in next_command(collect(run))


@pytest.mark.parametrize(
    ("status", "fields", "code"),
    [
        ("limit", {"reason": "the limit of 5 tokens is used up"}, "tokens"),
        ("limit", {"reason": "the time limit of 5 s is used up"}, "time"),
        ("limit", {"reason": "the budget of $1 is used up"}, "budget"),
        ("unverified", {"hint": "correct the files in `x` by hand, then `agentsys resume y`"}, "no_change"),
        ("unverified", {"hint": "try `agentsys resume y --max-rounds 8`"}, ""),
        ("verified", {}, ""),
    ],
)
def test_a_run_from_before_the_codes_is_still_understood(status: str, fields: dict[str, str], code: str) -> None:
    data = record(status, **fields).model_dump_json(exclude={"reason_code"})  # type: ignore[arg-type]
    assert code_of(RunRecord.model_validate_json(data)) == code


def test_every_code_can_be_stored_and_read(tmp_path: Path) -> None:
    run = make(tmp_path, "unverified")
    for code in get_args(ReasonCode):
        run.write(record("unverified", reason_code=code))
        assert run.read().reason_code == code and next_command(collect(run))
