"""Asks the person at the terminal, in the middle of a run; the answer is awaited, so that Ctrl-C ends the wait."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import typer

from agentsys.core.text import clean_text

if TYPE_CHECKING:
    from agentsys.verify.data.planned import Ask


def asker(pause: Callable[[], AbstractContextManager[object]] = nullcontext) -> Ask | None:
    """Return what asks; None where nobody sits at a terminal.

    Args:
        pause: holds back what is drawn on the terminal.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    async def ask(question: str) -> bool:
        with pause():
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
