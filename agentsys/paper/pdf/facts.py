"""In the child: what the glyphs of a font tell, where the file says nothing of it.

Fonts of bitmaps (Type 3), as dvips makes them, have neither a name nor a size, and their characters are the bare codes
of TeX's encodings. Fonts that were cut down to their glyphs' numbers and have no `ToUnicode` give text as a cipher:
every letter is 29 before the one that is shown.

Sources: D. E. Knuth, The TeXbook, appendix F (encodings, and heights of Computer Modern); the glyph order of TrueType
fonts of Microsoft and Apple, in which the space is glyph 3.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from agentsys.paper.pdf.glyphs import Char, Style
from agentsys.paper.pdf.texcodes import BARE, OT1

_X_HEIGHT, _CAPITALS = 0.43, 0.683
"""Heights of `x` and of capitals in Computer Modern, in units of the size."""
_DIGITS = 0.644
_MINUS = 0.61
"""Width of the ink of TeX's minus in units of the size."""
_ALPHA = BARE + 11
"""The bare code of α, with which the Greek letters begin."""
_PRIME, _SLIM = 0.52, 0.5
"""Height of TeX's prime in units of the size, and its width in units of the height at most (a zero has 0.65)."""
_HEIGHTS = (
    0.431, 0.889, 0.625, 0.694, 0.431, 0.889, 0.625, 0.694, 0.431, 0.431, 0.694, 0.625, 0.431, 0.889, 0.431, 0.625,
    0.431, 0.431, 0.431, 0.889, 0.625, 0.889,
)  # fmt: skip
"""Heights of the Greek letters from α on, depths included, in units of the size."""
_WIDER = 1.09
"""Bold letters are about an eighth wider than upright ones of the same size; those of another size 3 % at most."""
LEAST = 3
"""Letters that two fonts must have in common for their widths to be compared."""
SEEN = 3_000
"""Glyphs of one font after which no more of them are measured."""
_SAME = 0.08
"""Sizes this near to the body's are the body's: a bitmap rounds heights to whole dots."""
_SHIFT = 29
_COMMON = re.compile(r"\b(?:the|of|and|to|in|is|for|that|with|are|we|by|on|der|die|und|les|des|que)\b", re.I)
_ENOUGH = 0.04
"""Least share of common words at which a text that was shifted is taken for the text."""


@dataclass(slots=True)
class _Bitmaps:
    """What was seen of one font of bitmaps."""

    codes: Counter[str] = field(default_factory=Counter[str])
    low: list[float] = field(default_factory=list[float])
    """Heights of letters as high as an x, in points."""
    high: list[float] = field(default_factory=list[float])
    """Heights of capitals, in points."""
    digits: list[float] = field(default_factory=list[float])
    tall: int = 0
    """Glyphs that are far higher than a capital."""
    minus: list[float] = field(default_factory=list[float])
    """Widths of glyphs with code 0 that are not high: the minus of TeX's symbols."""
    prime: list[float] = field(default_factory=list[float])
    """Heights of glyphs with the code of a zero that are too slim for one: the prime of TeX's symbols."""
    widths: dict[str, float] = field(default_factory=dict[str, float])
    """Widths of the glyphs, by code, in points."""
    greek: dict[str, float] = field(default_factory=dict[str, float])
    """Heights of the codes of Greek letters."""
    nominal: float = 0.0
    """Largest size in points that the file gives; that of bitmaps for a printer is far too small."""
    runs: int = 0
    """Pairs of letters side by side."""


class FontFacts:
    """Knows the fonts of one document, better with each page."""

    def __init__(self) -> None:
        self.fonts: dict[int, _Bitmaps] = {}
        self.shifted: dict[int, bool] = {}

    def restore(self, chars: list[Char]) -> None:
        """Give names, sizes and meanings to the characters of a page, in place."""
        bitmaps: dict[int, list[Char]] = {}
        coded: dict[int, list[Char]] = {}
        last: Style | None = None
        group: list[Char] | None = None
        for char in chars:
            style = char.style
            if style is not last and style is not None:
                group = None if style.font else bitmaps.setdefault(style.face, [])
                last = style
            if group is not None and style is not None:
                group.append(char)
            elif char.kind == "u" and style is not None and not style.raw_codes:
                coded.setdefault(style.face, [])
        for face, found in bitmaps.items():
            self._look(face, found)
        families = {face: _family(self.fonts[face]) for face in bitmaps}
        sizes = {face: _size(self.fonts[face], family) for face, family in families.items()}
        known = [face for face in bitmaps if sizes[face]]
        main = max(known, key=lambda face: len(bitmaps[face]), default=0)
        body = sizes.get(main, 0.0)
        for face, found in bitmaps.items():
            size = sizes[face] or body
            size = body if abs(size - body) < _SAME * body else size
            family = families[face]
            if family == "unknown" and _is_greek(self.fonts[face], size):
                family = "CMMI10"
            if set(self.fonts[face].codes) == {"r"} and abs(size * _X_HEIGHT / _CAPITALS - body) < _SAME * body:
                # As high as a capital: the nabla of bold symbols.
                family, size = "CMSY10", body
            if family == "CMR10" and size >= 0.85 * body and _is_bold(self.fonts[face], size, self.fonts[main], body):
                family = "CMBX10"
            _name(found, family, size)
        if coded:
            self._unshift(chars, coded)

    def _look(self, face: int, found: list[Char]) -> None:
        facts = self.fonts.setdefault(face, _Bitmaps())
        if facts.codes.total() > SEEN:
            return
        for char in found:
            assert char.style is not None
            facts.nominal = max(facts.nominal, char.style.size)
            facts.codes[char.text] += 1
            height, width = char.y1 - char.y0, char.x1 - char.x0
            facts.widths[char.text] = width
            if char.text in "acemnorsuvwxz":
                facts.low.append(height)
            elif char.text.isupper() and char.text.isascii() and char.text not in "QJ":
                facts.high.append(height)
            elif char.text == "0" and width < _SLIM * height:
                facts.prime.append(height)
            elif char.text.isdecimal():
                facts.digits.append(height)
            elif char.text == chr(BARE) and height < 0.25 * width:
                facts.minus.append(width)
            elif 0 <= ord(char.text) - _ALPHA < len(_HEIGHTS):
                facts.greek[char.text] = height
            facts.tall += height > 13
        near = ((before, after) for before, after in pairwise(found) if 0 <= after.x0 - before.x1 < 2)
        facts.runs += sum(before.text.isalpha() and after.text.isalpha() for before, after in near)

    def _unshift(self, chars: list[Char], coded: dict[int, list[Char]]) -> None:
        """Undo the cipher of fonts whose letters spell common words only when shifted."""
        for char in chars:
            if char.style is not None and char.style.face in coded:
                coded[char.style.face].append(char)
        for face, found in coded.items():
            if not self.shifted.get(face):
                self.shifted[face] = _is_cipher("".join(map(_moved, found)), "".join(char.text for char in found))
            for char in found:
                if self.shifted[face]:
                    char.text = _moved(char)
                    char.kind = "s" if char.text == " " else "g"
                    if char.style is not None:
                        char.style.guessed = True
                else:
                    _settle(char)


def _size(facts: _Bitmaps, family: str) -> float:
    """Return the size in points that the heights of its glyphs tell; 0 where none of them is as high in every font."""
    if family == "CMEX10":
        return 0.0
    if family == "CMSY10":
        if facts.minus:
            return median(facts.minus) / _MINUS
        return median(facts.prime) / _PRIME if facts.prime else 0.0
    if len(facts.low) >= len(facts.high) and facts.low:
        return median(facts.low) / _X_HEIGHT
    if facts.high:
        return median(facts.high) / _CAPITALS
    return median(facts.digits) / _DIGITS if facts.digits else 0.0


def _is_bold(facts: _Bitmaps, size: float, main: _Bitmaps, body: float) -> bool:
    """True if its letters are wider than the same ones of running text, as in Computer Modern the bold ones are."""
    common = [code for code in facts.widths.keys() & main.widths.keys() if code.isalpha() and main.widths[code]]
    ratios = [facts.widths[code] / main.widths[code] * body / size for code in common]
    return len(ratios) >= LEAST and median(ratios) > _WIDER


def _is_greek(facts: _Bitmaps, size: float) -> bool:
    """True for a font of bare codes alone if all are as high as the Greek letters at their places."""
    places = ((height, _HEIGHTS[ord(code) - _ALPHA]) for code, height in facts.greek.items())
    same = (abs(height - wanted * size) < _SAME * size for height, wanted in places)
    return len(facts.greek) == len(facts.codes) and all(same)


def _name(found: list[Char], family: str, size: float) -> None:
    for char in found:
        style = char.style
        assert style is not None
        if style.size < 2 and size:
            style.size = size
        style.font = f"Type3+{family}"
        style.guessed = family in ("CMMI10", "CMSY10", "CMEX10")
        style.raw_codes = style.guessed
        if family in ("CMR10", "CMBX10"):
            char.text = OT1.get(char.text, char.text)
            char.kind = "g"
        if not style.raw_codes:
            _settle(char)


def _moved(char: Char) -> str:
    code = ord(char.text[0])
    code -= BARE if BARE <= code <= BARE + 0x20 else 0
    return chr(code + _SHIFT) if 3 <= code < 0x60 else char.text


def _is_cipher(moved: str, plain: str) -> bool:
    words = len(moved.split())
    return words >= 4 and len(_COMMON.findall(moved)) >= max(_ENOUGH * words, 1 + len(_COMMON.findall(plain)))


def _settle(char: Char) -> None:
    """A bare code that nobody knows the meaning of: a space, or a character that is lost."""
    if char.text == chr(BARE + 0x20):
        char.text, char.kind = " ", "s"
    elif BARE <= ord(char.text[0]) < BARE + 0x20 or char.text == "\x7f":
        char.text, char.kind = "\ufffd", "u"


def _family(facts: _Bitmaps) -> str:
    """Tell TeX's encodings from each other by the codes in use; a name without an encoding where it has glyph names."""
    codes = facts.codes
    if facts.nominal > 2 or any(ord(code[0]) > 0xFF and not BARE <= ord(code[0]) <= BARE + 0x20 for code in codes):
        # Not made by dvips: other programs number the glyphs as they like.
        return "other"
    total = sum(codes.values())
    if facts.runs > 0.25 * total and total > 3:
        # In typewriter letters all are about as wide, and the codes are those of ASCII.
        return "ASCII" if facts.widths.get("i", 0.0) > 0.6 * facts.widths.get("m", 1e9) else "CMR10"
    if facts.tall > 0.15 * total:
        return "CMEX10"
    if facts.minus or codes[chr(BARE)] > 0.2 * total or len(facts.prime) > 0.5 * total:
        return "CMSY10"
    plain = sum(codes[char] for char in "()+[]0123456789")
    controls = sum(count for code, count in codes.items() if BARE <= ord(code) < BARE + 0x20)
    # In TeX's italics the codes of `=`, `:` and `;` are the slash, the period and the comma.
    special = controls + sum(codes[char] for char in ";:<>/@`") + (0 if plain else codes["="])
    if controls == total:
        return "unknown"
    return "CMMI10" if special > plain else "CMR10"
