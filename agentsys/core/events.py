"""Events: what happened, as it happens, in `events.jsonl` and to every subscriber."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO, get_args

EventType = Literal[
    "run.started",
    "run.estimated",
    "run.finished",
    "stage.started",
    "stage.finished",
    "agent.message",
    "llm.call",
    "llm.retry",
    "file.written",
    "check.started",
    "check.progress",
    "sandbox.started",
    "sandbox.exec",
    "sandbox.output",
    "sandbox.stopped",
    "diagnostic.found",
    "round.started",
    "round.finished",
    "policy.verdict",
    "limit.reached",
    "warning",
    "error",
]
Step = Literal[
    "screen", "plan", "data", "claims", "analyse", "code", "audit", "verify", "debug", "review", "replay",
    "experiments", "report",
]  # fmt: skip
"""One turn of the conversation; the router names it."""
Stage = Literal["read", Step]
"""Reading the paper comes before the conversation; every step of it is a stage of the run."""
STAGES: tuple[Stage, ...] = get_args(Stage)

Event = Mapping[str, object]
"""`{"v":1,"seq":17,"ts":"...Z","run":"...","type":"...","stage":"...","round":2,"data":{...}}`"""
Subscriber = Callable[[Event], None]


def utc_now(precision: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Return the time as it is stored everywhere: `2026-01-02T03:04:05Z`."""
    return datetime.now(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


class EventLog:
    """Appends events to a file, flushed one by one, and hands them to subscribers.

    `seq` goes on where an earlier process stopped. A half-written last line (the process was killed) is cut off.
    """

    def __init__(self, path: Path | None, run: str) -> None:
        self._run = run
        self._subscribers: list[Subscriber] = []
        self._seq = 0
        self._file: TextIO | None = None
        if path is not None:
            self._seq = _repair(path)
            self._file = path.open("a", encoding="utf-8")

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with every later event."""
        self._subscribers.append(subscriber)

    def emit(self, type: EventType, *, stage: Stage | None = None, round: int | None = None, **data: object) -> None:
        """Record one event. `data` must be plain JSON values."""
        self._seq += 1
        now = utc_now("milliseconds")
        event: dict[str, object] = {"v": 1, "seq": self._seq, "ts": now, "run": self._run, "type": type}
        if stage is not None:
            event["stage"] = stage
        if round is not None:
            event["round"] = round
        event["data"] = data
        if self._file is not None:
            self._file.write(json.dumps(event, ensure_ascii=False, default=str) + "\n")
            self._file.flush()
        for subscriber in self._subscribers:
            subscriber(event)

    def close(self) -> None:
        """Close the file; later events are an error."""
        if self._file is not None:
            self._file.close()


def _repair(path: Path) -> int:
    """Cut an unfinished last line and return the last sequence number."""
    if not path.exists():
        return 0
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) != len(raw):
        path.write_bytes(whole)
    lines = whole.splitlines()
    return int(json.loads(lines[-1])["seq"]) if lines else 0
