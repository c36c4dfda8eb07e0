"""The table of a batch while it runs: redrawn in place on a terminal, else a line for each paper's begin and end."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agentsys.core.numbers import clock, dollars
from agentsys.core.text import clean_line
from agentsys.report.batch import Row, line
from agentsys.run.batch.listing import Paper

SHOWN = 20
"""Papers that ended and are still shown, the latest."""
STYLES = {"verified": "green", "interrupted": "dim"}


@dataclass
class _Going:
    """A paper under way."""

    name: str
    began: float
    worker: int
    stage: str = ""
    calls: int = 0
    cost: float | None = 0.0


class BatchDisplay(AbstractContextManager["BatchDisplay"]):
    """Shows papers as they begin, go on and end.

    Args:
        kind: `quiet` shows nothing.
        total: number of papers.
    """

    def __init__(
        self,
        kind: Literal["live", "plain", "quiet"],
        stream: TextIO,
        total: int,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind = kind
        self._stream = stream
        self._total = total
        self._tick = tick
        self._going: dict[str, _Going] = {}
        self._ended: list[Row] = []
        self._lock = threading.Lock()
        self._stopping = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._kind == "live":
            console = Console(file=self._stream, markup=False, highlight=False, emoji=False)
            live = Live(get_renderable=self._table, console=console, refresh_per_second=2, redirect_stdout=False)
            self._stack.enter_context(live)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def stopping(self) -> bool:
        """Note that the batch is being stopped; True where the table says so."""
        self._stopping = True
        return self._kind == "live"

    def begun(self, paper: Paper, worker: int) -> None:
        with self._lock:
            self._going[paper.key] = _Going(_short(paper.name), self._tick(), worker)
        self._say(f"begins {_short(paper.name)} (worker {worker})")

    def noted(self, key: str, event: Mapping[str, object]) -> None:
        with self._lock:
            if (going := self._going.get(key)) is None:
                return
            match event["type"]:
                case "stage.started" | "round.started":
                    number = f" {event['round']}" if event.get("round") else ""
                    going.stage = f"{event.get('stage', '')}{number}"
                case "llm.call":
                    price = event.get("price")
                    going.calls += 1
                    known = isinstance(price, int | float) and going.cost is not None
                    going.cost = going.cost + price if known else None  # pyright: ignore
                case _:
                    pass

    def lost(self, paper: Paper, how: str) -> None:
        with self._lock:
            self._going.pop(paper.key, None)
        self._say(f"{_short(paper.name)}: {how}; it is gone on with by another")

    def ended(self, row: Row, *, earlier: bool = False) -> None:
        with self._lock:
            self._going.pop(row.key, None)
            self._ended.append(row)
        parts = [part for part in (line(row), dollars(row.cost), clock(row.seconds)) if part]
        words = f"{row.status} {_short(row.paper)}: {', '.join(parts)}"
        self._say(f"{'before: ' if earlier else ''}{words}; {len(self._ended)} of {self._total}")

    def _say(self, words: str) -> None:
        if self._kind == "plain":
            print(time.strftime("%H:%M:%S"), clean_line(words, 300), file=self._stream, flush=True)

    def _table(self) -> RenderableType:
        with self._lock:
            table = Table(box=None, pad_edge=False, expand=True)
            for name, right in (("paper", 0), ("state", 0), ("calls", 1), ("cost", 1), ("time", 1)):
                table.add_column(name, justify="right" if right else "left", no_wrap=True)
            table.add_column("why", ratio=1, no_wrap=True, overflow="ellipsis")
            for row in self._ended[-SHOWN:]:
                style = STYLES.get(row.status, "red")
                cells = (_short(row.paper), row.status, str(row.calls), dollars(row.cost), clock(row.seconds))
                table.add_row(*(Text(cell) for cell in cells), Text(line(row)), style=style)
            for going in self._going.values():
                took = clock(self._tick() - going.began)
                cells = (going.name, going.stage or "begins", str(going.calls), dollars(going.cost), took)
                table.add_row(*(Text(clean_line(cell, 40)) for cell in cells), Text(f"worker {going.worker}"))
            return Group(table, Text(self._line(), style="bold"))

    def _line(self) -> str:
        counts = Counter(row.status for row in self._ended)
        said = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
        costs = [row.cost for row in self._ended] + [going.cost for going in self._going.values()]
        known = [cost for cost in costs if cost is not None]
        money = dollars(sum(known)) if len(known) == len(costs) else "$?"
        stop = "stopping in order, Ctrl-C once more stops at once; " if self._stopping else ""
        ended = f"{len(self._ended)} of {self._total} ended ({said or 'none'})"
        return f"{stop}{ended}, {len(self._going)} under way, {money}"


def _short(name: str) -> str:
    return clean_line(Path(name).name if name.startswith("/") else name, 40)
