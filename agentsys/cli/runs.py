"""`agentsys runs list|show|rm`: the runs on this machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from pydantic import ValidationError

from agentsys.cli import options as opt
from agentsys.cli.output import json_errors, show_json, table
from agentsys.core.errors import UsageError
from agentsys.core.numbers import dollars
from agentsys.core.rundir import RunDir, all_runs, find
from agentsys.core.runrecord import RunRecord
from agentsys.report.data import collect
from agentsys.report.summary import summary

runs = typer.Typer(name="runs", no_args_is_help=True, help="List, show and remove runs.", rich_markup_mode=None)


@runs.command("list")
def list_runs(runs_dir: opt.RunsDir = None, json: opt.JsonRows = False) -> None:
    """List all runs, oldest first. Each id, and any unique part of one, is accepted by the other commands."""
    with json_errors(json):
        folder = opt.runs_dir_of(runs_dir)
        rows = [row(item) for item in all_runs(folder)]
    if json:
        show_json(rows)
    elif not rows:
        typer.echo(f"there is no run in `{folder}`", err=True)
    else:
        typer.echo(table(("id", "status", "rounds", "cost", "title"), [_cells(item) for item in rows]))


@runs.command("show")
def show(run: opt.RunName = "", runs_dir: opt.RunsDir = None, json: opt.JsonRows = False) -> None:
    """Show one run: its summary, or with `--json` its record as it is stored."""
    with json_errors(json):
        chosen = find(opt.runs_dir_of(runs_dir), run)
        data = collect(chosen)
    typer.echo(data.record.model_dump_json(indent=1) if json else summary(data))


@runs.command("rm")
def remove(
    run: Annotated[list[str], typer.Argument(help="Ids, unique parts of ids, or paths.", metavar="RUN")],
    runs_dir: opt.RunsDir = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove runs with everything in them, the delivered repository too."""
    folder = opt.runs_dir_of(runs_dir)
    chosen = [find(folder, name) for name in run]
    for item in chosen:
        _check_removable(item)
    if not yes:
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
        "title": record.title,
        "started": record.started,
        "path": str(item.path),
    }


def _cells(item: dict[str, object]) -> list[object]:
    cost = item.get("cost")
    money = dollars(cost) if isinstance(cost, float) else "$?"
    return [item["id"], item["status"], item.get("rounds", "?"), money if "cost" in item else "?", item["title"]]


def _check_removable(item: RunDir) -> None:
    try:
        record = item.state()
    except (ValidationError, OSError):
        record = RunRecord(id=item.path.name, status="internal_error")
    if record.status == "running":
        raise UsageError(f"run `{item.path.name}` is under way in process {record.pid}", "stop it first")


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
