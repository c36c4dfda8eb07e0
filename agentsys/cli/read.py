"""`agentsys read PAPER`: the reader alone, to see what a run would work from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentsys.cli import options as opt
from agentsys.cli.output import json_errors, note, table
from agentsys.core.settings_layers import load_settings

if TYPE_CHECKING:
    from agentsys.paper import Paper


LINES = 20
"""Doubts that are shown without `-v`."""


def read(
    paper: opt.Paper,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write paper.md, paper.json and figures into this folder.", metavar="DIR"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The whole paper as JSON on standard output.")] = False,
    reader: Annotated[
        Literal["auto", "text", "nougat"], typer.Option(help="`nougat` reads formulas with a model; see the docs.")
    ] = "auto",
    ocr: opt.Ocr = False,
    nougat_model: Annotated[
        Path | None, typer.Option(help="Folder of a nougat checkpoint on this machine.", metavar="DIR")
    ] = None,
    source: opt.Source = None,
    max_pages: Annotated[int | None, typer.Option(help="Pages of a PDF that are read.", metavar="N")] = None,
    offline: opt.Offline = False,
    password: opt.Password = "",
    verbose: opt.Verbose = False,
) -> None:
    """Read a paper: no model is asked, nothing is executed, no run is made.

    The table says how many sections, equations, tables and figures were found; what is in doubt follows, page by page.
    """
    from agentsys.paper import ReadOptions, read_paper, write_paper
    from agentsys.paper.remote.library import local_paper

    with json_errors(json):
        settings, _ = load_settings(flags={"max_pages": max_pages, "offline": offline or None})
        file = local_paper(paper, arxiv=settings.arxiv_url, offline=settings.offline, say=note)
        options = ReadOptions(
            reader=reader,
            ocr=ocr,
            nougat_model=nougat_model,
            latex_source=source or file.source,
            password=password,
            max_pages=settings.max_pages,
        )
        found = read_paper(file.paper, options)
        if out is not None:
            found = write_paper(found, out, file.paper, password=password)
    if json:
        typer.echo(found.model_dump_json(indent=1))
        return
    _show(found, verbose)
    if out is not None:
        typer.echo(f"written to {out}", err=True)


def _show(found: Paper, verbose: bool) -> None:
    from agentsys.paper import summary_rows, trust_lines

    typer.echo(table(("", ""), summary_rows(found), limit=100).strip("\n"))
    _some([f"warning: {line}" for line in found.warnings], "warnings", 5, verbose)
    _some(trust_lines(found), "doubts", LINES, verbose)


def _some(lines: list[str], kind: str, limit: int, verbose: bool) -> None:
    for line in lines if verbose else lines[:limit]:
        note(line)
    if len(lines) > limit and not verbose:
        note(f"{len(lines) - limit} more {kind}; `-v` shows all")
