"""Long texts, cut in the middle with the count of what was left out."""

from __future__ import annotations

from agentsys_sandbox.text import clean


def printable(text: str) -> str:
    """Return text without control sequences; what programs print may not steer a terminal, a log or a prompt."""
    return clean(text.encode("utf-8", "replace"))


def cut(text: str, limit: int) -> str:
    """Return at most about `limit` characters: the head, a line with what is missing, and twice as much of the tail."""
    if len(text) <= limit:
        return text
    head = limit // 3
    tail = limit - head
    left_out = len(text) - head - tail
    return f"{text[:head]}\n... {left_out} characters left out ...\n{text[-tail:]}"
