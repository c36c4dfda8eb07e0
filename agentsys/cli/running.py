"""What `implement` and `resume` have in common: prerequisites, a display, signals, the summary, the exit code."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from agentsys.cli.display.choose import Display, open_display
from agentsys.cli.display.jsonl import JsonDisplay, own_stdout
from agentsys.cli.output import error_data, exit_with
from agentsys.cli.policy import read_policy
from agentsys.cli.supervise import Stop, supervise
from agentsys.core.errors import EXIT_CODES, AgentsysError, DoubtfulPaper, Interrupted
from agentsys.core.settings import Settings
from agentsys.core.text import clean_line

if TYPE_CHECKING:
    from agentsys.run.pipeline import RunResult


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to begin: its settings, and what starts it."""

    settings: Settings
    start: Callable[[Display, bool], Coroutine[Any, Any, RunResult]]
    """Given the display, and whether the user is sure that the file is a paper."""


def run_to_end(prepare: Callable[[], Prepared], *, json: bool, verbose: bool) -> NoReturn:
    """Prepare and run the pipeline under a display, print the summary and exit with the run's code.

    Under `json` the events are all that standard output holds, also when the preparation fails.
    """
    try:
        prepared = prepare()
    except AgentsysError as error:
        if json:
            with own_stdout() as stream:
                _complete(JsonDisplay(stream), error)
        exit_with(error)
    stop = Stop()
    if json or prepared.settings.display == "json":
        with own_stdout() as stream:
            result = _run(prepared, lambda: JsonDisplay(stream), stop)
    else:
        result = _run(prepared, lambda: open_display(prepared.settings.display, verbose=verbose), stop)
        _print_summary(result)
    raise typer.Exit(exit_code(result, stop))


def check_prerequisites(settings: Settings) -> None:
    """See that there is a model with its key, or a recording, policy and data folder; a reading needs none of them.

    Raises: PrerequisiteError, UsageError.
    """
    if settings.stop_after == "read":
        return
    from agentsys.llm.factory import build_providers
    from agentsys.llm.replay import ReplaySource

    async def build_and_close() -> None:
        for provider in set(build_providers(settings, os.environ).values()):
            await provider.close()

    if settings.replay is not None:
        ReplaySource(settings.replay, strict=settings.strict_replay)
    else:
        asyncio.run(build_and_close())
    read_policy(settings.policy, settings.review)
    if settings.data_dir is not None:
        from agentsys.verify.datafiles import read_folder

        read_folder(settings.data_dir)


def _run(prepared: Prepared, make_display: Callable[[], Display], stop: Stop) -> RunResult:
    display = make_display()
    try:
        try:
            return _shown(prepared, display, stop, sure=False)
        except DoubtfulPaper as error:
            if isinstance(display, JsonDisplay) or not sys.stdin.isatty():
                raise
            if not typer.confirm(f"{clean_line(error.message, 300)}. Go on?", err=True):
                raise typer.Exit(error.exit_code) from error
        display = make_display()
        return _shown(prepared, display, stop, sure=True)
    except AgentsysError as error:
        if isinstance(error, Interrupted):
            error.exit_code = stop.exit_code
        if isinstance(display, JsonDisplay):
            _complete(display, error)
        exit_with(error)


def _shown(prepared: Prepared, display: Display, stop: Stop, *, sure: bool) -> RunResult:
    with display:
        return supervise(lambda: prepared.start(display, sure), stop, display.stopping)


def _complete(display: JsonDisplay, error: AgentsysError) -> None:
    display.failed(error_data(error), error.status, error.exit_code)


def exit_code(result: RunResult, stop: Stop) -> int:
    """Return the exit code of a finished run; 0 only where the evidence for `verified` is on disk."""
    from agentsys.report.data import collect
    from agentsys.report.verdict import effective_status

    record = result.record
    if record.status == "interrupted":
        return stop.exit_code
    if record.status == "verified":
        return EXIT_CODES[effective_status(collect(result.run))]
    return record.exit_code if record.exit_code else EXIT_CODES.get(record.status, 1)


def _print_summary(result: RunResult) -> None:
    from agentsys.report.data import collect
    from agentsys.report.summary import summary

    typer.echo(summary(collect(result.run)))
