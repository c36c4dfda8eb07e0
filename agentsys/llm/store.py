"""Recordings of model calls as readable files, `<role>/<item>/<NN>.md`: what a run stores, a replay reads.

---
{"role": "coder", "item": "src/model.py", "attempt": 1, "model": "...", "finish": "stop", ...}
---
the answer, byte for byte
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentsys.core.errors import PrerequisiteError
from agentsys.core.events import utc_now
from agentsys.core.files import write_atomic
from agentsys.llm.render import clean
from agentsys.llm.types import CallKey, FinishReason, Reply, Usage

_FILE = re.compile(r"(\d{2,})\.md")
_ANY = re.compile(r"(\d{2,})(?:\.old-\w+)?\.md")
PROMPTS = "prompts"
"""Folder of the sections of prompts: `<hash>.txt`, each once however many calls it was part of."""
_MAX_NAME = 180
"""Bytes of one folder name; file systems allow 255, and temporary names are longer than the final one."""


class Recording(BaseModel):
    """The header of one recorded call and, in `text`, its answer. A hand-written one needs no field at all."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(default="", pattern=r"^\w{0,32}$")
    role: str = ""
    item: str = ""
    attempt: int = 1
    asked: str = Field(default="", description="model that was asked for")
    model: str = Field(default="", description="model that answered, as the provider names it")
    finish: FinishReason = "stop"
    usage: dict[str, int | bool] = Field(default_factory=dict)
    seconds: float = 0.0
    ts: str = ""
    images: int = Field(default=0, description="pictures that went along with the question")
    pieces: int = Field(default=0, description="words, numbers and signs of what was asked; 0 where nobody counted")
    thinking: str = Field(default="", description="reasoning that the endpoint gave apart from the answer")
    prompt: dict[str, str] = Field(default_factory=dict, description="hash of each section of the prompt")
    text: str = Field(default="", exclude=True)

    @classmethod
    def of(cls, key: CallKey, reply: Reply, *, asked: str, prompt: dict[str, str], pieces: int = 0) -> Self:
        """Make the recording of a reply that came just now."""
        return cls(
            id=secrets.token_hex(8),
            role=key.role,
            item=key.item,
            attempt=key.attempt,
            asked=asked,
            model=reply.model or asked,
            finish=reply.finish,
            usage=asdict(reply.usage),
            seconds=round(reply.seconds, 3),
            ts=utc_now(),
            images=reply.images,
            pieces=pieces,
            thinking=clean(reply.thinking),
            prompt=prompt,
            text=reply.text,
        )

    @property
    def key(self) -> CallKey:
        return CallKey(self.role, self.item, self.attempt)

    @property
    def tokens(self) -> Usage:
        count = {name: int(self.usage.get(name, 0)) for name in ("prompt", "cached", "completion", "written")}
        return Usage(**count, estimated=bool(self.usage.get("estimated", False)))

    def dump(self) -> bytes:
        """Return the content of the file."""
        header = json.dumps(self.model_dump(), indent=1)
        return f"---\n{header}\n---\n".encode() + self.text.encode("utf-8", "replace")


def load(path: Path) -> Recording:
    """Read one recording. The key stands in the path; the header only repeats it.

    Raises: PrerequisiteError if the file is not a recording.
    """
    return parsed(path, path.read_bytes())


def parsed(path: Path, raw: bytes) -> Recording:
    """Return the recording that the content of a file is; `load` says the rest."""
    text = raw.decode("utf-8", "replace")
    head, separator, body = text.removeprefix("---\n").partition("\n---\n")
    number = _ANY.fullmatch(path.name)
    try:
        if not text.startswith("---\n") or not separator or number is None:
            raise ValueError("no header between `---` lines")
        header = Recording.model_validate_json(head)
    except (ValidationError, ValueError) as error:
        fault = str(error).splitlines()[0]
        raise PrerequisiteError(f"`{path}` is not a recording of a model call: {fault}", "delete the file") from error
    place = {"role": decode(path.parent.parent.name), "attempt": int(number[1]), "text": body}
    return header.model_copy(update=place | {"item": header.item or decode(path.parent.name)})


def encode(name: str) -> str:
    """Return a folder name for any text, without separators and tricks; `decode` gives the text back.

    Beyond 180 bytes the end is replaced by a hash; the text then stands in the recording's header only.
    """
    safe = quote(name, safe=" ", errors="surrogatepass") or "%"
    if safe[0] in ". ":
        safe = f"%{ord(safe[0]):02X}{safe[1:]}"
    if len(safe) > _MAX_NAME:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        safe = f"{safe[: _MAX_NAME - 18].rstrip('%')}~%{digest}"
    return safe


def decode(name: str) -> str:
    """Return the text that `encode` was given, unless it was too long."""
    return "" if name == "%" else unquote(name, errors="surrogatepass")


class Store:
    """The recordings below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: CallKey) -> Path:
        """Return where the recording of a call lies, or would."""
        return self.folder / encode(key.role) / encode(key.item) / f"{key.attempt:02d}.md"

    def read(self, key: CallKey) -> Recording | None:
        """Return the recording of a call, or None if there is none."""
        path = self.path(key)
        return load(path) if path.is_file() else None

    def write(self, recording: Recording) -> None:
        """Store one call. An older answer under this key, and later tries that grew out of it, are put aside."""
        path = self.path(recording.key)
        for old in sorted(path.parent.glob("*.md")) if path.parent.is_dir() else ():
            match = _FILE.fullmatch(old.name)
            if match and int(match[1]) >= recording.attempt:
                old.rename(old.with_name(f"{match[1]}.old-{load(old).id or secrets.token_hex(8)}.md"))
        write_atomic(path, recording.dump())

    def set_aside(self, recording: Recording) -> None:
        """Keep an answer that may never be used."""
        path = self.path(recording.key)
        path.rename(path.with_name(f"{recording.attempt:02d}.old-{recording.id or secrets.token_hex(8)}.md"))

    def keep_sections(self, texts: Mapping[str, str]) -> None:
        """Store what was asked, hash of a section -> its words; what is there already stays as it is."""
        for digest, text in texts.items():
            path = self.folder / PROMPTS / f"{digest}.txt"
            if not path.exists():
                write_atomic(path, text.encode("utf-8", "replace"), durable=False)

    def paths(self) -> list[Path]:
        """Return the files of all calls that stand, sorted."""
        return sorted(path for path in self.folder.glob("*/*/*.md") if _FILE.fullmatch(path.name))

    def all(self) -> Iterator[Recording]:
        """Yield every stored call, those put aside too."""
        for path in sorted(self.folder.glob("*/*/*.md")):
            if _ANY.fullmatch(path.name):
                yield load(path)
