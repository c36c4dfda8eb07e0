"""Where a run stands while it goes on: stage, who works, what was used, and the last that happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from agentsys.core.events import STAGES, Event
from agentsys.report.describe import data_of, describe, text
from agentsys.report.view.commands import last_events
from agentsys.report.view.files import NotThere
from agentsys.report.view.source import Source

_LINES = 15


@dataclass(frozen=True)
class Live:
    """A run at this moment. `cost` is in US dollars, None where a price is unknown; `seconds` since it began."""

    status: str
    stage: str
    stages: tuple[tuple[str, str], ...]
    """Each stage: `done`, `now` or `to come`."""
    agent: str
    check: str
    rounds: int
    calls: int
    prompt: int
    completion: int
    cost: float | None
    seconds: float | None
    lines: tuple[tuple[str, str], ...]
    """Time and words of the last events."""

    @property
    def running(self) -> bool:
        return self.status == "running"


def live(source: Source) -> Live:
    """Return where a run stands, from its record, its ledger and the end of its events.

    Raises: NotThere where its record is gone or damaged.
    """
    try:
        record = source.run.state()
    except (OSError, ValidationError) as error:
        raise NotThere(source.id) from error
    events, calls = last_events(source.path), source.calls
    begun = [data_of(event) for event in events if event.get("type") == "stage.started"]
    after = [event for event in events if event.get("stage") == record.stage]
    checks = [data_of(event) for event in after if event.get("type") in ("check.started", "check.progress")]
    prices = [call.price for call in calls]
    return Live(
        status=record.status,
        stage=record.stage,
        stages=tuple((name, _state(name, record.stage, record.seconds)) for name in STAGES),
        agent=text(begun[-1], "agent") if begun else "",
        check=" ".join(filter(None, (text(checks[-1], "check"), text(checks[-1], "text")))) if checks else "",
        rounds=record.rounds,
        calls=len(calls),
        prompt=sum(call.prompt for call in calls),
        completion=sum(call.completion for call in calls),
        cost=None if None in prices else sum(price or 0.0 for price in prices),
        seconds=_since(record.started),
        lines=tuple((str(event.get("ts") or "")[11:19], _words(event)) for event in events[-_LINES:]),
    )


def _words(event: Event) -> str:
    return f"{event.get('stage') or 'run'}: {describe(event)}"


def _state(name: str, now: str, seconds: dict[str, float]) -> str:
    return "now" if name == now else "done" if name in seconds else "to come"


def _since(started: str) -> float | None:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds()
    except (ValueError, TypeError):
        return None
