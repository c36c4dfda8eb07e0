"""`agentsys claims PAPER`: what a paper claims, checked against its own words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from agentsys.cli import options as opt
from agentsys.cli.consent import asker
from agentsys.cli.display.choose import Display
from agentsys.cli.output import json_errors
from agentsys.cli.running import Prepared, check_prerequisites, run_to_end
from agentsys.core.rundir import find
from agentsys.core.settings_layers import load_settings, resume_settings

if TYPE_CHECKING:
    from agentsys.core.events import Event
    from agentsys.run.pipeline import RunResult


class _PaperFirst(TyperGroup):
    """`agentsys claims PAPER` without the name of a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command for a paper in front of whatever names none."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


claims = typer.Typer(
    name="claims",
    cls=_PaperFirst,
    no_args_is_help=True,
    help="List what a paper claims (`claims PAPER`), or put a claim of a run to the test again.",
    short_help="List what a paper claims, checked against its words.",
    rich_markup_mode=None,
)


@claims.command("list")
def list_claims(
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
    ocr: opt.Ocr = False,
    password: opt.Password = "",
    model: opt.ModelName = None,
    budget: opt.Budget = None,
    max_tokens: opt.MaxTokens = None,
    time_limit: opt.TimeLimit = None,
    policy: opt.PolicyName = None,
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


@claims.command("rerun")
def rerun(
    run: Annotated[str, typer.Argument(help="Id of a verified run, a part of it, a path, or `latest`.", metavar="RUN")],
    claim: Annotated[str, typer.Argument(help="Which claim, for example C3.", metavar="CLAIM")],
    seeds: Annotated[int | None, typer.Option(help="So many seeds instead.", metavar="N", min=1)] = None,
    horizon: Annotated[float | None, typer.Option(help="Sweep its axis so far instead.", metavar="X")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.", metavar="TEXT")] = "more evidence was asked for",
    claim_budget: opt.ClaimBudget = None,
    sandbox: opt.Sandbox = None,
    runs_dir: opt.RunsDir = None,
    display: opt.DisplayOption = None,
    json: opt.Json = False,
    verbose: opt.Verbose = False,
    quiet: opt.Quiet = False,
    sets: opt.Sets = None,
    env_file: opt.EnvFile = None,
) -> None:
    """Put one claim of a verified run to the test again, under an amendment that asks for more.

    The old contract stays in the record. Nothing may be loosened after results were seen. Cells that are done are not
    run again; the budget counts anew.
    """

    def prepare() -> Prepared:
        from agentsys.run.rerun import amend, with_budget

        opt.use_env_file(env_file)
        here, _ = load_settings(flags={"runs_dir": runs_dir, "display": "quiet" if quiet else display})
        chosen = find(here.runs_dir, run)
        flags: dict[str, object] = {"claim_budget": opt.seconds_of(claim_budget), "backend": sandbox}
        stored, _ = resume_settings(chosen.state(), flags=flags, sets=sets or ())
        check_prerequisites(stored)
        amend(chosen, claim.upper(), seeds=seeds, horizon=horizon, reason=reason)
        moved = {"display": here.display, "runs_dir": chosen.path.parent}
        settings = with_budget(chosen, stored).model_copy(update=moved)

        async def start(display: Display, _sure: bool) -> RunResult:
            from agentsys.run import pipeline

            return await pipeline.resume(chosen, settings, subscribers=[display], ask=asker(display))

        return Prepared(settings, start)

    run_to_end(prepare, json=json, verbose=verbose)


def _progress(event: Event) -> None:
    """Show what is being done, one line each, on standard error."""
    from agentsys.report.describe import describe

    if event["type"] in ("llm.call", "llm.retry", "warning", "limit.reached"):
        typer.echo(describe(event), err=True)
