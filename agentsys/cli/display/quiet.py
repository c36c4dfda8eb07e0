"""Nothing but what needs attention."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TextIO

from agentsys.cli.display.describe import describe
from agentsys.core.events import Event

SHOWN = frozenset({"warning", "limit.reached"})
"""Errors are not among them: the one exit door prints those."""


class QuietDisplay:
    """Shows warnings and limits."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, event: Event) -> None:
        if event.get("type") in SHOWN:
            print(describe(event), file=self._stream, flush=True)
