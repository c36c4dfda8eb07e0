"""Text from models, papers and logs made harmless for a terminal."""

from __future__ import annotations

import re
import unicodedata

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\Z)"  # OSC, DCS, SOS, PM, APC: titles, links, clipboard
    r"|\x1b.?"
    r"|\x9b[0-?]*[ -/]*[@-~]",
    re.DOTALL,
)
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that show nothing, or turn the direction of what follows (Unicode TR 9 and 36)."""


def clean_text(text: str) -> str:
    """Return `text` without escape sequences, control and direction characters; tabs and line breaks stay."""
    plain = _ESCAPES.sub("", text)
    return "".join(c for c in plain if c in "\n\t" or unicodedata.category(c) not in _HIDDEN)


def clean_line(text: object, limit: int = 200) -> str:
    """Return `text` as one line of at most `limit` characters, harmless for a terminal."""
    line = " ".join(clean_text(str(text)).split())
    return line if len(line) <= limit else line[: max(limit - 1, 0)] + "…"
