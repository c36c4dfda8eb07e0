"""Requirement lines that may go to the installer."""

from __future__ import annotations

import re
from collections.abc import Iterable

_COMMENT = re.compile(r"(^|\s)#.*$")


def denied(lines: Iterable[str]) -> str:
    """Name a requirement that cannot come from the package index, with the reason; empty where there is none.

    Direct URLs, version control and local paths would reach around the index, and pip options would change it. They are
    answered here at once, because inside they would only run into time-outs.
    """
    for line in lines:
        text = _COMMENT.sub("", line).strip()
        if any(letter in line for letter in "\r\n\0\\"):
            return f"`{line!r}` is not one requirement on one line"
        if text.startswith("-"):
            return f"`{text}` is an option, not a requirement"
        if "://" in text or text.startswith((".", "/", "~")) or re.search(r"@\s*[./~]", text):
            return f"`{text}` asks for a place outside the package index"
    return ""
