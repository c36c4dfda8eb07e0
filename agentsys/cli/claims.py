"""`agentsys claims PAPER`: what a paper claims, checked against its own words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentsys.cli import options as opt
from agentsys.cli.output import json_errors
from agentsys.cli.running import check_prerequisites
from agentsys.core.settings_layers import load_settings

if TYPE_CHECKING:
    from agentsys.core.events import Event


def claims(
    paper: Annotated[Path, typer.Argument(help="The paper: .pdf, .tex, .tar.gz, .md or .txt.", metavar="PAPER")],
    given: Annotated[
        Path | None,
        typer.Option("--claims", help="Check these claims (JSON or YAML) instead of reading some.", metavar="FILE"),
    ] = None,
    paper_id: opt.PaperId = "",
    contracts: Annotated[
        bool, typer.Option("--contracts", help="Also draft what would show and what would refute each claim.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for claims.json and the answers.", metavar="DIR")
    ] = None,
    source: opt.Source = None,
    ocr: Annotated[bool, typer.Option("--ocr", help="Recognise scanned pages with tesseract.")] = False,
    password: opt.Password = "",
    model: opt.ModelName = None,
    budget: opt.Budget = None,
    max_tokens: opt.MaxTokens = None,
    time_limit: opt.TimeLimit = None,
    policy: Annotated[str | None, typer.Option(help="`default`, or a file that adds rules.", metavar="NAME")] = None,
    review: opt.Review = None,
    replay: Annotated[
        Path | None, typer.Option(help="Take the model's answers from this recording; needs no key.", metavar="DIR")
    ] = None,
    json: opt.JsonRows = False,
    quiet: opt.Quiet = False,
    config: opt.Config = None,
    sets: opt.Sets = None,
    env_file: opt.EnvFile = None,
) -> None:
    """List what a paper claims: words and place, numbers, what was misquoted, and where the paper says otherwise.

    The claims are read by a model, or given; each is held against the paper without one. Nothing is built or run.
    The same command goes on in the same folder after an interruption.
    """
    import asyncio

    with json_errors(json):
        from agentsys.plan.claims.given import read_claims
        from agentsys.plan.claims.show import lines
        from agentsys.run.claims import read_claims_of

        opt.use_env_file(env_file)
        flags: dict[str, object] = {
            "source": source,
            "ocr": ocr or None,
            "model": model,
            "budget": budget,
            "max_tokens": max_tokens,
            "time_limit": opt.seconds_of(time_limit),
            "policy": policy,
            "review": review,
            "replay": replay,
        }
        settings, _ = load_settings(flags=flags, sets=sets or (), config=config)
        texts = read_claims(given, paper, paper_id) if given is not None else ()
        check_prerequisites(settings)
        shown = [] if quiet or json else [_progress]
        found, drafted, folder, usage = asyncio.run(
            read_claims_of(
                paper, settings, out=out, given=texts, password=password, contracts=contracts, subscribers=shown
            )
        )
    typer.echo(found.model_dump_json(indent=1) if json else "\n".join(lines(found, drafted)))
    used = f"{usage.calls} calls, {usage.prompt} prompt tokens ({usage.cached} cached), {usage.completion} answered"
    typer.echo(f"written to {folder / 'claims.json'}; {used}", err=True)


def _progress(event: Event) -> None:
    """Show what is being done, one line each, on standard error."""
    from agentsys.cli.display.describe import describe

    if event["type"] in ("llm.call", "llm.retry", "warning", "limit.reached"):
        typer.echo(describe(event), err=True)
