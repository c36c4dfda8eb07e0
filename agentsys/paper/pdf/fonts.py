"""Fonts and spans of the file, and what a font's name says."""

from __future__ import annotations

import re
from dataclasses import dataclass

BOLD = re.compile(r"bold|black|heavy|semib|demi|medi(?!um.*ital)|CMBX|SFBX|SFCC|LMRoman.*-Bold|-B\b|\bCMB", re.I)
ITALIC = re.compile(r"ital|obli|slant|CMTI|CMSL|SFTI|SFSL|-It\b|ReguItal", re.I)
MATH = re.compile(
    r"CM(MI|SY|EX|BSY|MIB)|MSAM|MSBM|LMMath|LatinModernMath|STIX.*Math|Cambria ?Math|rsfs|eufm|esint"
    r"|txmi|txsy|pxmi|pxsy|MTMI|MTSY|MTEX|(?:^|\+)Symbol",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Font:
    """A font of the file."""

    name: str
    bold: bool
    italic: bool
    math: bool


@dataclass(slots=True)
class Span:
    """A run of characters with one font, size and baseline."""

    text: str
    font: Font
    size: float
    x0: float
    y0: float
    x1: float
    y1: float
    base: float
    space: bool
    opens: str = ""
    """What its text in a sentence begins with; no part of `text`, for a command is no word."""
    closes: str = ""

    @property
    def marked(self) -> str:
        """Its text with the overline it is under."""
        return f"{self.opens}{self.text}{self.closes}"


def make_font(name: str, weight: int, flags: int) -> Font:
    """Read a font from its base name and its weight (400 regular, 700 bold)."""
    short = name.split("+", 1)[-1]
    bold = bool(BOLD.search(short)) or weight >= 600
    return Font(short, bold, bool(ITALIC.search(short)), bool(MATH.search(short)))
