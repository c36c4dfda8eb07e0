"""`agentsys runs list|show|rm`: the runs on this machine."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from pydantic import ValidationError

from agentsys.cli import options as opt
from agentsys.cli.output import json_errors, show_json, table
from agentsys.core.errors import EXIT_CODES, UsageError
from agentsys.core.numbers import clock, dollars
from agentsys.core.rundir import RunDir, all_runs, find
from agentsys.core.runrecord import RunRecord
from agentsys.core.text import clean_line

ENDED = tuple(EXIT_CODES)
MAX_CELL = 16
LEAST_MODEL = 6
LEAST_TITLE = 10
"""Characters of a title that are shown on the narrowest terminal."""
_ID = re.compile(r"\d{4}-\d\d-\d\d-.+-[0-9a-f]{4}")

runs = typer.Typer(name="runs", no_args_is_help=True, help="List, show and remove runs.", rich_markup_mode=None)


def _statuses(names: list[str] | None) -> list[str]:
    for name in names or ():
        if name not in ENDED:
            raise typer.BadParameter(f"`{name}` is not one of {', '.join(ENDED)}")
    return names or []


@runs.command("list")
def list_runs(runs_dir: opt.RunsDir = None, json: opt.JsonRows = False) -> None:
    """List all runs, oldest first: the end of each id where that is enough to name it, time worked, model, cost.

    Each id, and any unique part of one, is accepted by the other commands; `--json` has them whole.
    """
    with json_errors(json):
        folder = opt.runs_dir_of(runs_dir)
        rows = [row(item) for item in all_runs(folder)]
    if json:
        show_json(rows)
    elif not rows:
        typer.echo(f"there is no run in `{folder}`", err=True)
    else:
        typer.echo("\n".join(_lines(rows)))


@runs.command("show")
def show(run: opt.RunName = "", runs_dir: opt.RunsDir = None, json: opt.JsonRows = False) -> None:
    """Show one run: its summary, or with `--json` its record as it is stored."""
    from agentsys.report.data import collect
    from agentsys.report.summary import summary

    with json_errors(json):
        chosen = find(opt.runs_dir_of(runs_dir), run)
        data = collect(chosen)
    typer.echo(data.record.model_dump_json(indent=1) if json else summary(data))


@runs.command("rm")
def remove(
    run: Annotated[list[str] | None, typer.Argument(help="Ids, unique parts of ids, or paths.", metavar="RUN")] = None,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", help="All that ended so; may be repeated.", metavar="STATUS", callback=_statuses),
    ] = None,
    older_than: Annotated[
        float | None, typer.Option("--older-than", help="All that began so long ago.", metavar="DAYS", min=0)
    ] = None,
    runs_dir: opt.RunsDir = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove runs with everything in them, the delivered repository too.

    Runs are named, or chosen by `--status` and `--older-than` together; one that is under way is never chosen.
    """
    folder = opt.runs_dir_of(runs_dir)
    chosen = [find(folder, name) for name in run or ()]
    if status or older_than is not None:
        found = [item for item in all_runs(folder) if _fits(row(item), status, older_than)]
        chosen += [item for item in found if item.path not in {named.path for named in chosen}]
    elif not chosen:
        raise UsageError("no run is named", "name runs, or choose them with `--status` or `--older-than`")
    if not chosen:
        typer.echo(f"no run in `{folder}` fits", err=True)
    for item in chosen:
        _check_removable(item)
    if chosen and not yes:
        _confirm(chosen)
    for item in chosen:
        _remove(item)
        typer.echo(f"removed {item.path}", err=True)


def row(item: RunDir) -> dict[str, object]:
    """Return one line of the list; a damaged record is shown as such, not left out."""
    try:
        record = item.state()
    except (ValidationError, OSError) as error:
        return {"id": item.path.name, "status": "damaged", "title": type(error).__name__, "path": str(item.path)}
    return {
        "id": item.path.name,
        "status": record.status,
        "exit_code": record.exit_code,
        "rounds": record.rounds,
        "cost": record.usage.cost,
        "seconds": round(sum(record.seconds.values()), 1),
        "model": _model(record),
        "title": record.title,
        "started": record.started,
        "path": str(item.path),
    }


def _model(record: RunRecord) -> str:
    if record.recording:
        return "replayed"
    item = record.settings.get("model")
    return str(item.value) if item is not None and item.value else ""


def _fits(item: dict[str, object], status: Sequence[str] | None, days: float | None) -> bool:
    """A damaged record has neither a status nor a beginning: such a run has to be named."""
    if item["status"] in ("damaged", "running") or (status and item["status"] not in status):
        return False
    if days is None:
        return True
    began = str(item["started"])
    return bool(began) and datetime.now(UTC) - datetime.fromisoformat(began) >= timedelta(days=days)


def _lines(rows: Sequence[dict[str, object]]) -> list[str]:
    """Return a table as wide as the terminal: the title takes what is left, the model's name gives where it must."""
    from rich.cells import set_cell_size

    head = ("id", "began", "status", "time", "cost", "model")
    names = [str(item["id"]) for item in rows]
    cells = [[_short(name, names), *_cells(item)] for name, item in zip(names, rows, strict=True)]
    *others, longest = (max(len(str(row[column])) for row in [head, *cells]) for column in range(len(head)))
    columns = shutil.get_terminal_size().columns
    left = columns - sum(others) - 2 * len(head) - LEAST_TITLE
    model = min(longest, max(left, LEAST_MODEL))
    cells = [[*row[:-1], clean_line(row[-1], model)] for row in cells]
    lines = table(head, cells).split("\n")
    width = max(map(len, lines))
    titles = ["title", *(clean_line(item["title"], columns) for item in rows)]
    room = max(columns - width - 2, LEAST_TITLE)
    return [
        f"{line.ljust(width)}  {set_cell_size(title, room)}".rstrip() for line, title in zip(lines, titles, strict=True)
    ]


def _short(name: str, names: Sequence[str]) -> str:
    """Return the shortest end, or beginning, that names this run and no other; at least the digits of an id."""
    least = 4 if _ID.fullmatch(name) else min(len(name), 8)
    for length in range(least, len(name)):
        for part in (name[-length:], name[:length]):
            if sum(part in other for other in names) == 1:
                return part
    return name


def _cells(item: dict[str, object]) -> list[object]:
    cost, took = item.get("cost"), item.get("seconds")
    money = dollars(cost) if isinstance(cost, float) else "$?" if "cost" in item else "?"
    time = clock(took) if isinstance(took, float) else "?"
    began = str(item.get("started", ""))[:10]
    return [began, item["status"], time, money, clean_line(item.get("model", ""), MAX_CELL)]


def _check_removable(item: RunDir) -> None:
    try:
        record = item.state()
    except (ValidationError, OSError):
        record = RunRecord(id=item.path.name, status="internal_error")
    if record.status == "running":
        raise UsageError(f"run `{item.path.name}` is under way in process {record.pid}", "stop it first")
    from agentsys.run.jobs.job import jobs_of

    if any(job.state == "open" for _, job in jobs_of(item)):
        raise UsageError(f"run `{item.path.name}` has a job under way", "`agentsys jobs cancel` ends it")


def _confirm(chosen: list[RunDir]) -> None:
    if not sys.stdin.isatty():
        raise UsageError("`runs rm` asks before it removes anything, and there is no terminal", "add `--yes`")
    for item in chosen:
        typer.echo(str(item.path), err=True)
    if not typer.confirm("remove for ever?", err=True):
        raise typer.Exit(2)


def _remove(item: RunDir) -> None:
    # The lock keeps a process out that would begin to resume just now.
    item.lock()
    try:
        item.remove()
    except OSError as error:
        raise UsageError(f"cannot remove `{item.path}`: {error.strerror}") from error
