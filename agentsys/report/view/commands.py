"""Commands that were run in a sandbox, from the events of a run, each with its log and exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from agentsys.core.events import Event
from agentsys.report.describe import data_of, number, text
from agentsys.report.view.files import NotThere, open_inside

_LONGEST_LINE = 1 << 20
_TAIL = 64 << 10
Logs = dict[tuple[str, str], str]
"""(folder, check) -> its log: many commands share one."""


@dataclass(frozen=True)
class Command:
    """One command as it ended."""

    time: str
    where: str
    """`round 2`, `replay`, `reproduction 1`, or the stage."""
    check: str
    command: str
    outcome: str
    exit_code: int | None
    seconds: float | None
    log: str
    """Path of the check's log below the run; empty where there is none."""


def read_commands(run: Path) -> tuple[Command, ...]:
    """Return every command of the run and of its reproductions, in their order."""
    logs: Logs = {}
    found = [_command(run, event, "", logs) for event in _events(run, "events.jsonl", b'"sandbox.exec"')]
    for folder in sorted(run.glob("reproductions/[0-9]*")):
        place = f"reproductions/{folder.name}"
        rows = _events(run, f"{place}/events.jsonl", b'"sandbox.exec"')
        found += [_command(run, event, place, logs) for event in rows]
    return tuple(found)


def last_events(run: Path) -> list[Event]:
    """Return the latest events, oldest first; those of about 64 KiB."""
    try:
        with open_inside(run, "events.jsonl") as file:
            size = file.seek(0, 2)
            file.seek(max(size - _TAIL, 0))
            lines = file.read().split(b"\n")
    except NotThere:
        return []
    whole = lines if size <= _TAIL else lines[1:]
    return [event for line in whole if (event := _event(line)) is not None]


def _events(run: Path, name: str, kind: bytes) -> Iterator[Event]:
    try:
        with open_inside(run, name) as file:
            while line := file.readline(_LONGEST_LINE):
                if kind in line and (event := _event(line)) is not None:
                    yield event
    except NotThere:
        return


def _event(line: bytes) -> Event | None:
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else None


def _command(run: Path, event: Event, place: str, logs: Logs) -> Command:
    data = data_of(event)
    stage, count, check = str(event.get("stage") or ""), event.get("round"), text(data, "check")
    where, folder = stage, ""
    if place:
        where, folder = f"reproduction {int(place.rpartition('/')[2])}", place
    elif stage == "replay":
        where, folder = "replay", "rounds/replay"
    elif isinstance(count, int) and stage == "verify":
        where, folder = f"round {count}", f"rounds/{count:02d}"
    code = number(data, "exit_code")
    if (folder, check) not in logs:
        logs[folder, check] = _log(run, folder, check)
    return Command(
        time=str(event.get("ts") or ""),
        where=where,
        check=check,
        command=text(data, "command"),
        outcome=text(data, "outcome"),
        exit_code=int(code) if code is not None else None,
        seconds=number(data, "seconds"),
        log=logs[folder, check],
    )


def _log(run: Path, folder: str, check: str) -> str:
    """Return the log of a check; the runs of the profile share one."""
    if not folder or "/" in check:
        return ""
    names = (f"{check}.log", f"{check}.json", *(("run.log",) if check == "smoke" else ()))
    return next((f"{folder}/{name}" for name in names if (run / folder / name).is_file()), "")
