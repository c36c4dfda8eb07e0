"""The last sign of life, and how old it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from agentsys.core.events import Event
from agentsys.core.numbers import seconds
from agentsys.core.settings import ROLES
from agentsys.report.describe import data_of, describe, text

Clock = Callable[[], float]
"""Seconds of a clock that never goes back."""
EXPERIMENT = "experiment"
"""Name under which the debugger's program is run."""
DURING_CHECK = frozenset({"sandbox.started", "sandbox.exec", "sandbox.output", "warning"})
"""Events between which a check goes on."""
QUIET_AFTER = 60.0
"""Seconds without an event after which the display says what is being waited for."""


@dataclass
class Heartbeat:
    """Who did what, and when."""

    clock: Clock
    _line: str = "starting"
    _waits_for: str = "the first event"
    _at: float = field(init=False)
    _check: str = ""
    _check_since: float = 0.0

    def __post_init__(self) -> None:
        self._at = self.clock()

    def note(self, event: Event) -> None:
        """Remember an event as the latest."""
        self._at = self.clock()
        self._line = describe(event, 100)
        self._waits_for = _awaited(event)
        kind = event.get("type")
        if kind == "check.started":
            self._check_since = self._at
        if kind in ("check.started", "check.progress"):
            self._check = self._line
        elif kind not in DURING_CHECK or _experimented(event):
            self._check = ""

    @property
    def age(self) -> float:
        """Seconds since the latest event."""
        return self.clock() - self._at

    def line(self) -> str:
        """Return the running check, the latest event with its age, or what is being waited for."""
        if self._check:
            return f"{self._check}, {seconds(int(self.clock() - self._check_since))}"
        if self.age >= QUIET_AFTER:
            return f"waiting for {self._waits_for}, {seconds(int(self.age))}"
        return f"{self._line} ({seconds(int(self.age))} ago)"


class Ticker:
    """Calls `tick` every `period` seconds from a thread of its own, until it is stopped."""

    def __init__(self, period: float, tick: Callable[[], None]) -> None:
        self._period = period
        self._tick = tick
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when no call is under way."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._period):
            self._tick()


def _experimented(event: Event) -> bool:
    """True once the debugger's experiment has ended: no check follows its install, but the model, who reads it."""
    return event.get("type") == "sandbox.exec" and text(data_of(event), "check") == EXPERIMENT


def _awaited(event: Event) -> str:
    if _experimented(event):
        return "the model (debugger)"
    if event.get("type") in ("sandbox.started", "sandbox.exec", "sandbox.output"):
        return "the sandbox"
    if event.get("stage") in ("verify", "replay"):
        return "the sandbox"
    who = text(data_of(event), "agent", "role")
    if event.get("stage") in ROLES.values() if "stage" in event else who in ROLES:
        return f"the model ({who})" if who else "the model"
    return f"the {who}" if who else "the next step"
