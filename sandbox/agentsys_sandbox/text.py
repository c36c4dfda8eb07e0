"""Output of untrusted programs as text that is safe to print, store and quote."""

from __future__ import annotations

import re

# Escape sequences after ECMA-48: CSI, then the string sequences (OSC, DCS, SOS, PM, APC) up to their terminator, then
# two-character escapes. An unterminated string sequence ends at the line: a hostile one must not swallow the rest.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
LINE_ENDS = re.compile("\r+\n?|[\x0b\x0c\x85\u2028\u2029]")
"""Line ends other than a newline (mandatory breaks of Unicode TR 14); runs of carriage returns are progress bars."""
HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff]"
)
"""Controls (but tab and newline), lone surrogates, and what shows nothing or reorders text: Unicode's property
Default_Ignorable_Code_Point (DerivedCoreProperties) and the interlinear annotation characters."""


def clean(data: bytes) -> str:
    """Decode as UTF-8 (invalid bytes become U+FFFD) and clean as `clean_text` does."""
    return clean_text(data.decode("utf-8", errors="replace"))


def clean_text(text: str) -> str:
    """Return `text` without escape sequences, control characters and characters that hide or reorder text.

    Tabs and newlines stay; every other line end becomes a newline.
    """
    return HIDDEN.sub("", LINE_ENDS.sub("\n", _ESCAPES.sub("", text)))
