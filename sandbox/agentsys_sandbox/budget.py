"""How much processor time a program may use, and when one that uses none has stalled.

The clock alone would judge the machine's load: what ends in time on an idle machine must end in time on a busy one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

POLL = 2.0
"""Seconds between two looks at the processor time used."""
IDLE_SECONDS = 60.0
IDLE_SHARE = 0.01
"""Of one processor: who uses less is waiting for something, and not for a processor on a busy machine."""


@dataclass(frozen=True)
class Budget:
    """What a program and all it starts may use together, in CPU seconds; and how long it may do nothing.

    Args:
        cpu: CPU seconds of the control group, all processors together.
        patience: seconds on the clock from which on a program that does nothing is stopped.
    """

    cpu: float
    patience: float

    def meter(self) -> Meter:
        """Start to measure."""
        return Meter(self)


@dataclass
class Meter:
    """What one program has used so far."""

    budget: Budget
    started: float = field(default_factory=time.monotonic)
    used: float = 0.0
    why: str = ""
    _busy_at: float = field(default_factory=time.monotonic)
    _busy_used: float = 0.0

    def over(self, used: float | None, now: float | None = None) -> bool:
        """Take note of the CPU seconds used so far; True, with `why`, where the program has to be stopped.

        Args:
            used: None where the kernel does not count them: then the clock decides.
        """
        now = time.monotonic() if now is None else now
        self.why = self._judge(now - self.started if used is None else used, now)
        return bool(self.why)

    def _judge(self, used: float, now: float) -> str:
        self.used = used
        if used - self._busy_used > IDLE_SHARE * (now - self._busy_at):
            self._busy_at, self._busy_used = now, used
        if used >= self.budget.cpu:
            return f"stopped after {used:.0f} CPU seconds ({now - self.started:.0f} s on the clock)"
        idle = now - self._busy_at
        if now - self.started >= self.budget.patience and idle >= min(IDLE_SECONDS, self.budget.patience):
            return f"stopped after {now - self.started:.0f} s: it had done nothing for {idle:.0f} s"
        return ""
