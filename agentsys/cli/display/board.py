"""What the live table shows, gathered from events: one row a stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentsys.cli.display.clock import Clock
from agentsys.cli.display.describe import data_of, describe, number, states_words, text
from agentsys.core.events import STAGES, Event
from agentsys.core.numbers import plural
from agentsys.core.text import clean_line


@dataclass
class Row:
    """One stage so far. Times in seconds, cost in US dollars, None where a price is unknown."""

    stage: str
    state: str = "waiting"
    spent: float = 0.0
    since: float | None = None
    tokens: int = 0
    cost: float | None = 0.0
    files: int = 0
    lines: int = 0
    note: str = ""

    def seconds(self, now: float) -> float:
        """Time spent in this stage, the turn under way included."""
        return self.spent + (now - self.since if self.since is not None else 0.0)


class Board:
    """Rows by stage; not thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rows = {stage: Row(stage) for stage in STAGES}
        self.title = ""

    def apply(self, event: Event) -> None:
        """Take an event in."""
        row = self.rows.get(str(event.get("stage")))
        kind = str(event.get("type"))
        if kind == "run.started":
            self.title = clean_line(text(data_of(event), "title", "id", "paper"), 70)
        elif kind == "run.finished":
            for each in self.rows.values():
                self._stop(each)
        elif row is not None and kind in _TAKE:
            _TAKE[kind](self, row, event)

    def start(self, row: Row, _event: Event) -> None:
        """A turn of this stage begins."""
        row.since = self._clock()
        row.state = "running"

    def finish(self, row: Row, event: Event) -> None:
        """A turn of this stage ends; its own measure of time counts more than ours."""
        took = number(data_of(event), "seconds")
        if took is not None:
            row.spent += took
            row.since = None
        self._stop(row)
        if row.state in ("running", "waiting"):
            row.state = "done"

    def call(self, row: Row, event: Event) -> None:
        """A model answered."""
        data = data_of(event)
        row.tokens += int((number(data, "prompt") or 0) + (number(data, "completion") or 0))
        price = number(data, "price", "cost")
        row.cost = None if price is None or row.cost is None else row.cost + price

    def file(self, row: Row, event: Event) -> None:
        """A file landed."""
        row.files += 1
        row.lines += int(number(data_of(event), "lines") or 0)
        row.note = plural(row.files, "file") + (f", {plural(row.lines, 'line')}" if row.lines else "")

    def round_started(self, row: Row, event: Event) -> None:
        """Another verification begins."""
        row.state = f"round {event.get('round')}"
        row.note = ""

    def round_finished(self, row: Row, event: Event) -> None:
        """A verification ended."""
        data = data_of(event)
        row.state = "passed" if data.get("passed") is True else row.state
        row.note = "all checks passed" if data.get("passed") is True else states_words(data.get("checks"))

    def tell(self, row: Row, event: Event) -> None:
        """Something worth a note; a count of files says more than a receipt."""
        if not (row.files and event.get("type") == "agent.message"):
            row.note = describe(event, 60)

    def receipt(self, row: Row, event: Event) -> None:
        """A colleague's last word on its stage."""
        if not row.files and row.stage != "verify":
            row.note = clean_line(text(data_of(event), "text", "summary", "note"), 60)

    def _stop(self, row: Row) -> None:
        if row.since is not None:
            row.spent += self._clock() - row.since
            row.since = None


_TAKE: dict[str, Callable[[Board, Row, Event], None]] = {
    "stage.started": Board.start,
    "stage.finished": Board.finish,
    "llm.call": Board.call,
    "file.written": Board.file,
    "round.started": Board.round_started,
    "round.finished": Board.round_finished,
    "sandbox.exec": Board.tell,
    "policy.verdict": Board.tell,
    "warning": Board.tell,
    "agent.message": Board.receipt,
}
