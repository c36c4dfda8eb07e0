"""Model calls of a run: what each was asked, what it answered and what it cost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agentsys.core.errors import PrerequisiteError
from agentsys.llm.store import PROMPTS, Recording, encode, parsed
from agentsys.report.view.files import NotThere, open_inside, read_inside

MAX_TEXT = 4 << 20
"""Bytes of an answer, or of a section of a prompt, that a page shows."""
_HASH = re.compile(r"[0-9a-f]{8,64}")


class Call(BaseModel):
    """One line of `llm/ledger.jsonl`. `price` is in US dollars, None where it is unknown."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    key: str
    model: str = ""
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    price: float | None = None
    seconds: float = 0.0
    finish: str = ""
    ts: str = ""

    @property
    def role(self) -> str:
        return self.key.partition("/")[0]

    @property
    def item(self) -> str:
        return self.key.partition("/")[2].rpartition("/")[0]

    @property
    def attempt(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def cost(self) -> tuple[float, int]:
        """What calls are ranked by: money; where no price is known, tokens."""
        return (self.price or 0.0, self.prompt + self.completion)


@dataclass(frozen=True)
class Section:
    """A named part of a prompt; `text` is None where its words were not kept."""

    name: str
    hash: str
    text: str | None


@dataclass(frozen=True)
class Asked:
    """One call in full."""

    file: str
    """Path of the recording below the run."""
    recording: Recording
    sections: tuple[Section, ...]


def read_calls(run: Path) -> tuple[Call, ...]:
    """Return the calls of a run in their order; a line that is no call is passed over."""
    found: list[Call] = []
    try:
        with open_inside(run, "llm/ledger.jsonl") as file:
            for line in file:
                try:
                    found.append(Call.model_validate_json(line))
                except ValidationError:
                    continue
    except NotThere:
        return ()
    return tuple(found)


def dearest(calls: Sequence[Call]) -> Call | None:
    """Return the most expensive call."""
    return max(calls, key=lambda call: call.cost, default=None)


def read_call(run: Path, call: Call) -> Asked:
    """Return a call with its prompt and its answer. Raises: NotThere where its recording is gone or damaged."""
    folder = f"llm/{encode(call.role)}/{encode(call.item)}"
    for name in (f"{call.attempt}.old-{call.id}.md", f"{call.attempt}.md"):
        try:
            recording = parsed(Path(name), read_inside(run, f"{folder}/{name}", MAX_TEXT))
        except (NotThere, PrerequisiteError):
            continue
        if recording.id == call.id:
            sections = tuple(Section(*row, _words(run, row[1])) for row in recording.prompt.items())
            return Asked(f"{folder}/{name}", recording, sections)
    raise NotThere(call.key)


def section_file(digest: str) -> str:
    """Return the path of a section's words below the run. Raises: NotThere where that is no hash."""
    if not _HASH.fullmatch(digest):
        raise NotThere(digest)
    return f"llm/{PROMPTS}/{digest}.txt"


def _words(run: Path, digest: str) -> str | None:
    try:
        return read_inside(run, section_file(digest), MAX_TEXT).decode("utf-8", "replace")
    except NotThere:
        return None
