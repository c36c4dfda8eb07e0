"""`agentsys jobs list|follow|cancel`, and what `agentsys reproduce --on ENGINE` submits."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from agentsys.cli import options as opt
from agentsys.cli.data import have_data
from agentsys.cli.output import json_errors, show_json
from agentsys.cli.reproduced import streaming
from agentsys.cli.reproduced import words as words_of
from agentsys.cli.supervise import EXIT_OF_SIGNAL, Stop, supervise
from agentsys.core.errors import EXIT_CODES, Interrupted, RunInUse, UsageError
from agentsys.core.numbers import clock, plural
from agentsys.core.rundir import RunDir, all_runs, find
from agentsys.core.settings import Settings
from agentsys.core.text import clean_line

if TYPE_CHECKING:
    from agentsys.run.jobs.engine import Engine
    from agentsys.run.jobs.job import Job, Place
    from agentsys.run.jobs.steer import Progress

QUIET = 600.0
"""Seconds without a new byte in its folder after which a job is said to be silent."""
SOONEST, LATEST = 1.0, 10.0
"""Seconds between two looks at a job: more while nothing changes."""

jobs = typer.Typer(name="jobs", no_args_is_help=True, help="Follow, list and cancel long jobs.", rich_markup_mode=None)
JobNumber = Annotated[int, typer.Option("--job", help="Which one; the latest by default.", metavar="N", min=0)]


@dataclass(frozen=True)
class Asked:
    """Options of `agentsys reproduce` for a job."""

    profile: Literal["full", "smoke", "claims"]
    engine: str
    gpus: int
    time: float
    timeout: float
    partition: str
    ask: Sequence[str]
    tasks: int


@jobs.command("list")
def list_jobs(run: opt.RunName = "", runs_dir: opt.RunsDir = None, json: opt.JsonRows = False) -> None:
    """List the jobs of a run, or of all runs; nothing is changed."""
    from agentsys.run.jobs.engine import load
    from agentsys.run.jobs.job import jobs_of
    from agentsys.run.jobs.steer import look

    with json_errors(json):
        folder = opt.runs_dir_of(runs_dir)
        chosen = [find(folder, run)] if run else all_runs(folder)
        found = [(one, look(place, load(job.engine))) for one in chosen for place, job in jobs_of(one)]
    if json:
        show_json(
            [
                {"run": one.path.name, "cells_done": seen.cells, **seen.job.model_dump(mode="json")}
                for one, seen in found
            ]
        )
    elif not found:
        typer.echo("there is no job", err=True)
    for one, seen in () if json else found:
        job = seen.job
        typer.echo(f"{one.path.name}  job {job.number}, {job.profile} on {job.engine}: {words(seen)}")


@jobs.command("follow")
def follow(run: opt.RunName = "", job: JobNumber = 0, runs_dir: opt.RunsDir = None, json: opt.JsonRows = False) -> None:
    """Wait for a job, submit again what was cut off, and take in what came back. Ctrl-C leaves it alone."""
    from agentsys.run.jobs.engine import load

    with json_errors(json):
        place, known = _chosen(run, job, runs_dir)
        _finish(place, load(known.engine), json=json)


@jobs.command("cancel")
def cancel_job(
    run: opt.RunName = "", job: JobNumber = 0, runs_dir: opt.RunsDir = None, json: opt.JsonRows = False
) -> None:
    """End a job with all its tasks; cells that are whole are taken in."""
    from agentsys.run.jobs.engine import load
    from agentsys.run.jobs.steer import cancel

    with json_errors(json):
        place, known = _chosen(run, job, runs_dir)
        if known.state != "open":
            raise UsageError(f"job {known.number} has ended: {known.state}", "`agentsys jobs list` shows them")
        typer.echo(f"cancelling job {known.number}: waiting for its tasks to end", err=True)
        ended = cancel(place, load(known.engine))
    _tell(place, ended, json=json)


def submit_job(run: RunDir, settings: Settings, asked: Asked, *, detach: bool, json: bool) -> NoReturn:
    """Submit a job, and follow it unless `detach`; ends with the exit code of what came of it."""
    from agentsys.run.jobs.engine import Need, load
    from agentsys.run.jobs.making import Wish, make

    engine = load(asked.engine)
    need = Need(
        cpus=settings.cpus,
        memory_mb=settings.memory_mb,
        gpus=asked.gpus,
        seconds=asked.time,
        partition=asked.partition,
        asked=_pairs(asked.ask),
    )
    wish = Wish(asked.profile, asked.engine, need, asked.timeout, asked.tasks)

    async def whole() -> Place:
        if asked.profile == "full":
            await have_data(run, settings)
        return await make(run, settings, wish, engine)

    place = supervise(whole, Stop())
    job = place.read()
    if job.state != "open":
        _tell(place, job, json=json)
    ids = ", ".join(job.submissions[-1].ids)
    what = f" for {plural(job.cells, 'cell')}" if job.profile == "claims" else ""
    typer.echo(f"job {job.number} submitted to {job.engine}{what}: {clean_line(ids, 100)}", err=True)
    if detach:
        _say_detached(place, job)
        raise typer.Exit
    _finish(place, engine, json=json)


def words(seen: Progress) -> str:
    """Return how far a job is, in one line."""
    job = seen.job
    if job.state != "open":
        return f"{job.state}: {clean_line(job.reason, 200)}" if job.reason else job.state
    states = [each.state for each in seen.seen]
    counts = [
        f"{states.count(state)} {state}" for state in ("waiting", "running", "ended", "unknown") if state in states
    ]
    parts = [", ".join(counts) or "not known to the engine"]
    if job.profile == "claims":
        parts.insert(0, f"{seen.cells} of {plural(job.cells, 'cell')}")
    elapsed = (datetime.now(UTC) - datetime.fromisoformat(job.submissions[0].at)).total_seconds()
    parts.append(f"{clock(elapsed)} so far")
    if seen.cells and "running" in states:
        parts.append(f"about {clock(elapsed * max(job.cells - seen.cells, 0) / seen.cells)} left")
    elif "running" in states:
        parts.append(f"each task ends after {clock(job.need.seconds)} at the latest")
    if "ended" in states and not seen.going:
        parts.append("ready to be taken in: `agentsys jobs follow`")
    parts += list(dict.fromkeys(clean_line(each.why, 200) for each in seen.seen if each.state == "unknown"))
    if (silent := _silent(seen)) > QUIET and "running" in states:
        parts.append(f"WARNING: nothing was written for {clock(silent)}")
    return "; ".join(parts)


def _silent(seen: Progress) -> float:
    newest = max((part.newest for part in seen.parts), default=time.time())
    return time.time() - newest


def _finish(place: Place, engine: Engine, *, json: bool) -> NoReturn:
    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        _say_detached(place, place.read())
        raise Interrupted("no longer followed", exit_code=EXIT_OF_SIGNAL[number])

    before = {number: signal.signal(number, leave) for number in EXIT_OF_SIGNAL}
    try:
        ended = _watch(place, engine)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    _tell(place, ended, json=json)


def _watch(place: Place, engine: Engine) -> Job:
    """Wait until the job is closed; show what its program prints, and every change."""
    from agentsys.run.jobs.part import OUTPUT
    from agentsys.run.jobs.steer import look

    show, shown, pause, said = streaming(lambda line: typer.echo(line, err=True)), dict[Path, int](), SOONEST, ""
    while True:
        seen = look(place, engine)
        if seen.job.state != "open":
            return seen.job
        for part in seen.parts:
            file = part.folder / OUTPUT
            piece = _piece(file, shown.get(file, 0))
            shown[file] = shown.get(file, 0) + len(piece)
            show("stdout", piece)
        now = (seen.cells, tuple(each.state for each in seen.seen), _silent(seen) > QUIET)
        if str(now) != said:
            typer.echo(words(seen), err=True)
            said, pause = str(now), SOONEST
        if not seen.going and (job := _advanced(place, engine)).state != "open":
            return job
        time.sleep(pause)
        pause = min(pause * 1.5, LATEST)


def _advanced(place: Place, engine: Engine) -> Job:
    from agentsys.run.jobs.steer import advance

    try:
        return advance(place, engine)
    except RunInUse as error:
        typer.echo(f"waiting: {error.message}", err=True)
        return place.read()


def _piece(file: Path, start: int) -> bytes:
    if not file.is_file():
        return b""
    with file.open("rb") as stream:
        stream.seek(start)
        return stream.read(1 << 20)


def _chosen(run: str, number: int, runs_dir: Path | None) -> tuple[Place, Job]:
    from agentsys.run.jobs.job import jobs_of

    chosen = find(opt.runs_dir_of(runs_dir), run)
    found = [(place, job) for place, job in jobs_of(chosen) if number in (0, job.number)]
    if not found:
        which = f"no job {number}" if number else "no job"
        raise UsageError(f"run `{chosen.path.name}` has {which}", "`agentsys jobs list` shows them")
    return found[-1]


def _pairs(asked: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in asked:
        key, sign, value = pair.partition("=")
        if not sign or not key or not value:
            raise UsageError(f"`--ask {pair}` is no pair", "write `--ask KEY=VALUE`")
        found[key.lstrip("-")] = value
    return found


def _say_detached(place: Place, job: Job) -> None:
    name = place.run.path.name
    typer.echo(
        f"job {job.number} goes on without this terminal: `agentsys jobs follow {name}` takes in what comes of it, "
        f"`agentsys jobs cancel {name}` ends it",
        err=True,
    )


def _tell(place: Place, job: Job, *, json: bool) -> NoReturn:
    """Print what came of a job, and end with its exit code."""
    from agentsys.run.reproduce import reproduced

    done = reproduced(place.run, job.number)
    if json:
        record = done.record.model_dump(mode="json") if done is not None else None
        show_json({"job": job.model_dump(mode="json"), "reproduction": record, "folder": str(place.folder)})
    elif done is not None:
        typer.echo(words_of(done))
    else:
        typer.echo(f"job {job.number}, {job.state}: {clean_line(job.reason, 500)}\n  written  {place.folder}")
        if job.hint:
            typer.echo(f"  hint     {clean_line(job.hint, 300)}")
    if job.state == "done":
        raise typer.Exit(0 if done is None or done.record.passed else EXIT_CODES["unverified"])
    raise typer.Exit(job.exit_code or EXIT_CODES["interrupted" if job.state == "cancelled" else "config_error"])
