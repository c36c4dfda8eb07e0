"""A table that is redrawn in place, one row a stage, with a line below it that shows that the run is alive."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, Literal, TextIO

from rich.console import Console, RenderableType
from rich.progress import Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from agentsys.cli.display.heartbeat import Clock, Heartbeat
from agentsys.core.events import STAGES, Event
from agentsys.core.numbers import clock as clock_words
from agentsys.core.numbers import count, dollars, plural
from agentsys.core.text import clean_line
from agentsys.report.describe import data_of, describe, number, states_words, text

REFRESHES = 2
"""Redraws a second."""
STYLES = {"passed": "green", "done": "green", "running": "bold", "waiting": "dim"}
STOPPING = "stopping in order, Ctrl-C once more stops at once; "
LASTING = frozenset({"run.estimated", "warning", "limit.reached"})
"""Events that stay on the screen above the table."""


class LiveDisplay(Progress):
    """Shows a task a stage. Everything that came from elsewhere is `Text`, never markup."""

    def __init__(self, stream: TextIO, *, verbose: bool = False, clock: Clock = time.monotonic) -> None:
        self._heartbeat = Heartbeat(clock)
        self._verbose = verbose
        self._title = ""
        self._stopping = False
        self._stages: dict[str, Task] = {}
        super().__init__(
            _Cell(lambda task: Text(task.description, style="dim" if _waits(task) else "")),
            _Cell(_state),
            _Cell(lambda task: Text("" if _waits(task) else clock_words(_seconds(task))), justify="right"),
            _Cell(lambda task: Text(_used(task, "calls", "call")), justify="right"),
            _Cell(lambda task: Text(_used(task, "tokens", "token")), justify="right"),
            _Cell(lambda task: Text(dollars(task.fields["cost"]) if task.fields["calls"] else ""), justify="right"),
            # Takes what the others leave, and is cut first.
            _Cell(lambda task: Text(task.fields["note"]), ratio=1),
            console=Console(file=stream, markup=False, highlight=False, emoji=False),
            refresh_per_second=REFRESHES,
            get_time=clock,
            expand=True,
            # What libraries print must not be caught and moved: stdout is data.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        for stage in STAGES:
            row: dict[str, Any] = {"state": "waiting", "agent": "", "note": "", "spent": 0.0, "cost": 0.0}
            self.add_task(stage, start=False, total=None, calls=0, tokens=0, files=0, lines=0, **row)
        self._stages = {task.description: task for task in self.tasks}

    def __call__(self, event: Event) -> None:
        kind, data = event.get("type"), data_of(event)
        with self._lock:
            self._heartbeat.note(event)
            if kind == "run.started":
                self._title = clean_line(text(data, "title", "id", "paper"), 70)
            elif kind == "run.finished":
                for task in self._stages.values():
                    _pause(task)
            elif (task := self._stages.get(str(event.get("stage")))) is not None:
                self._take(task, event)
        if kind in LASTING or (self._verbose and kind == "agent.message"):
            self.console.print(Text(describe(event), overflow="fold"))

    @contextmanager
    def paused(self) -> Generator[None]:
        """Take the table away until the end of the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def stopping(self) -> bool:
        """Note it and do no more: locks may be held where the signal came. The next redraw shows it."""
        self._stopping = True
        return self.live.is_started

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return title, table and heartbeat as they are now; called by the refresh thread."""
        with self._lock:
            title = [Text(self._title, style="bold", no_wrap=True, overflow="ellipsis")] if self._title else []
            words = f"{STOPPING}{self._heartbeat.line()}" if self._stopping else self._heartbeat.line()
            beat = Text(f"  {clean_line(words, 110)}", no_wrap=True, overflow="ellipsis")
            return [*title, self.make_tasks_table(self._stages.values()), beat]

    def _take(self, task: Task, event: Event) -> None:
        """Take what happened in a stage into its row."""
        data, row = data_of(event), task.fields
        match event.get("type"):
            case "stage.started":
                task.start_time = self.get_time()
                row.update(state="running", agent=text(data, "agent"))
            case "stage.finished":
                # The stage's own measure of time counts more than ours.
                _pause(task, number(data, "seconds"))
                row["state"] = "done" if row["state"] in ("running", "waiting") else row["state"]
            case "llm.call":
                price = number(data, "price", "cost")
                row["calls"] += 1
                row["tokens"] += int((number(data, "prompt") or 0) + (number(data, "completion") or 0))
                row["cost"] = None if price is None or row["cost"] is None else row["cost"] + price
            case "file.written":
                row["files"] += 1
                row["lines"] += int(number(data, "lines") or 0)
                row["note"] = plural(row["files"], "file") + (
                    f", {plural(row['lines'], 'line')}" if row["lines"] else ""
                )
            case "round.started":
                row.update(state=f"round {event.get('round')}", note="")
            case "round.finished" if data.get("passed") is True:
                row.update(state="passed", note="all checks passed")
            case "round.finished":
                row["note"] = clean_line(states_words(data.get("checks")), 60)
            case "check.started" | "check.progress" | "sandbox.exec" | "policy.verdict" | "warning":
                row["note"] = describe(event, 60)
            case "agent.message" if not row["files"] and task.description != "verify":
                # A count of files says more than a receipt, and so do the checks.
                row["note"] = clean_line(text(data, "text", "summary", "note"), 60)
            case _:
                pass


class _Cell(ProgressColumn):
    def __init__(
        self, show: Callable[[Task], Text], justify: Literal["left", "right"] = "left", ratio: int | None = None
    ) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis", justify=justify, ratio=ratio))
        self._show = show

    def render(self, task: Task) -> Text:
        return self._show(task)


def _waits(task: Task) -> bool:
    return task.fields["state"] == "waiting"


def _state(task: Task) -> Text:
    """Return who works while a stage runs, else how it stands."""
    state = task.fields["state"]
    words = task.fields["agent"] if state == "running" else state
    return Text(clean_line(words or state, 10), style=STYLES.get(state, ""))


def _seconds(task: Task) -> float:
    return task.fields["spent"] + (task.elapsed or 0.0)


def _used(task: Task, field: str, noun: str) -> str:
    number = task.fields[field]
    return f"{count(number)} {noun}{'s' * (number != 1)}" if number else ""


def _pause(task: Task, took: float | None = None) -> None:
    """Add the turn under way to the stage's time; `took` seconds where the stage measured them itself."""
    task.fields["spent"] += (task.elapsed or 0.0) if took is None else took
    task.start_time = None
