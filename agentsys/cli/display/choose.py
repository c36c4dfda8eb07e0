"""Which display shows a run: a subscriber of events with a beginning and an end."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from typing import Literal, Protocol, TextIO

from agentsys.core.events import Event

DisplayName = Literal["auto", "live", "plain", "quiet", "json"]


class Display(AbstractContextManager["Display", None], Protocol):
    """Shows events; entering starts it, leaving puts the terminal back as it was."""

    def __call__(self, event: Event) -> None: ...

    def paused(self) -> AbstractContextManager[object]:
        """Hold back what is drawn, so that a person can be asked something."""
        ...

    def stopping(self) -> bool:
        """Note that the run is being stopped; True where the display shows it. Called in a signal's handler."""
        ...


def choose(name: DisplayName, stream: TextIO, env: dict[str, str] | None = None) -> Literal["live", "plain", "quiet"]:
    """Return which display `auto` stands for: the live table only where a terminal can redraw it."""
    if name in ("live", "plain", "quiet"):
        return name
    environment = os.environ if env is None else env
    able = stream.isatty() and environment.get("TERM", "") not in ("", "dumb") and not environment.get("CI")
    return "live" if able else "plain"


def open_display(name: DisplayName, *, verbose: bool = False, stream: TextIO | None = None) -> Display:
    """Make the display that `name` stands for, on standard error unless `stream` is given."""
    from agentsys.cli.display.plain import PlainDisplay, QuietDisplay

    target = stream or sys.stderr
    chosen = choose(name, target)
    if chosen == "live":
        from agentsys.cli.display.live import LiveDisplay

        return LiveDisplay(target, verbose=verbose)
    return PlainDisplay(target, verbose=verbose) if chosen == "plain" else QuietDisplay(target)
