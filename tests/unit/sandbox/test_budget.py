"""Processor time decides, and not the clock of a busy machine."""

from __future__ import annotations

import pytest

from agentsys_sandbox.budget import IDLE_SECONDS, Budget, Meter
from agentsys_sandbox.outcome import Observation, decide
from agentsys_sandbox.spec import Outcome


def meter(cpu: float = 100.0, patience: float = 50.0) -> Meter:
    return Meter(Budget(cpu, patience), started=0.0, _busy_at=0.0)


def test_on_a_busy_machine_a_program_goes_on_as_long_as_it_is_within_its_cpu_seconds() -> None:
    slow = meter()
    assert not any(slow.over(0.2 * second, float(second)) for second in range(1, 400, 2))


def test_a_program_is_stopped_once_it_has_used_its_cpu_seconds_and_the_reason_names_them() -> None:
    quick = meter()
    assert not quick.over(99.0, 50.0)
    assert quick.over(101.0, 52.0)
    assert quick.why == "stopped after 101 CPU seconds (52 s on the clock)"


def test_a_program_that_does_nothing_is_stopped_after_its_patience_and_not_before() -> None:
    stuck = meter(patience=60.0)
    assert not stuck.over(10.0, 10.0)
    assert not stuck.over(10.0, 10.0 + IDLE_SECONDS - 1)
    assert stuck.over(10.1, 10.0 + IDLE_SECONDS + 1)
    assert "it had done nothing for 61 s" in stuck.why


def test_a_pause_is_no_end_where_the_patience_is_not_over() -> None:
    pausing = meter(patience=500.0)
    assert not pausing.over(1.0, 1.0)
    assert not pausing.over(1.0, 400.0)


def test_where_nothing_counts_cpu_seconds_the_clock_decides() -> None:
    uncounted = meter(cpu=100.0)
    assert not uncounted.over(None, 99.0)
    assert uncounted.over(None, 100.0)


@pytest.mark.parametrize(("why", "said"), [("", "in which it got 7 CPU seconds"), ("stopped: idle", "stopped: idle")])
def test_a_time_out_says_how_much_processor_time_the_program_got(why: str, said: str) -> None:
    seen = meter()
    seen.used, seen.why = 7.0, why
    outcome, message = decide(Observation(None, "timeout", timeout=400.0, meter=seen))
    assert outcome is Outcome.TIMEOUT
    assert said in message
