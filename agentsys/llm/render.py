"""Prompts as the text and pictures that providers send."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from agentsys.llm.types import Feedback, Image, Part, Prompt, Usage

CHARS_PER_TOKEN = 4
"""Rule of thumb for English text and code, used only where a provider gives no figures."""


def join(parts: tuple[Part, ...]) -> str:
    """Return the sections' texts, separated by empty lines and nothing else."""
    return clean("\n\n".join(part.text for part in parts))


def base64_of(image: Image) -> str:
    return base64.b64encode(image.data).decode("ascii")


def turn(answer: str) -> str:
    """Return an earlier answer as a chat turn; providers reject empty ones."""
    return clean(answer) if answer.strip() else "(no answer)"


def clean(text: str) -> str:
    """Return text that can be written as UTF-8: lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def estimate(prompt: Prompt, feedback: Feedback = (), answer: str = "") -> Usage:
    """Return token counts guessed from lengths, marked as such. Pictures are not counted."""
    chars = prompt.chars + sum(len(text) + len(fault) for text, fault in feedback)
    return Usage(prompt=chars // CHARS_PER_TOKEN, completion=len(answer) // CHARS_PER_TOKEN, estimated=True)


def body_parameters(params: Mapping[str, object]) -> dict[str, object]:
    """Return model parameters as fields of the request body; `extra_body` is unfolded into it."""
    fields = {name: value for name, value in params.items() if name != "extra_body"}
    extra = params.get("extra_body")
    if isinstance(extra, dict):
        fields.update({str(name): value for name, value in extra.items()})  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return fields
