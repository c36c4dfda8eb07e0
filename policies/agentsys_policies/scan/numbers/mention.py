"""A number that stands somewhere, as the reader of a file hands it on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Mention:
    """One number in a file."""

    value: float
    line: int
    words: str
    """How it is written, for the reader of a finding."""
    key: str = ""
    """Name under which it stands: a dictionary's or file's key, a variable, a keyword."""
    whole: bool = False
    """Written as an integer."""
    prose: bool = False
    """Stands in a text for readers: a comment, or a document."""


def significant(value: float) -> int:
    """Significant digits, trailing zeros left out: 4 of 94.37, 1 of 1e-09 and of 100.0."""
    return len(digits_of(value))


@lru_cache(maxsize=4096)
def digits_of(value: float) -> str:
    """The digits themselves: `9437` of 94.37 and of 0.9437."""
    return f"{abs(value):.11e}".partition("e")[0].replace(".", "").rstrip("0")
