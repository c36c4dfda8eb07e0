"""One decision from all observations, in the order of what can be believed."""

from __future__ import annotations

import pytest

from agentsys_sandbox.outcome import Observation, decide
from agentsys_sandbox.spec import ExecResult, Outcome


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (Observation(0), Outcome.OK),
        (Observation(1), Outcome.NONZERO),
        (Observation(124), Outcome.NONZERO),
        (Observation(137), Outcome.NONZERO),
        (Observation(127), Outcome.NONZERO),
        (Observation(127, start_failed=True), Outcome.START_FAILED),
        (Observation(0, oom_kills=1), Outcome.OOM),
        (Observation(137, oom_kills=2), Outcome.OOM),
        (Observation(1, pids_refused=3), Outcome.PIDS_LIMIT),
        (Observation(0, pids_refused=3), Outcome.OK),
        (Observation(0, alive=False), Outcome.SANDBOX_DIED),
        (Observation(137, alive=False, oom_kills=1), Outcome.SANDBOX_DIED),
        (Observation(None), Outcome.INFRA_ERROR),
        (Observation(0, counters_read=False), Outcome.INFRA_ERROR),
        (Observation(0, stopped="timeout"), Outcome.TIMEOUT),
        (Observation(137, stopped="timeout", alive=False, oom_kills=1), Outcome.TIMEOUT),
        (Observation(None, stopped="output_limit"), Outcome.OUTPUT_LIMIT),
        (Observation(None, stopped="disk_limit"), Outcome.DISK_LIMIT),
    ],
)
def test_the_outcome_follows_from_what_was_seen(seen: Observation, outcome: Outcome) -> None:
    found, message = decide(seen)
    assert found is outcome
    assert bool(message) or outcome in (Outcome.OK, Outcome.NONZERO)


def test_only_a_program_that_was_seen_to_end_well_is_ok() -> None:
    every = [
        Observation(code, alive=alive, counters_read=read, oom_kills=kills, start_failed=failed)
        for code in (None, 0, 1)
        for alive in (True, False)
        for read in (True, False)
        for kills in (0, 1)
        for failed in (True, False)
    ]
    good = [seen for seen in every if decide(seen)[0] is Outcome.OK]
    assert good == [Observation(0)]


def test_an_exit_code_that_looks_like_a_signal_is_named_as_a_hint() -> None:
    assert "SIGSEGV" in decide(Observation(139))[1]
    assert decide(Observation(200))[1] == ""


def test_infrastructure_is_told_apart_from_the_code_under_test() -> None:
    blame = {outcome for outcome in Outcome if outcome.is_infrastructure}
    assert blame == {Outcome.SANDBOX_DIED, Outcome.INFRA_ERROR}
    assert not ExecResult(Outcome.OOM, 0, b"", b"", 1.0).ok
