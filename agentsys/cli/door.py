"""The one exit door: expected failures leave as a message and a hint, bugs keep their traceback."""

from __future__ import annotations

import json as jsonlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

import typer

from agentsys.core.errors import AgentsysError
from agentsys.core.text import clean_text


def show_failure(error: AgentsysError) -> None:
    """Print `error: ...`, and `hint: ...` after an empty line, on standard error."""
    typer.echo(f"error: {clean_text(error.message)}", err=True)
    if error.hint:
        typer.echo(f"\nhint: {clean_text(error.hint)}", err=True)


def leave(error: AgentsysError) -> NoReturn:
    """Show the failure and exit with its code; with `AGENTSYS_RAISE=1` raise it for its traceback."""
    if os.environ.get("AGENTSYS_RAISE") == "1":
        raise error
    show_failure(error)
    raise SystemExit(error.exit_code)


def problem(error: AgentsysError) -> dict[str, object]:
    """Return the failure as the data of an `error` event."""
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }


@contextmanager
def json_errors(wanted: bool) -> Generator[None]:
    """Under `--json`, print an expected failure as an error event on standard output as well."""
    try:
        yield
    except AgentsysError as error:
        if wanted:
            typer.echo(jsonlib.dumps({"v": 1, "type": "error", "data": problem(error)}, ensure_ascii=False))
        raise
