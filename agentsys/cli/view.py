"""`agentsys view [RUN|FOLDER]`: a local page over runs, live and afterwards."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from agentsys.cli import options as opt
from agentsys.core.errors import PrerequisiteError, UsageError
from agentsys.core.rundir import find

NEEDED = ("starlette", "uvicorn")


def view(
    run: Annotated[
        str,
        typer.Argument(
            help="A run, or a folder of runs; all runs by default.", metavar="RUN|FOLDER", autocompletion=opt.run_ids
        ),
    ] = "",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)] = 0,
    runs_dir: opt.RunsDir = None,
) -> None:
    """Show runs in a browser, while they go on and afterwards: verdict, paper beside code, rounds, commands, calls.

    Prints the address, with its token; Ctrl-C ends it. Needs `pip install 'agentsys[view]'`.
    """
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise PrerequisiteError(f"`view` needs {' and '.join(missing)}", "pip install 'agentsys[view]'")
    place = _place(run, runs_dir)
    from agentsys.report.view.server import serve

    serve(place, port, typer.echo)


def _place(run: str, runs_dir: Path | None) -> Path:
    """Return the run, or the folder of runs, that is meant. Raises: UsageError."""
    folder = opt.runs_dir_of(runs_dir)
    if not run:
        if not folder.is_dir():
            raise UsageError(f"there is no run in `{folder}`", "start one with `agentsys implement PAPER`")
        return folder
    named = Path(run)
    if named.is_dir() and not (named / "run.json").is_file():
        return named
    return find(folder, run).path
