"""A provider whose answers are written down; it fails when its script runs out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agentsys.llm.provider import Provider
from agentsys.llm.types import Prompt, Reply, Usage

USAGE = Usage(100, 60, 10)


def reply(text: str) -> Reply:
    return Reply(text, "stop", USAGE, "gpt-5", 1.0)


class ScriptedProvider(Provider):
    """Gives the next reply, or raises the next fault."""

    name = "scripted"

    def __init__(self, script: Sequence[str | Reply | Exception], model: str = "gpt-5") -> None:
        self.model = model
        self.script = list(script)
        self.asked: list[tuple[Prompt, tuple[tuple[str, str], ...]]] = []

    async def complete(self, prompt: Prompt, *, feedback: tuple[tuple[str, str], ...] = ()) -> Reply:
        self.asked.append((prompt, feedback))
        await asyncio.sleep(0)
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return reply(step) if isinstance(step, str) else step

    async def close(self) -> None:
        """Nothing is open."""
