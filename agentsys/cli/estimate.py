"""`agentsys estimate PAPER|RUN`: what a run may cost, before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentsys.cli import options as opt
from agentsys.cli.output import json_errors, note, show_json, table
from agentsys.core.errors import UsageError
from agentsys.core.rundir import RunDir, find
from agentsys.core.settings_layers import load_settings, reproduction_settings

if TYPE_CHECKING:
    from agentsys.run.estimate import Estimate

HEAD = ("work", "calls", "tokens in", "tokens out", "money", "time", "kept runs")


def estimate(
    target: Annotated[str, typer.Argument(help="A paper, or a run by path or id.", metavar="PAPER|RUN")],
    model: opt.ModelName = None,
    prices: opt.Prices = None,
    max_rounds: opt.MaxRounds = None,
    source: opt.Source = None,
    password: opt.Password = "",
    offline: opt.Offline = False,
    json: opt.JsonRows = False,
    runs_dir: opt.RunsDir = None,
    config: opt.Config = None,
    sets: opt.Sets = None,
) -> None:
    """Say what a run of a paper may cost, or what it would cost to go on with a run: calls, tokens, money, time.

    No model is asked, nothing is executed. From the least to the most, as kept runs had it: see docs/results.md.
    """
    with json_errors(json):
        flags: dict[str, object] = {
            "model": model,
            "prices": prices or None,
            "max_rounds": max_rounds,
            "source": source,
            "offline": offline or None,
        }
        run = _run(target, opt.runs_dir_of(runs_dir))
        found = _of_run(run, flags, sets or []) if run else _of_paper(target, flags, sets or [], config, password)
    if json:
        show_json(found.as_data())
        return
    _show(found)


def _run(target: str, runs_dir: Path) -> RunDir | None:
    """Return the run of this name; a file of that name is a paper."""
    path = Path(target)
    if path.exists():
        return RunDir(path) if (path / "run.json").is_file() else None
    try:
        return find(runs_dir, target)
    except UsageError:
        return None


def _of_run(run: RunDir, flags: dict[str, object], sets: list[str]) -> Estimate:
    from agentsys.run.estimate import estimate_run

    settings, _ = reproduction_settings(run.state(), flags=flags, sets=sets)
    return estimate_run(run, settings)


def _of_paper(target: str, flags: dict[str, object], sets: list[str], config: Path | None, password: str) -> Estimate:
    import asyncio

    from agentsys.paper.remote.library import local_paper
    from agentsys.run.estimate import estimate_paper
    from agentsys.run.pipeline import read_as_set

    settings, _ = load_settings(flags=flags, sets=sets, config=config)
    file = local_paper(target, arxiv=settings.arxiv_url, offline=settings.offline, say=note)
    settings = settings.model_copy(update={"source": settings.source or file.source})
    return estimate_paper(asyncio.run(read_as_set(file.paper, settings, password)), settings)


def _show(found: Estimate) -> None:
    from agentsys.core.numbers import count, dollars, seconds

    typer.echo(f"{found.title}\nmodel: {found.model or 'none is named: `--model NAME` gives the money'}\n")
    rows = [
        (
            part.work,
            part.calls.words(lambda value: f"{value:.0f}"),
            part.prompt.words(count),
            part.completion.words(count),
            part.money.words(dollars) if part.money is not None else "unknown",
            part.time.words(seconds),
            part.runs,
        )
        for part in found.parts
    ]
    typer.echo(table(HEAD, rows) + "\n" if rows else "nothing that asks a model is left to do\n")
    for line in found.lines():
        typer.echo(line)
