"""`agentsys report [RUN]`: the report of a run, made afresh from its files."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from agentsys.cli import options as opt
from agentsys.cli.output import json_errors
from agentsys.core.rundir import find


def report(
    run: opt.RunName = "",
    format: Annotated[Literal["text", "md", "html", "json"], typer.Option("--format", "-f", help="Form.")] = "text",
    runs_dir: opt.RunsDir = None,
) -> None:
    """Write the report of a run to standard output; it is made from the run's files and changes nothing.

    A run that ended early has a report as well, which says what is missing.
    """
    from agentsys.report.data import collect
    from agentsys.report.markdown import markdown
    from agentsys.report.pages import as_json, html
    from agentsys.report.summary import summary

    with json_errors(format == "json"):
        data = collect(find(opt.runs_dir_of(runs_dir), run))
        written = {"text": summary, "md": markdown, "html": html, "json": as_json}[format]
        typer.echo(written(data).rstrip("\n"))
