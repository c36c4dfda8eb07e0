"""`agentsys resume [RUN]`: go on where a run stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from agentsys.cli import options as opt
from agentsys.cli.consent import asker
from agentsys.cli.display.choose import Display
from agentsys.cli.running import Prepared, check_prerequisites, run_to_end
from agentsys.core.errors import UsageError
from agentsys.core.rundir import RunDir, all_runs, find
from agentsys.core.runrecord import RunRecord
from agentsys.core.settings_layers import load_settings, resume_settings

if TYPE_CHECKING:
    from agentsys.run.pipeline import RunResult


def resume(
    run: opt.RunName = "",
    runs_dir: opt.RunsDir = None,
    model: opt.ModelName = None,
    max_rounds: opt.MaxRounds = None,
    budget: opt.Budget = None,
    prices: opt.Prices = None,
    max_tokens: opt.MaxTokens = None,
    time_limit: opt.TimeLimit = None,
    round_timeout: opt.RoundTimeout = None,
    data: opt.DataMode = None,
    data_dir: opt.DataDir = None,
    sandbox: opt.Sandbox = None,
    review: opt.Review = None,
    display: opt.DisplayOption = None,
    json: opt.Json = False,
    verbose: opt.Verbose = False,
    quiet: opt.Quiet = False,
    password: opt.Password = "",
    sets: opt.Sets = None,
    env_file: opt.EnvFile = None,
) -> None:
    """Go on with a run that was stopped, hit a limit, or was not verified.

    What lies on disk and is still fresh is used again; no model is asked twice. The run keeps its own settings;
    options change single ones, for example `--budget` after a limit or `--max-rounds` for more repairs.
    """

    def prepare() -> Prepared:
        flags: dict[str, object] = {
            "model": model,
            "max_rounds": max_rounds,
            "budget": budget,
            "prices": prices or None,
            "max_tokens": max_tokens,
            "time_limit": opt.seconds_of(time_limit),
            "round_timeout": opt.seconds_of(round_timeout),
            "data": data,
            "data_dir": data_dir,
            "backend": sandbox,
            "review": review,
        }
        opt.use_env_file(env_file)
        here, _ = load_settings(flags={"runs_dir": runs_dir, "display": "quiet" if quiet else display})
        chosen = find(here.runs_dir, run) if run else latest_resumable(here.runs_dir)
        record = chosen.state()
        _check(record)
        stored, _ = resume_settings(record, flags=flags, sets=sets or ())
        check_prerequisites(stored)
        if not json:
            typer.echo(on_disk(chosen), err=True)
        settings = stored.model_copy(update={"display": here.display, "runs_dir": chosen.path.parent})

        async def start(display: Display, _sure: bool) -> RunResult:
            from agentsys.run import pipeline

            ask = asker(display)
            return await pipeline.resume(chosen, settings, subscribers=[display], password=password, ask=ask)

        return Prepared(settings, start)

    run_to_end(prepare, json=json, verbose=verbose)


def latest_resumable(runs_dir: Path) -> RunDir:
    """Return the latest run that is neither verified nor under way.

    Raises: UsageError if there is none.
    """
    for candidate in reversed(all_runs(runs_dir)):
        if candidate.state().status not in ("verified", "running"):
            return candidate
    raise UsageError(f"there is no run to resume in `{runs_dir}`", "`agentsys runs list` shows all runs")


def on_disk(run: RunDir) -> str:
    """Return one line that says what a resumed run finds, and need not ask a model for again."""
    from agentsys.core.numbers import plural
    from agentsys.report.data import collect

    data = collect(run)
    done = sum(1 for item in data.rounds if item.verdict is not None)
    parts = [
        "the plan" if data.plan is not None else "no plan yet",
        plural(sum(1 for _ in run.analysis.rglob("*.md")), "analysis").replace("analysiss", "analyses"),
        plural(len(data.files), "file"),
        plural(done, "verification"),
        plural(data.record.usage.calls, "model call"),
    ]
    return f"resuming {data.record.id} in stage {data.record.stage}; on disk: {', '.join(parts)}"


def _check(record: RunRecord) -> None:
    if record.status == "running":
        raise UsageError(
            f"run `{record.id}` is under way in process {record.pid}", "wait for it, or stop it, then try again"
        )
    if record.status == "verified":
        raise UsageError(f"run `{record.id}` is verified; there is nothing to resume", "start a new run for new work")
