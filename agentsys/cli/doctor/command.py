"""`agentsys doctor`: is everything here that a run needs."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from typing import Annotated

import typer

from agentsys.cli import options as opt
from agentsys.core.text import clean_line

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", short_help="Check this machine.")(doctor)


def doctor(
    live: Annotated[bool, typer.Option("--live", help="Also look into a sandbox, and ask the model once.")] = False,
    json: opt.JsonRows = False,
    env_file: opt.EnvFile = None,
) -> None:
    """Check this machine: one row a check, with what to do about it.

    Exit code 0 if a run can begin (warnings included), 3 if something that it needs is missing. With `--json` each
    row is one line `{"check", "status", "detail", "fix"}`.
    """
    from agentsys.cli.doctor.run import diagnose

    opt.use_env_file(env_file)
    failed = False
    for row in diagnose(live=live):
        failed |= row.status == "fail"
        if json:
            typer.echo(jsonlib.dumps(asdict(row), ensure_ascii=False))
            continue
        typer.echo(f"{MARKS[row.status]}  {row.check:<20} {clean_line(row.detail, 400)}")
        if row.fix:
            word = "how" if row.status == "ok" else "fix"
            typer.echo(f"{'':6}{'':<20} {word}: {clean_line(row.fix, 400)}")
    raise typer.Exit(3 if failed else 0)
