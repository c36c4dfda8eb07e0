"""`agentsys export RUN`: the record of a run's claims as a logbook, a crate or a notebook."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from agentsys.cli import options as opt
from agentsys.core.rundir import find

Form = Literal["trackio", "ro-crate", "notebook"]


def export(
    to: Annotated[Form, typer.Option("--to", "-t", help="What to make of it.")],
    run: opt.RunName = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="New folder; by default named after run and form.", metavar="PATH"),
    ] = None,
    runs_dir: opt.RunsDir = None,
) -> None:
    """Write the claims of a run, with verdicts, plots and raw rows, as a Trackio logbook, an RO-Crate or a notebook.

    Every verdict is evaluated again first. Nothing is published or sent.
    """
    from agentsys.report.export.bundle import load, new_folder

    chosen = find(opt.runs_dir_of(runs_dir), run)
    bundle = load(chosen)
    with new_folder(out or Path(f"{chosen.path.name}-{to}")) as folder:
        if to == "trackio":
            from agentsys.report.export.logbook import write_logbook

            made, then = write_logbook(bundle, folder), ["trackio", "logbook", "serve", str(folder)]
        elif to == "ro-crate":
            from agentsys.report.export.crate import write_crate

            made, then = write_crate(bundle, folder), ["python", str(folder / "claims" / "evaluate.py")]
        else:
            from agentsys.report.export.notebook import write_notebook

            made = write_notebook(bundle, folder)
            then = ["jupyter", "lab", str(made)]
    if bundle.plots.why:
        typer.echo(f"warning: {bundle.plots.why}", err=True)
    typer.echo(f"written: {made}\nto open: {shlex.join(then)}")
