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
_LINE_ENDS = re.compile(r"\r+\n?")
# C0 without tab and newline, DEL, C1, and the characters that reorder or hide text on a terminal.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def clean(data: bytes) -> str:
    """Decode as UTF-8 (invalid bytes become U+FFFD) and remove escape sequences and control characters.

    Tabs and newlines stay; a carriage return (progress bars) becomes a newline.
    """
    text = data.decode("utf-8", errors="replace")
    text = _ESCAPES.sub("", text)
    text = _LINE_ENDS.sub("\n", text)
    return _CONTROLS.sub("", text)
