"""Quoting hostile text: control characters out, invisible characters out, length bounded."""

from __future__ import annotations

import unicodedata

QUOTE_LIMIT = 200
"""Characters of a quote in a finding."""

_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
_ZERO_WIDTH = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad")


def quote(text: str, limit: int = QUOTE_LIMIT) -> str:
    """Return `text` on one line, without control or invisible characters, at most `limit` characters long."""
    flat = " ".join(visible(text[: limit * 4]).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def visible(text: str) -> str:
    """Remove control, tag, zero-width and direction characters; keep line ends and tabs."""
    return "".join(char for char in text if char in "\n\t" or not is_invisible(char))


def is_invisible(char: str) -> bool:
    """True for characters that a reader cannot see but a program or a model reads."""
    return char in _BIDI or char in _ZERO_WIDTH or 0xE0000 <= ord(char) <= 0xE007F or unicodedata.category(char) == "Cc"


def matchable(text: str) -> str:
    """Normalise for matching only: compatibility forms folded, invisible characters out, lower case."""
    return unicodedata.normalize("NFKC", visible(text)).casefold()
