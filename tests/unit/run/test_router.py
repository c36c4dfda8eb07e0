"""The router is a pure, total function of the state on disk."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import get_args

from agentsys.core.events import Step
from agentsys.core.state import STEP_OF_OWNER, State
from agentsys.run.router import next_step

VALUES = {
    "screened": ["no", "allowed", "stopped"],
    "planned": [False, True],
    "claimed": [False, True],
    "analyses_missing": [0, 2],
    "files_missing": [0, 3],
    "pending": [None, "planner", "analyzer", "coder", "debugger"],
    "audited": [False, True],
    "verified": ["no", "failed", "passed"],
    "reviewed": [False, True],
    "replayed": ["no", "passed"],
    "experimented": [False, True],
    "rounds_left": [0, 1],
    "stuck": ["", "again"],
    "stopped": ["", "asked"],
}


def every_state():
    for combination in itertools.product(*VALUES.values()):
        yield State(**dict(zip(VALUES, combination, strict=True)))


def test_every_state_has_a_step_and_every_step_a_state():
    due = next_step(State(screened="allowed", planned=True, data_due=True))
    assert {due, *(next_step(state) for state in every_state())} == set(get_args(Step)) and due == "data"


def test_nothing_is_planned_or_executed_before_the_screen_allows_it():
    for state in every_state():
        if state.screened == "no" and not state.stopped:
            assert next_step(state) == "screen"
        if state.screened == "stopped":
            assert next_step(state) == "report"


def test_the_sandbox_is_never_reached_with_a_tree_that_was_not_audited():
    for state in every_state():
        if next_step(state) in ("verify", "replay", "review", "experiments"):
            assert state.audited and state.screened == "allowed" and state.planned


def test_no_line_of_code_is_written_before_the_contracts_are_frozen_or_waived():
    for state in every_state():
        if next_step(state) in ("analyse", "code", "verify") and state.pending is None:
            assert state.claimed


def test_claims_are_put_to_the_test_only_on_a_tree_that_was_verified_reviewed_and_replayed():
    for state in every_state():
        if next_step(state) == "experiments":
            assert (state.verified, state.replayed, state.reviewed) == ("passed", "passed", True)


def test_the_debugger_speaks_only_on_failed_checks_with_rounds_left_and_a_chance():
    for state in every_state():
        if next_step(state) == "debug" and state.pending != "debugger":
            assert state.verified == "failed" and state.rounds_left > 0 and not state.stuck


def test_a_handover_goes_to_the_colleague_it_names():
    for owner, step in STEP_OF_OWNER.items():
        state = State(screened="allowed", planned=True, pending=owner, analyses_missing=1, files_missing=1)
        assert next_step(state) == step


def test_a_green_tree_is_compared_with_the_paper_then_replayed_and_then_reported():
    green = State(screened="allowed", planned=True, claimed=True, audited=True, verified="passed")
    assert next_step(green) == "review"
    reviewed = replace(green, reviewed=True)
    assert next_step(reviewed) == "replay"
    replayed = replace(reviewed, replayed="passed")
    assert next_step(replayed) == "experiments"
    assert next_step(replace(replayed, experimented=True)) == "report"
