"""One run directory of the endpoint tests, opened as a process would open it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agentsys.core.events import Event, EventLog
from agentsys.core.settings import Settings
from agentsys.llm.client import Model
from agentsys.llm.factory import build_model
from agentsys.llm.types import Part, Prompt
from integration.faulty_endpoint import Endpoint

KEY = "test-key-0123456789"
PROMPT = Prompt((Part("rules", "the rules"), Part("paper", "the paper")), (Part("task", "the task"),))
T = TypeVar("T")


class Run:
    """One run directory; `model` opens it as a process would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.retried = asyncio.Event()

    def model(
        self, endpoint: Endpoint, *, backoff: float = 0.0, deadline: float | None = None, **settings: object
    ) -> Model:
        log = EventLog(self.folder / "events.jsonl", "test")
        log.subscribe(self._note)
        values = {"model": "gpt-5", "base_url": endpoint.url, "attempts": 3, "call_timeout": 20} | settings
        return build_model(
            Settings.model_validate(values),
            self.folder / "llm",
            log,
            deadline=deadline,
            backoff=backoff,
            environ={"OPENAI_API_KEY": KEY},
        )

    def _note(self, event: Event) -> None:
        self.events.append(event)
        if event["type"] == "llm.retry":
            self.retried.set()

    def of_type(self, name: str) -> list[dict[str, object]]:
        return [dict(event["data"]) for event in self.events if event["type"] == name]  # type: ignore[call-overload]

    @property
    def ledger(self) -> list[dict[str, object]]:
        path = self.folder / "llm" / "ledger.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder / "llm")) for path in (self.folder / "llm").rglob("*.md"))

    def everything(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())


def plain(text: str) -> str:
    return text


async def ask(model: Model, parse: Callable[[str], T], item: str = "plan") -> T:
    try:
        return await model.ask("planner", item, PROMPT, parse)
    finally:
        await model.close()
