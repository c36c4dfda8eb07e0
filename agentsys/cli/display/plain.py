"""Lines on standard error: one an event and at least one a minute, for logs and pipes; or warnings alone."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Self, TextIO

from agentsys.cli.display.heartbeat import QUIET_AFTER, Clock, Heartbeat, Ticker
from agentsys.core.events import Event
from agentsys.core.text import clean_line, clean_text
from agentsys.report.describe import data_of, describe, text

NARRATED = frozenset({"sandbox.output", "check.progress"})
"""Events that only `-v` shows: there are thousands of them."""
MESSAGE_LINES = 4
NEEDS_ATTENTION = frozenset({"warning", "limit.reached"})
"""All that `--quiet` shows; errors are printed when the program ends."""


class PlainDisplay(AbstractContextManager["PlainDisplay", None]):
    """Writes `time stage event` lines."""

    def __init__(
        self, stream: TextIO, *, verbose: bool = False, clock: Clock = time.monotonic, period: float = 5.0
    ) -> None:
        self._stream = stream
        self._verbose = verbose
        self._clock = clock
        self._heartbeat = Heartbeat(clock)
        self._printed = clock()
        self._lock = threading.Lock()
        self._ticker = Ticker(period, self.tick)

    def __enter__(self) -> Self:
        self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ticker.stop()

    def paused(self) -> AbstractContextManager[object]:
        return nullcontext()

    def stopping(self) -> bool:
        return False

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._heartbeat.note(event)
            if event.get("type") in NARRATED and not self._verbose:
                return
            self._print(f"{_time(event)} {_where(event):<9} {describe(event)}")
            if self._verbose and event.get("type") == "agent.message":
                self._message(event)

    def tick(self) -> None:
        """Say what is being waited for if nothing was printed for a minute."""
        with self._lock:
            if self._clock() - self._printed >= QUIET_AFTER:
                self._print(f"{'':8} {'':<9} {clean_line(self._heartbeat.line())}")

    def _message(self, event: Event) -> None:
        lines = [clean_line(line, 110) for line in clean_text(text(data_of(event), "text")).splitlines()]
        shown = [line for line in lines if line][:MESSAGE_LINES]
        for line in shown:
            self._print(f"{'':18} {line}")

    def _print(self, line: str) -> None:
        print(line.rstrip(), file=self._stream, flush=True)
        self._printed = self._clock()


def _time(event: Event) -> str:
    """Return the time of day (UTC) of an event, `HH:MM:SS`."""
    stamp = clean_line(event.get("ts", ""), 40)
    return stamp[11:19] if len(stamp) >= 19 else f"{'':8}"


def _where(event: Event) -> str:
    stage, number = clean_line(event.get("stage") or "run", 9), event.get("round")
    return f"{stage} {number}" if isinstance(number, int) else stage


class QuietDisplay(AbstractContextManager["QuietDisplay", None]):
    """Shows warnings and limits."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __exit__(self, *_: object) -> None:
        return None

    def paused(self) -> AbstractContextManager[object]:
        return nullcontext()

    def stopping(self) -> bool:
        return False

    def __call__(self, event: Event) -> None:
        if event.get("type") in NEEDS_ATTENTION:
            print(describe(event), file=self._stream, flush=True)
