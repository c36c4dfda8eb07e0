"""A table that is redrawn in place, with a line below it that shows that the run is alive."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agentsys.cli.display.board import Board, Row
from agentsys.cli.display.clock import Clock
from agentsys.cli.display.describe import describe
from agentsys.cli.display.heartbeat import Heartbeat
from agentsys.core.events import Event
from agentsys.core.numbers import clock as clock_words
from agentsys.core.numbers import count, dollars
from agentsys.core.text import clean_line

REFRESHES = 2
"""Redraws a second."""
STYLES = {"passed": "green", "done": "green", "running": "bold", "waiting": "dim"}
LASTING = frozenset({"warning", "limit.reached"})
"""Events that stay on the screen above the table."""


class LiveDisplay:
    """Shows a `Board`. Everything that came from elsewhere is `Text`, never markup."""

    def __init__(self, stream: TextIO, *, verbose: bool = False, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._board = Board(clock)
        self._heartbeat = Heartbeat(clock)
        self._verbose = verbose
        self._lock = threading.Lock()
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False)
        self._live = Live(
            console=self._console,
            get_renderable=self.picture,
            refresh_per_second=REFRESHES,
            # What libraries print must not be caught and moved: stdout is data.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._board.apply(event)
            self._heartbeat.note(event)
        kind = event.get("type")
        if kind in LASTING or (self._verbose and kind == "agent.message"):
            self._console.print(Text(describe(event), overflow="fold"))

    def picture(self) -> Group:
        """Return the table and the heartbeat as they are now; called by the refresh thread."""
        with self._lock:
            rows = [self._cells(row) for row in self._board.rows.values()]
            title, beat = self._board.title, self._heartbeat.line()
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
        for name, right in (("stage", 0), ("state", 0), ("time", 1), ("tokens", 1), ("cost", 1)):
            table.add_column(name, justify="right" if right else "left", no_wrap=True)
        # Takes what the others leave, and is cut first.
        table.add_column("note", ratio=1, no_wrap=True, overflow="ellipsis")
        for cells in rows:
            table.add_row(*cells)
        parts = [Text(title, style="bold", no_wrap=True, overflow="ellipsis")] if title else []
        return Group(*parts, table, Text(f"  {clean_line(beat, 110)}", no_wrap=True, overflow="ellipsis"))

    def _cells(self, row: Row) -> list[Text]:
        if row.state == "waiting":
            return [Text(row.stage, style="dim"), Text("waiting", style="dim"), *(Text("") for _ in range(4))]
        spent = row.seconds(self._clock())
        return [
            Text(row.stage),
            Text(clean_line(row.state, 10), style=STYLES.get(row.state, "")),
            Text(clock_words(spent)),
            Text(count(row.tokens) if row.tokens else "-"),
            Text(dollars(row.cost) if row.tokens else "-"),
            Text(clean_line(row.note, 60)),
        ]
