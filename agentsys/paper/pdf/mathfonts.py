"""Give the characters of TeX's mathematical fonts their meaning, where the file lost it.

Three cases. Bare codes: the font has no glyph names that a reader knows, the code itself is right. Apple keyboard
glyphs: macOS wrote `✓` for θ, by code, and nothing for some codes. Mac OS Roman: macOS wrote `≠` for −, by the built-in
encoding of the Latin Modern fonts. Where the code is lost, the shape of the glyph decides among those it can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from agentsys.paper.pdf import texcodes
from agentsys.paper.pdf.fonts import Span
from agentsys.paper.pdf.wire import RawPage, RawSpan

_CM = re.compile(r"(?:^|\+)CM(?P<family>MI|MIB|SY|BSY|EX)(?P<design>\d{1,2})")
_LM = re.compile(r"(?:^|\+)(?P<family>LMMathItalic|LMMathSymbols|LMMathExtension)")
_ROMAN = re.compile(r"(?:^|\+)(?:LMRoman\d+-Regular|CMR\d)")
_TABLES = {"MI": texcodes.OML, "MIB": texcodes.OML, "SY": texcodes.OMS, "BSY": texcodes.OMS, "EX": texcodes.OMX}
_HIGH = {"LMMathItalic": texcodes.LMMI, "LMMathSymbols": texcodes.LMSY, "LMMathExtension": texcodes.LMEX}
_SAME_CODES = {"LMMathItalic": "MI", "LMMathSymbols": "SY", "LMMathExtension": "EX"}
"""Latin Modern in a file of pdfTeX has the codes of Computer Modern."""
_NATURAL = {"MI": set("</>,."), "SY": set("{|}\\"), "EX": set[str]()}
"""ASCII characters that these fonts have under their own names."""


PI = {
    "C": "+", "K": "−", "Z": "=", "!": "<", "O": ">", "N": "∞", "w": "∼", "D": "Δ", "P": "∑", "G": "±", "%": "≤",
    "R": "≥", "ð": "(", "Þ": ")", "½": "[", "$": "·", "&": "≠", "z": "≈", "=": "/", ":": ".", "v": "∂",
}  # fmt: skip
"""Letters that stand for signs in the symbol fonts of a large publisher (Mathematical Pi, cut down and renamed)."""
MOST_PI = 6
_NAMED_CODES = frozenset({0, 1, 2, 3, 4, 6, 8, 10, 15, 17, 20, 21, 24, 26, 27})
"""Codes of TeX's symbols whose glyph names every reader knows: minus, multiply, lessequal ..."""
UNREAD = texcodes.UNKNOWN


@lru_cache(maxsize=1024)
def _pi_font(font: str) -> bool:
    return re.search(r"(?:^|\+)(?:Adv(?:PS?[0-9A-F]{4,6}$|MathSymb|MathExt)|Mathematical ?Pi)", font) is not None


@lru_cache(maxsize=1024)
def _computer_modern_font(font: str) -> re.Match[str] | None:
    return _CM.search(font)


@lru_cache(maxsize=1024)
def _latin_modern_font(font: str) -> re.Match[str] | None:
    return _LM.search(font)


@dataclass(slots=True)
class Repair:
    """What was done to one page."""

    repaired: int = 0
    """Characters whose meaning was restored from a wrong text layer."""
    lost: int = 0
    """Characters whose meaning stays unknown."""
    guessed: int = 0
    """Characters of fonts that say another meaning than they show."""


class Decoder:
    """Knows which of the three cases a document is."""

    def __init__(self, pages: Iterable[RawPage]) -> None:
        self.apple = False
        self.mac_roman = False
        self.design = 10
        """Design size of the font at hand, in points."""
        self.recoded = False
        """True where a program has given the glyphs new codes: bare codes say nothing then."""
        used: dict[str, set[str]] = {}
        for page in pages:
            for line in page.lines:
                for span in line[2]:
                    font = page.fonts[span[1]][0]
                    self._look(font, span[0])
                    if _pi_font(font) or "CMSY" in font:
                        used.setdefault(font, set()).update(span[0])
        self.recoded = not self.apple and any("CMSY" in font and _recoded(chars) for font, chars in used.items())
        # Fonts with words in them have other names for the same letters.
        self.pi = {font for font, chars in used.items() if len(chars) <= MOST_PI and chars <= PI.keys() | {UNREAD}}

    def _look(self, font: str, text: str) -> None:
        if _computer_modern_font(font):
            self.apple = self.apple or any(char in texcodes.KEYBOARD for char in text)
        elif match := _latin_modern_font(font):
            self.mac_roman = self.mac_roman or any(char in texcodes.ODD[match["family"]] for char in text)

    def guesses(self, font: str) -> bool:
        """True for a font of which characters are guessed; `font` is its name without the prefix of a subset."""
        return any(name.split("+", 1)[-1] == font for name in self.pi) or (self.recoded and "CMEX" in font)

    def decode(self, font: str, span: RawSpan, repair: Repair) -> str:
        """Return the text of a span; counts what was restored and what is lost."""
        text = span[0].translate(texcodes.BRACKET_PIECES)
        if not text:
            return ""
        if font in self.pi:
            repair.guessed += len(text)
            return "".join(PI.get(char, char) for char in text)
        if text != span[0]:
            # Named parts of brackets: nothing else is in such a span, and its characters are no codes.
            return text
        if match := _computer_modern_font(font):
            self.design = int(match["design"])
            return "".join(self._computer_modern(match["family"], char, span, repair) for char in text)
        match = _latin_modern_font(font)
        if match and self.mac_roman:
            return "".join(self._latin_modern(match["family"], char, repair) for char in text)
        if match:
            family = _SAME_CODES[match["family"]]
            return "".join(self._computer_modern(family, char, span, repair) for char in text)
        if text == texcodes.UNKNOWN and _ROMAN.search(font):
            text = _roman_capital(span)
            repair.repaired += text != texcodes.UNKNOWN
        repair.lost += text.count(texcodes.UNKNOWN)
        return text

    def _computer_modern(self, family: str, char: str, span: RawSpan, repair: Repair) -> str:
        table = _TABLES[family]
        code = ord(char)
        if self.recoded and (family == "EX" or texcodes.BARE <= code <= texcodes.BARE + 0x20):
            repair.lost += 1
            return texcodes.UNKNOWN
        if self.apple and char in texcodes.KEYBOARD:
            repair.repaired += 1
            return _glyph(table, texcodes.KEYBOARD[char])
        if texcodes.BARE <= code <= texcodes.BARE + 0x20:
            code -= texcodes.BARE
            if code == 0 and self.apple:
                found = _by_shape(family, span, self.design)
                repair.repaired += found != texcodes.UNKNOWN
                repair.lost += found == texcodes.UNKNOWN
                return found
            return _glyph(table, code)
        if char == texcodes.UNKNOWN:
            repair.lost += 1
            return char
        short = family.replace("B", "")
        letter = char.isalpha() and (short == "MI" or (short == "SY" and char.isupper()))
        digit = char.isdigit() and short == "MI"
        if code < 0x80 and not letter and not digit and char not in _NATURAL[short]:
            return _glyph(table, code)
        return char

    def _latin_modern(self, family: str, char: str, repair: Repair) -> str:
        if char in texcodes.NAMED[family] or (char.isascii() and family != "LMMathExtension"):
            return char
        try:
            code = char.encode("mac_roman")[0]
        except UnicodeEncodeError:
            repair.lost += 1
            return char
        found = _HIGH[family].get(code)
        if found is None:
            return char
        repair.repaired += 1
        return found


def _recoded(chars: set[str]) -> bool:
    """True if some glyphs of a symbol font have their names, and others codes at which TeX has named ones."""
    named = any(ord(char) > 0x7F and not texcodes.BARE <= ord(char) <= texcodes.BARE + 0x20 for char in chars)
    # One alone is the minus from which TeX makes long arrows.
    return named and sum(ord(char) - texcodes.BARE in _NAMED_CODES for char in chars) >= 2


def _glyph(table: str, code: int) -> str:
    if table is texcodes.OMX and code in texcodes.PIECES:
        # A tall bracket is built of parts: its upper end stands for the whole.
        return table[code] if code in (0x30, 0x31, 0x32, 0x33, 0x38, 0x39) else ""
    return table[code]


def _by_shape(family: str, span: RawSpan, design: int) -> str:
    """Name the glyph whose code was lost by its height, depth and width in units of the font size."""
    size = span[2] or 1.0
    # Small designs are wider in proportion: CMMI7 by an eighth, CMMI5 by a quarter.
    wide = (span[5] - span[3]) / size / (1.0 if design >= 8 else 1.13 if design >= 7 else 1.25)
    high = (span[7] - span[4]) / size
    deep = (span[6] - span[7]) / size
    match family:
        case "SY" | "BSY":
            if high - -deep < 0.15:
                return "−"
            return "≥" if deep > 0.11 and wide > 0.5 else texcodes.UNKNOWN
        case "MI" | "MIB":
            return _greek(wide, high, deep)
        case _:
            return "|" if wide < 0.12 else texcodes.UNKNOWN


def _roman_capital(span: RawSpan) -> str:
    """Name an upright Greek capital by its ink, in units of the font size: of eleven, two are unlike all others."""
    size = span[2] or 1.0
    wide, high, deep = (span[5] - span[3]) / size, (span[7] - span[4]) / size, (span[6] - span[7]) / size
    if abs(high - 0.68) > 0.01 or abs(deep) > 0.01:
        return texcodes.UNKNOWN
    return "Γ" if abs(wide - 0.549) < 0.02 else "Π" if abs(wide - 0.684) < 0.01 else texcodes.UNKNOWN


def _greek(wide: float, high: float, deep: float) -> str:
    tall, low = high > 0.6, deep > 0.12
    if tall and low:
        return "β" if wide < 0.57 else "ψ"
    if low:
        return "γ" if wide < 0.57 else "χ"
    if tall:
        return "δ" if wide < 0.49 else "λ" if wide < 0.6 else texcodes.UNKNOWN
    return texcodes.UNKNOWN


def pair_brackets(spans: list[Span], repair: Repair) -> bool:
    """Give large brackets whose code was lost their sides: at one height the first opens, the second closes."""
    lost = [span for span in spans if span.text == texcodes.UNKNOWN and _bracket(span)]
    levels: list[list[Span]] = []
    for span in sorted(lost, key=lambda span: (span.y0 + span.y1) / 2):
        middle = (span.y0 + span.y1) / 2
        if levels and middle - (levels[-1][0].y0 + levels[-1][0].y1) / 2 < 0.6 * span.size:
            levels[-1].append(span)
        else:
            levels.append([span])
    for level in levels:
        level.sort(key=lambda span: span.x0)
        closes = len(level) == 1 and level[0].x1 >= max(span.x1 for span in spans) - 1 and len(spans) > 1
        for span in level:
            span.text = ")" if closes else "("
            closes = not closes
    repair.lost -= len(lost)
    repair.repaired += len(lost)
    return bool(lost)


def _bracket(span: Span) -> bool:
    return "CMEX" in span.font.name and 0.2 < (span.x1 - span.x0) / span.size < 0.6
