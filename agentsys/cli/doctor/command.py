"""`agentsys doctor`: is everything here that a run needs."""

from __future__ import annotations

import json as jsonlib
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from agentsys.cli import options as opt
from agentsys.cli.doctor import Row
from agentsys.core.errors import UsageError
from agentsys.core.settings import Settings
from agentsys.core.settings_layers import load_settings
from agentsys.core.text import clean_line

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def doctor(
    live: Annotated[bool, typer.Option("--live", help="Also look into a sandbox, and ask the model once.")] = False,
    model: opt.ModelName = None,
    paper: Annotated[
        Path | None,
        typer.Option("--paper", help="How large a window this paper needs; `--live` tries it.", metavar="PAPER"),
    ] = None,
    json: opt.JsonRows = False,
    env_file: opt.EnvFile = None,
) -> None:
    """Check this machine: one row a check, with what to do about it.

    Exit code 0 if a run can begin (warnings included), 3 if something that it needs is missing. With `--json` each
    row is one line `{"check", "status", "detail", "fix"}`.
    """
    opt.use_env_file(env_file)
    failed = False
    for row in diagnose(live=live, model=model, paper=paper):
        failed |= row.status == "fail"
        if json:
            typer.echo(jsonlib.dumps(asdict(row), ensure_ascii=False))
            continue
        typer.echo(f"{MARKS[row.status]}  {row.check:<20} {clean_line(row.detail, 400)}")
        if row.fix:
            word = "how" if row.status == "ok" else "fix"
            typer.echo(f"{'':6}{'':<20} {word}: {clean_line(row.fix, 400)}")
    raise typer.Exit(3 if failed else 0)


def diagnose(*, live: bool = False, model: str | None = None, paper: Path | None = None) -> Iterator[Row]:
    """Yield one row a check, each as soon as it is done.

    Args:
        live: also open a sandbox and look at its confinement, and ask the model one short question.
        model: in place of the one of the settings.
        paper: whether the model's window holds it.

    Raises: PaperError.
    """
    from agentsys.cli.doctor import host, models, sandboxes

    settings, fault = _settings(model)
    if fault is not None:
        yield fault
    yield host.python()
    yield host.package_data()
    yield host.configuration(os.environ)
    yield host.disk(settings)
    yield host.git()
    yield host.pyright()
    yield host.policy(settings)
    yield from _sandboxes(settings)
    yield models.configured(settings)
    if paper is not None:
        yield models.window(settings, paper, live=live)
    yield host.nougat()
    if live:
        yield from sandboxes.confinement(settings)
        if (row := models.answers(settings)) is not None:
            yield row


def _sandboxes(settings: Settings) -> Iterator[Row]:
    from agentsys.cli.doctor import sandboxes

    yield sandboxes.docker_sdk()
    place = sandboxes.chosen(settings)
    yield sandboxes.docker_engine(needed=place.status == "fail")
    if (row := sandboxes.base_image()) is not None:
        yield row
    yield sandboxes.bubblewrap(needed=place.status == "fail")
    yield place
    yield from sandboxes.endpoints(settings)
    yield sandboxes.leftovers()


def _settings(model: str | None) -> tuple[Settings, Row | None]:
    """Return the settings; where they are wrong, the defaults and a row that says so."""
    try:
        return load_settings(flags={"model": model})[0], None
    except UsageError as error:
        return Settings(), Row("settings", "fail", error.message, error.hint)
