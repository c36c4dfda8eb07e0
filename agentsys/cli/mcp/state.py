"""Where a job or a run stands, read from its files. Texts of papers, models and logs are made harmless lines here."""

from __future__ import annotations

import json
from typing import Any, Literal, cast

from pydantic import BaseModel, Field

from agentsys.cli.mcp.jobs import PREFIX, Job, Jobs, events_from
from agentsys.core.events import Event
from agentsys.core.rundir import RunDir
from agentsys.core.text import clean_line
from agentsys.report.describe import describe

MOST_LINES = 100
LARGEST_RESULT = 256 << 10
Result = dict[str, Any] | list[dict[str, Any]] | str | None
"""What a job leaves: JSON, or words."""


class Watched(BaseModel):
    """Where a piece of work stands."""

    handle: str
    state: Literal["running", "stopping", "ended"]
    run: str = Field(default="", description="id of the run, once it has one")
    stage: str = Field(default="", description="where the run is")
    status: str = Field(default="", description="of a run that ended: `verified`, `unverified`, `blocked` ...")
    reason: str = ""
    hint: str = ""
    exit_code: int | None = None
    events: list[str] = Field(default=[], description="what happened since `cursor`, oldest first")
    cursor: int = Field(default=0, description="give it to the next `watch`")
    more: bool = Field(default=False, description="more has happened already: watch again at once")
    result: Result = Field(default=None, description="of claims, an evaluation or an audit that ended")


def line(event: Event) -> str:
    """Return one event as a harmless line."""
    return clean_line(f"{event.get('stage', '')} {describe(event)}".strip(), 300)


def of_job(jobs: Jobs, job: Job, cursor: int) -> Watched:
    """Return where a job stands, with the events from byte `cursor` of its events on."""
    alive = jobs.under_way(job)
    job = job if alive else jobs.get(job.id)  # as it was written at its end
    found, end = events_from(job.events, cursor)
    shown = _shown(found)
    watched = Watched(
        handle=job.id,
        state="ended" if not alive else "stopping" if job.stopping else "running",
        run=job.run or (run_of(job) if job.kind == "run" else ""),
        exit_code=job.exit_code,
        events=shown,
        cursor=end,
        more=end < job.events.stat().st_size if job.events.is_file() else False,
    )
    if alive:
        return watched
    failure = next((event for event in reversed(events_from(job.events, 0)[0]) if event["type"] == "error"), None)
    reason = line(failure) if failure is not None else clean_line(jobs.said(job)[-300:]) if job.exit_code else ""
    return watched.model_copy(update={"reason": reason, "result": None if job.kind == "run" else _result(jobs, job)})


def run_of(job: Job) -> str:
    """Return the id of the run that a job made, from its first events; empty before it has one."""
    names = [str(event["run"]) for event in events_from(job.events, 0)[0] if event.get("run")]
    return names[0] if names else ""


def with_run(watched: Watched, run: RunDir) -> Watched:
    """Add what the run's own record says."""
    from agentsys.report.data import collect
    from agentsys.report.verdict import effective_status

    record = run.state()
    update: dict[str, object] = {"run": run.path.name, "stage": record.stage}
    if record.status != "running":
        status = effective_status(collect(run)) if record.status == "verified" else record.status
        update |= {"status": status, "reason": clean_line(record.reason, 500), "hint": clean_line(record.hint, 300)}
    return watched.model_copy(update=update)


def of_run(run: RunDir, cursor: int) -> Watched:
    """Return where a run stands that no job of ours drives."""
    found, end = events_from(run.events_file, cursor)
    record = run.state()
    watched = Watched(
        handle=run.path.name,
        state="running" if record.status == "running" else "ended",
        exit_code=record.exit_code,
        events=_shown(found),
        cursor=end,
        more=end < run.events_file.stat().st_size if run.events_file.is_file() else False,
    )
    return with_run(watched, run)


def is_handle(name: str) -> bool:
    """Tell a job's handle from the id of a run."""
    return name.startswith(PREFIX)


def _shown(found: list[Event]) -> list[str]:
    lines = [line(event) for event in found if event["type"] not in ("sandbox.output", "check.progress")]
    left = len(lines) - MOST_LINES
    return [f"({left} earlier ones left out)", *lines[left:]] if left > 0 else lines


def _result(jobs: Jobs, job: Job) -> Result:
    raw = jobs.output(job)
    if not raw or len(raw) > LARGEST_RESULT:
        return f"{len(raw)} bytes, too much for an answer" if raw else None
    try:
        found: object = json.loads(raw)
    except ValueError:
        found = None
    rows: list[object] = cast("list[object]", found) if isinstance(found, list) else [found]
    if all(isinstance(row, dict) for row in rows):
        return cast("Result", found)
    return clean_line(raw.decode("utf-8", "replace"), 2000)
