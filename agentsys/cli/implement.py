"""`agentsys implement PAPER`: from a paper to a verified repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentsys.cli import options as opt
from agentsys.cli.consent import asker
from agentsys.cli.display.choose import Display
from agentsys.cli.output import note
from agentsys.cli.running import Prepared, check_prerequisites, run_to_end
from agentsys.core.settings_layers import load_settings

if TYPE_CHECKING:
    from agentsys.run.pipeline import RunResult


def implement(
    paper: opt.Paper,
    source: opt.Source = None,
    ocr: opt.Ocr = False,
    offline: opt.Offline = False,
    password: opt.Password = "",
    out: opt.NewRunsDir = None,
    model: opt.ModelName = None,
    max_rounds: opt.MaxRounds = None,
    request: Annotated[str, typer.Option(help="What matters to you, in your own words.", metavar="TEXT")] = "",
    given: Annotated[
        Path | None,
        typer.Option("--claims", help="Settle these claims (JSON or YAML) instead of reading some.", metavar="FILE"),
    ] = None,
    paper_id: opt.PaperId = "",
    claim_budget: opt.ClaimBudget = None,
    data: opt.DataMode = None,
    data_dir: opt.DataDir = None,
    stop_after: Annotated[
        Literal["read", "plan", "claims", "analyse", "code"] | None, typer.Option(help="End after this stage.")
    ] = None,
    budget: opt.Budget = None,
    prices: opt.Prices = None,
    max_tokens: opt.MaxTokens = None,
    time_limit: opt.TimeLimit = None,
    round_timeout: opt.RoundTimeout = None,
    sandbox: opt.Sandbox = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask whether a file that looks like no paper is one.")
    ] = False,
    policy: opt.PolicyName = None,
    review: opt.Review = None,
    display: opt.DisplayOption = None,
    json: opt.Json = False,
    verbose: opt.Verbose = False,
    quiet: opt.Quiet = False,
    config: opt.Config = None,
    sets: opt.Sets = None,
    env_file: opt.EnvFile = None,
    replay: Annotated[
        Path | None, typer.Option(help="Take the model's answers from this recording or run; no key.", metavar="DIR")
    ] = None,
) -> None:
    """Read a paper and deliver a code repository that was installed, run, repaired and replayed in a sandbox.

    Exit code 0 means verified, and nothing else does; `agentsys --help` lists the others. Standard output holds the
    summary, standard error the progress. A run that was stopped goes on with `agentsys resume`.
    """

    def flags() -> dict[str, object]:
        return {
            "source": source,
            "ocr": ocr or None,
            "offline": offline or None,
            "runs_dir": out,
            "model": model,
            "max_rounds": max_rounds,
            "claim_budget": opt.seconds_of(claim_budget),
            "data": data,
            "data_dir": data_dir,
            "stop_after": stop_after,
            "budget": budget,
            "prices": prices or None,
            "max_tokens": max_tokens,
            "time_limit": opt.seconds_of(time_limit),
            "round_timeout": opt.seconds_of(round_timeout),
            "backend": sandbox,
            "policy": policy,
            "review": review,
            "display": "quiet" if quiet else display,
            "replay": opt.recording_of(replay),
        }

    asked = _Asked(paper, request, password, given, paper_id, sure=yes)
    layers = _Layers(flags, sets or (), config, env_file)
    run_to_end(lambda: _prepare(asked, layers), json=json, verbose=verbose)


@dataclass(frozen=True)
class _Asked:
    """What is to be implemented."""

    paper: str
    request: str
    password: str
    given: Path | None
    """File of claims that are settled instead of the paper's own."""
    paper_id: str
    sure: bool
    """The file is a paper, whatever it looks like."""


@dataclass(frozen=True)
class _Layers:
    """Where the settings come from; they are read where an error has its place."""

    flags: Callable[[], dict[str, object]]
    sets: Sequence[str]
    config: Path | None
    env_file: Path | None


def _prepare(asked: _Asked, layers: _Layers) -> Prepared:
    from agentsys.paper.remote.library import local_paper

    flags = layers.flags()
    opt.use_env_file(layers.env_file)
    settings, sources = load_settings(flags=flags, sets=layers.sets, config=layers.config)
    claims = _claims(asked)
    check_prerequisites(settings)
    found = local_paper(asked.paper, arxiv=settings.arxiv_url, offline=settings.offline, say=note)
    settings = settings.model_copy(update={"source": settings.source or found.source})

    async def start(display: Display, sure: bool) -> RunResult:
        from agentsys.run import pipeline

        return await pipeline.implement(
            found.paper,
            settings,
            request=asked.request,
            claims=claims,
            sources=sources,
            subscribers=[display],
            ask=asker(display),
            password=asked.password,
            sure=sure or asked.sure or settings.stop_after == "read",
        )

    return Prepared(settings, start)


def _claims(asked: _Asked) -> tuple[str, ...]:
    if asked.given is None:
        return ()
    from agentsys.plan.claims.given import read_claims

    return read_claims(asked.given, Path(asked.paper), asked.paper_id)
