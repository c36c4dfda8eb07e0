"""Quoting hostile text: control characters out, invisible characters out, length bounded."""

from __future__ import annotations

import re
import unicodedata

QUOTE_LIMIT = 200
"""Characters of a quote in a finding."""

LINE_ENDS = re.compile("\r+\n?|[\x0b\x0c\x85\u2028\u2029]")
"""Line ends other than a newline (mandatory breaks of Unicode TR 14)."""
HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff]"
)
"""Characters that a reader cannot see but a program or a model reads: controls (but tab and newline), lone surrogates,
Unicode's property Default_Ignorable_Code_Point (DerivedCoreProperties), and interlinear annotation."""


UNREADABLE = re.compile("[\ue000-\uf8ff\ufffd-\uffff\U000f0000-\U0010ffff]+")
"""What no font shows as what was meant: private use, as PDF fonts have it, and bytes that are no text."""


def quote(text: str, limit: int = QUOTE_LIMIT) -> str:
    """Return `text` on one line, without control or invisible characters, at most `limit` characters long.

    What cannot be read in any font is shown as `?`.
    """
    flat = UNREADABLE.sub("?", " ".join(visible(text[: limit * 4]).split()))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def visible(text: str) -> str:
    """Remove control, tag, zero-width and direction characters; tabs and line ends (as newlines) stay."""
    return HIDDEN.sub("", LINE_ENDS.sub("\n", text))


def matchable(text: str) -> str:
    """Normalise for matching only: compatibility forms folded, invisible characters out, lower case."""
    return unicodedata.normalize("NFKC", visible(text)).casefold()
