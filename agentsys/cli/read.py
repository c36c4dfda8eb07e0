"""`agentsys read PAPER`: the reader alone, to see what a run would work from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentsys.cli import options as opt
from agentsys.cli.output import json_errors, table
from agentsys.core.text import clean_line

if TYPE_CHECKING:
    from agentsys.paper import Paper


def read(
    paper: Annotated[Path, typer.Argument(help="The paper: .pdf, .tex, .tar.gz, .md or .txt.", metavar="PAPER")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write paper.md, paper.json and figures into this folder.", metavar="DIR"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The whole paper as JSON on standard output.")] = False,
    reader: Annotated[
        Literal["auto", "text", "nougat"], typer.Option(help="`nougat` reads formulas with a model; see the docs.")
    ] = "auto",
    ocr: Annotated[bool, typer.Option("--ocr", help="Recognise scanned pages with tesseract.")] = False,
    nougat_model: Annotated[
        Path | None, typer.Option(help="Folder of a nougat checkpoint on this machine.", metavar="DIR")
    ] = None,
    source: opt.Source = None,
    password: opt.Password = "",
    verbose: opt.Verbose = False,
) -> None:
    """Read a paper: no model is asked, nothing is executed, no run is made.

    The table says how many sections, equations, tables and figures were found, and what the reader doubts.
    """
    from agentsys.paper import ReadOptions, read_paper, write_paper

    with json_errors(json):
        options = ReadOptions(reader=reader, ocr=ocr, nougat_model=nougat_model, latex_source=source, password=password)
        found = read_paper(paper, options)
        if out is not None:
            found = write_paper(found, out, paper, password=password)
    if json:
        typer.echo(found.model_dump_json(indent=1))
        return
    _show(found, verbose)
    if out is not None:
        typer.echo(f"written to {out}", err=True)


def _show(found: Paper, verbose: bool) -> None:
    from agentsys.paper import summary_rows

    typer.echo(table(("", ""), summary_rows(found), limit=100).strip("\n"))
    for line in found.warnings if verbose else found.warnings[:5]:
        typer.echo(f"warning: {clean_line(line, 300)}", err=True)
    if len(found.warnings) > 5 and not verbose:
        typer.echo(f"{len(found.warnings) - 5} more warnings; `-v` shows all", err=True)
