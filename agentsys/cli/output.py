"""What commands print: tables, JSON, and expected failures with their exit code; bugs keep their traceback."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import typer

from agentsys.core.errors import AgentsysError
from agentsys.core.text import clean_line, clean_text


def table(head: Sequence[str], rows: Sequence[Sequence[object]], limit: int = 60) -> str:
    """Return columns separated by two spaces; each cell is one harmless line of at most `limit` characters."""
    cells = [[clean_line(cell, limit) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def note(text: str) -> None:
    """Print a harmless line on standard error."""
    typer.echo(clean_line(text, 300), err=True)


def show_json(value: object) -> None:
    """Print a value as JSON on standard output."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))


def exit_with(error: AgentsysError) -> NoReturn:
    """Print `error: ...`, and `hint: ...` after an empty line, on standard error, and exit with the failure's code.

    With `AGENTSYS_RAISE=1` it is raised for its traceback.
    """
    if os.environ.get("AGENTSYS_RAISE") == "1":
        raise error
    typer.echo(f"error: {clean_text(error.message)}", err=True)
    if error.hint:
        typer.echo(f"\nhint: {clean_text(error.hint)}", err=True)
    raise SystemExit(error.exit_code)


def error_data(error: AgentsysError) -> dict[str, object]:
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
            typer.echo(json.dumps({"v": 1, "type": "error", "data": error_data(error)}, ensure_ascii=False))
        raise
