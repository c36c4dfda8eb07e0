"""Keeps secrets out of messages, events and files, and makes foreign text fit for one line."""

from __future__ import annotations

import re
from collections.abc import Iterable

_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_*.-]{6,}|(?i:bearer)\s+[A-Za-z0-9._~+/=-]{8,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_MIN_SECRET = 8
"""Shorter values (`none`, `EMPTY`) are placeholders of local servers and occur in ordinary text."""


class Redactor:
    """Replaces the given secrets, wherever they occur."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({s for s in secrets if len(s) >= _MIN_SECRET}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return the text without the secrets; nothing else is changed."""
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return text

    def message(self, text: str, limit: int = 300) -> str:
        """Return foreign text as one short line without secrets, things that look like keys, and control characters."""
        line = _CONTROL.sub(" ", _KEY_LIKE.sub("[redacted]", self.text(text))).strip()
        return line if len(line) <= limit else f"{line[:limit]}..."
