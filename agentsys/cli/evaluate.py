"""`agentsys evaluate REPO --paper PAPER`: how good any repository is as an implementation of a paper."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentsys.cli import options as opt
from agentsys.cli.output import json_errors, show_json
from agentsys.core.errors import UsageError
from agentsys.core.text import clean_text

if TYPE_CHECKING:
    from agentsys.core.events import Event
    from agentsys.report.evaluate.result import Evaluation


def evaluate(
    repo: Annotated[Path, typer.Argument(help="A repository, or a run by path or id.", metavar="REPO")],
    paper: Annotated[
        Path | None, typer.Option(help="The paper that it should implement; of a run its own.", metavar="PAPER")
    ] = None,
    rubric: Annotated[
        Path | None, typer.Option(help="Rubric as a tree, in PaperBench's form.", metavar="R.json")
    ] = None,
    code_only: Annotated[bool, typer.Option("--code-only", help="Only the rubric's leaves about code.")] = False,
    gold: Annotated[Path | None, typer.Option(help="The authors' own repository.", metavar="DIR")] = None,
    judge: Annotated[str | None, typer.Option(help="Model that judges; without one, what is measured.")] = None,
    samples: Annotated[int, typer.Option(help="Judgements whose mean is a score.", min=1, max=32)] = 3,
    mutants: Annotated[int, typer.Option(help="Most faults planted; 0 plants none.", min=0, max=500)] = 20,
    static: Annotated[bool, typer.Option("--static", help="Run nothing.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the evaluation.", metavar="DIR")] = None,
    sandbox: opt.Sandbox = None,
    budget: opt.Budget = None,
    prices: opt.Prices = None,
    max_tokens: opt.MaxTokens = None,
    replay: Annotated[Path | None, typer.Option(help="Take the judge's answers from here.", metavar="DIR")] = None,
    json: opt.JsonRows = False,
    quiet: opt.Quiet = False,
    config: opt.Config = None,
    sets: opt.Sets = None,
    env_file: opt.EnvFile = None,
) -> None:
    """Install, import, type-check and test a repository in a sandbox, plant faults in it, and let a model judge it.

    Any repository will do. The judge sees neither where it comes from nor which tool wrote it. Its answers lie in the
    evaluation's folder; the same command goes on there after an interruption.
    """
    with json_errors(json):
        from agentsys.core.settings_layers import load_settings
        from agentsys.run.evaluation import Asked
        from agentsys.run.evaluation import evaluate as carry_out

        opt.use_env_file(env_file)
        inner, run = opt.repository_of(str(repo))
        repo = run or inner
        paper = paper or (opt.paper_of(run) if run is not None else None)
        if paper is None:
            raise UsageError("which paper `REPO` should implement is not known", "name it with `--paper PAPER`")
        replay = opt.recording_of(replay)
        flags = {
            "backend": sandbox,
            "budget": budget,
            "prices": prices or None,
            "max_tokens": max_tokens,
            "replay": replay,
        }
        settings, _ = load_settings(flags=flags, sets=sets or (), config=config)
        if judge is None:
            judge = settings.agent_models.get("judge") or None
        settings = settings.model_copy(update={"model": judge or "", "agent_models": {}})
        asked = Asked(
            repo,
            paper,
            rubric=rubric,
            code_only=code_only,
            gold=gold,
            judged=judge is not None or replay is not None,
            samples=samples,
            mutants=mutants,
            static=static,
            out=out,
        )
        found = asyncio.run(carry_out(asked, settings, () if quiet or json else (_progress,)))
    _show(found, json)


def _progress(event: Event) -> None:
    """Show what is being done, one line each, on standard error."""
    from agentsys.report.describe import describe

    if event["type"] in ("check.started", "sandbox.exec", "llm.call", "llm.retry", "warning", "limit.reached"):
        typer.echo(describe(event), err=True)


def _show(found: Evaluation, json: bool) -> None:
    from agentsys.report.evaluate.result import as_data, lines

    if json:
        show_json(as_data(found))
        return
    for line in lines(found):
        typer.echo(clean_text(line)[:400])
    typer.echo(f"written to {found.order.out}", err=True)
