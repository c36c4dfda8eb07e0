"""Asks the person at the terminal, in the middle of a run; the answer is awaited, so that Ctrl-C ends the wait."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import typer

from agentsys.cli.display.choose import Display
from agentsys.cli.display.jsonl import JsonDisplay
from agentsys.core.text import clean_text

if TYPE_CHECKING:
    from agentsys.verify.data.planned import Ask


def asker(display: Display | None = None) -> Ask | None:
    """Return what asks; None where nobody sits at a terminal, or a program reads what is shown.

    Args:
        display: is held back while the answer is awaited.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or isinstance(display, JsonDisplay):
        return None

    async def ask(question: str) -> bool:
        with display.paused() if display is not None else nullcontext():
            typer.echo(f"{clean_text(question)} [y/N]: ", err=True, nl=False)
            return (await _line()).strip().lower() in ("y", "yes")

    return ask


async def _line() -> str:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    handle = sys.stdin.fileno()

    def came() -> None:
        loop.remove_reader(handle)
        if not ready.done():
            ready.set_result(sys.stdin.readline())

    loop.add_reader(handle, came)
    try:
        return await ready
    finally:
        loop.remove_reader(handle)
