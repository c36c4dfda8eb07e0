"""How an execution ended: one decision from everything that was observed."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Literal

from agentsys_sandbox.budget import Meter
from agentsys_sandbox.spec import Outcome

Stopped = Literal["", "timeout", "output_limit", "disk_limit"]
"""Why the backend itself ended the program; empty where it did not."""


@dataclass(frozen=True)
class Observation:
    """What a backend saw. Counters are differences over this execution."""

    exit_code: int | None
    """None where the engine did not say."""
    stopped: Stopped = ""
    alive: bool = True
    """False where the sandbox (its first process, its container) ended during the execution."""
    counters_read: bool = True
    """False where the counters below could not be read."""
    oom_kills: int = 0
    pids_refused: int = 0
    start_failed: bool = False
    timeout: float = 0.0
    meter: Meter | None = None
    """What it used of the processors, where that is bounded."""


def decide(seen: Observation) -> tuple[Outcome, str]:
    """Name the outcome and say it in plain words (empty for ok and nonzero).

    The order is the point: what the backend did itself comes first, then the death of the sandbox, then the kernel's
    counters; the exit code decides only between ok and nonzero, because a program can end with any code it likes.
    """
    if seen.stopped == "timeout":
        return Outcome.TIMEOUT, _overtime(seen)
    if seen.stopped == "output_limit":
        return Outcome.OUTPUT_LIMIT, "stopped because it flooded its output"
    if seen.stopped == "disk_limit":
        return Outcome.DISK_LIMIT, "stopped because the work folder grew over its limit"
    if not seen.alive:
        return Outcome.SANDBOX_DIED, "the sandbox ended while the program ran"
    if seen.start_failed:
        return Outcome.START_FAILED, "the program could not be started: not found, not executable, or no such folder"
    return _ended(seen)


def _overtime(seen: Observation) -> str:
    said = f"stopped after {seen.timeout:g} s"
    if seen.meter is None:
        return said
    return seen.meter.why or f"{said} on the clock, in which it got {seen.meter.used:.0f} CPU seconds"


def _ended(seen: Observation) -> tuple[Outcome, str]:
    if seen.oom_kills:
        return Outcome.OOM, f"the kernel killed {seen.oom_kills} process(es) at the memory limit"
    if seen.exit_code is None or not seen.counters_read:
        return Outcome.INFRA_ERROR, "the end of the program could not be observed"
    if seen.exit_code == 0:
        return Outcome.OK, ""
    if seen.pids_refused:
        return Outcome.PIDS_LIMIT, "it asked for more processes or threads than allowed"
    return Outcome.NONZERO, _signal(seen.exit_code)


def _signal(code: int) -> str:
    """Name the signal that an exit code may stand for; only a hint, since programs choose their codes freely."""
    try:
        return f"exit code {code}, as after {signal.Signals(code - 128).name}"
    except ValueError:
        return ""
