"""What goes to a model and what comes back, whoever the provider is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

FinishReason = Literal["stop", "length", "refused", "unknown"]
Feedback = tuple[tuple[str, str], ...]
"""Earlier answers of the same call, each with what is wrong with it; appended as turns."""


@dataclass(frozen=True)
class CallKey:
    """The name of one call: who asks, about what, and which try it is (1, 2, 3). Unique within a run."""

    role: str
    item: str
    attempt: int = 1

    def __str__(self) -> str:
        return f"{self.role}/{self.item}/{self.attempt:02d}"

    @property
    def words(self) -> str:
        """Who asked, and about which file; other items are names of ours."""
        return f"the {self.role}" + (f" about `{self.item}`" if "." in self.item else "")


@dataclass(frozen=True)
class Part:
    """A named section of a prompt, e.g. `paper`, `plan`, `task`; the name is what a changed recording is told by."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Image:
    """A picture for models that can see. `caption` goes before it as text, and alone where no picture can go."""

    name: str
    data: bytes
    media_type: str = "image/png"
    caption: str = ""


@dataclass(frozen=True)
class Prompt:
    """`prefix` is the same for many calls (rules, paper, plan) and comes first, so that provider caches hit."""

    prefix: tuple[Part, ...]
    body: tuple[Part, ...]
    images: tuple[Image, ...] = ()

    @property
    def chars(self) -> int:
        return sum(len(part.text) for part in (*self.prefix, *self.body))


@dataclass(frozen=True)
class Usage:
    """Tokens as the provider counts them; of `prompt`, `cached` came from its cache and `written` went into it.

    `estimated` says that the provider gave no figures and that one token was taken for each four characters.
    """

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    written: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.completion + other.completion,
            self.written + other.written,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True)
class Reply:
    """One answer of a provider."""

    text: str
    finish: FinishReason
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    seconds: float = 0.0
    images: int = 0
    """Pictures that went along with the question."""
    thinking: str = ""
    """What the endpoint gave as reasoning, apart from the text."""
