"""In the child: PDFium's characters, and the lines and spans they form."""

from __future__ import annotations

import ctypes
import math
import re
import struct
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from agentsys.paper.pdf import engine
from agentsys.paper.pdf.engine import raw
from agentsys.paper.pdf.texcodes import BARE

TINY = 2.0
"""Text below this size in points is not meant to be read."""
RETURN = 12
"""How far back the next row of running text begins, in units of the size: no denominator is as far."""
SOFT_HYPHENS = {0x02, 0xAD, 0xFFFE}
_SIX = struct.Struct("6d")
_TEX_MATH = re.compile(r"(?:^|\+)(?:CM(?:MI|SY|EX|BSY|MIB)|LMMath|MSAM|MSBM)")


@dataclass(slots=True)
class Style:
    """What the characters of one text object share."""

    font: str
    size: float
    """Effective size in points, after all matrices."""
    angle: int
    """Direction of writing on the shown page, in degrees."""
    weight: int
    flags: int
    raw_codes: bool = False
    """True for TeX's mathematical fonts, in which control codes are glyphs."""
    face: int = 0
    """Address of the font."""
    guessed: bool = False
    """True where its characters were found by their frequency, not by what the file says."""


@dataclass(slots=True)
class Char:
    """One character; coordinates in points from the top left corner of the shown page."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    base: float
    """y of the baseline."""
    style: Style | None
    kind: str
    """`g` glyph, `s` space, `n` line end, `h` hyphen at a line end, `u` without a meaning in the text layer."""


class Affine:
    """Page space to points from the top left corner of the page as shown."""

    def __init__(self, page: engine.Page) -> None:
        width, height = page.get_size()
        scale = 1000
        x, y = ctypes.c_int(), ctypes.c_int()

        def at(px: float, py: float) -> tuple[float, float]:
            raw.FPDF_PageToDevice(
                page, 0, 0, int(width * scale), int(height * scale), 0, px, py, ctypes.byref(x), ctypes.byref(y)
            )
            return x.value / scale, y.value / scale

        self.ox, self.oy = at(0, 0)
        ax, ay = at(100, 0)
        bx, by = at(0, 100)
        self.a, self.b = (ax - self.ox) / 100, (ay - self.oy) / 100
        self.c, self.d = (bx - self.ox) / 100, (by - self.oy) / 100

    def point(self, x: float, y: float) -> tuple[float, float]:
        return self.ox + self.a * x + self.c * y, self.oy + self.b * x + self.d * y

    def box(self, left: float, bottom: float, right: float, top: float) -> tuple[float, float, float, float]:
        x0, y0 = self.point(left, bottom)
        x1, y1 = self.point(right, top)
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def read(page: engine.Page, text: engine.TextPage, limit: int) -> tuple[list[Char], str, list[tuple[Char, int]]]:
    """Return the page's characters in PDFium's order, a note if there were more than `limit`, and bare codes.

    The codes are those of characters without Unicode in the file, in fonts without a name that dvips did not make.
    """
    affine = Affine(page)
    reader = _Reader(text, affine)
    total = text.count_chars()
    count = min(total, limit)
    chars: list[Char] = []
    index = 0
    while index < count:
        char, used = reader.char(index)
        index += used
        style = char.style
        if style is not None and style.raw_codes and chars and (ligature := join_ligature(chars[-1], char)):
            chars[-1].text = ligature
        else:
            chars.append(char)
    return chars, f"only {limit} of {total} characters read" if total > limit else "", reader.coded


def join_ligature(first: Char, second: Char) -> str:
    """Return the code that PDFium took apart to two letters in one box, in a font that has glyphs and no ligatures."""
    if second.style is None or not second.style.raw_codes or (first.x0, first.x1) != (second.x0, second.x1):
        return ""
    return {"fi": "\ufb01", "fl": "\ufb02"}.get(first.text + second.text, "")


class _Reader:
    """Buffers for the calls, made once a page: four calls into PDFium for each character."""

    def __init__(self, text: engine.TextPage, affine: Affine) -> None:
        self.handle = text.raw
        self.affine = affine
        self.upright = not affine.b and not affine.c and affine.a > 0 > affine.d
        # Left, right, bottom and top of the box, x and y of the origin.
        self.places = (ctypes.c_double * 6)()
        start = ctypes.addressof(self.places)
        self.edges = [start + 8 * position for position in range(4)]
        self.origin = [start + 8 * position for position in (4, 5)]
        self.matrix = raw.FS_MATRIX()
        self.styles: dict[int, Style] = {}
        self.fonts: dict[int, tuple[str, int, int, bool]] = {}
        """Name, weight, flags of each font, and whether it uses control codes for glyphs; key: its address."""
        self.last: tuple[int, Style] | None = None
        """Text object of the last character, and its style."""
        self.in_math = False
        """True while the font at hand uses control codes for glyphs."""
        self.has_math = False
        """True once such a font was met on the page."""
        self.unnamed = False
        """True while the font at hand has no name, and a size: dvips gives its bitmaps none."""
        self.coded: list[tuple[Char, int]] = []
        # Bound once: a page has thousands of characters.
        pointer, number = ctypes.c_void_p, ctypes.c_int
        self.page = engine.address_of(self.handle)
        self.unicode_of = engine.quick("FPDFText_GetUnicode", ctypes.c_uint, pointer, number)
        self.box_of = engine.quick("FPDFText_GetCharBox", number, pointer, number, *[pointer] * 4)
        self.origin_of = engine.quick("FPDFText_GetCharOrigin", number, pointer, number, *[pointer] * 2)
        self.object_of = engine.quick("FPDFText_GetTextObject", pointer, pointer, number)

    def char(self, index: int) -> tuple[Char, int]:
        """Return one character and how many indices it took: letters outside the BMP come as two halves."""
        code = self.unicode_of(self.page, index)
        used = 1
        if 0xD800 <= code < 0xDC00:
            low = self.unicode_of(self.page, index + 1)
            if 0xDC00 <= low < 0xE000:
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
                used = 2
        if code <= 0x20 and (blank := self._blank(index, code)) is not None:
            return blank, used
        style = self._style(index)
        kind, shown = "g", chr(code)
        if not (0x20 < code < 0x7F or 0xAD < code < 0x2000 or 0x2010 <= code < 0xD800):
            kind, shown = self._rare(index, code, style)
            if kind == "s":
                return Char(" ", 0, 0, 0, 0, 0, None, "s"), used
        char = self._placed(index, kind, shown, style)
        if self.unnamed and (not code or raw.FPDFText_HasUnicodeMapError(self.handle, index) == 1):
            self.coded.append((char, code))
        return char, used

    def _blank(self, index: int, code: int) -> Char | None:
        """Return a space or line end; None where the code is a glyph of a mathematical font."""
        if code == 0x20 and not (self.in_math or (self.has_math and self._raw(index))):
            return Char(" ", 0, 0, 0, 0, 0, None, "s")
        if code in (0x0A, 0x0D, 0x20) and raw.FPDFText_IsGenerated(self.handle, index) == 1:
            return Char("", 0, 0, 0, 0, 0, None, "s" if code == 0x20 else "n")
        return None

    def _raw(self, index: int) -> bool:
        """True for a code in a font that uses control codes for glyphs: the space is a tall parenthesis there."""
        style = self._style(index)
        return style is not None and style.raw_codes

    def _rare(self, index: int, code: int, style: Style | None) -> tuple[str, str]:
        """Return kind and text of control codes, odd spaces, hyphens at line ends and what has no meaning."""
        hyphen = code in SOFT_HYPHENS and raw.FPDFText_IsHyphen(self.handle, index) == 1
        if style is not None and style.raw_codes and code <= 0x20 and not (hyphen and not style.font):
            # The font has no names for its glyphs: the parent knows the encoding, and this is the bare code.
            return "u", chr(BARE + code)
        if hyphen:
            return "h", "-"
        if code == 0x7F and style is not None and style.raw_codes:
            return "u", "\x7f"
        if code in (0x20, 0xA0, 0x09) or 0x2000 <= code <= 0x200B:
            return "s", " "
        if code < 0x20:
            return "u", chr(BARE + code)
        if 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or code in (0xFFFD, 0xFFFE, 0xFFFF):
            return "u", "\ufffd"
        return "g", chr(code)

    def _placed(self, index: int, kind: str, shown: str, style: Style | None) -> Char:
        """Return a character with its box and baseline."""
        self.box_of(self.page, index, *self.edges)
        self.origin_of(self.page, index, *self.origin)
        left, right, bottom, top, x, y = _SIX.unpack(self.places)
        affine = self.affine
        if self.upright:
            x0, x1 = affine.ox + affine.a * left, affine.ox + affine.a * right
            y0, y1 = affine.oy + affine.d * top, affine.oy + affine.d * bottom
            return Char(shown, x0, y0, x1, y1, affine.oy + affine.d * y, style, kind)
        x0, y0, x1, y1 = affine.box(left, bottom, right, top)
        return Char(shown, x0, y0, x1, y1, affine.point(x, y)[1], style, kind)

    def _style(self, index: int) -> Style | None:
        found = self.object_of(self.page, index)
        if self.last is not None and self.last[0] == found:
            return self.last[1]
        if not found:
            return None
        style = self.styles.get(found)
        if style is None:
            style = self.styles[found] = self._new_style(index, raw.FPDFText_GetTextObject(self.handle, index))
        self.in_math = style.raw_codes
        self.unnamed = not style.font and style.size >= TINY
        self.last = (found, style)
        return style

    def _new_style(self, index: int, found: Any) -> Style:
        size = raw.FPDFText_GetFontSize(self.handle, index)
        angle = 0
        if raw.FPDFText_GetMatrix(self.handle, index, self.matrix):
            size *= math.hypot(self.matrix.c, self.matrix.d)
            dx = self.affine.a * self.matrix.a + self.affine.c * self.matrix.b
            dy = self.affine.b * self.matrix.a + self.affine.d * self.matrix.b
            angle = round(math.degrees(math.atan2(-dy, dx)))
        font = raw.FPDFTextObj_GetFont(found)
        address = engine.address_of(font)
        facts = self.fonts.get(address)
        if facts is None:
            name = _font_name(font)
            bare = not name or bool(_TEX_MATH.search(name))
            facts = (name, raw.FPDFFont_GetWeight(font), raw.FPDFFont_GetFlags(font), bare)
            self.fonts[address] = facts
        name, weight, flags, raw_codes = facts
        self.has_math = self.has_math or raw_codes
        return Style(name, abs(size), angle, weight, flags, raw_codes, address)


def _font_name(font: Any) -> str:
    buffer = ctypes.create_string_buffer(128)
    length = raw.FPDFFont_GetBaseFontName(font, buffer, 128)
    return buffer.value.decode("utf-8", "replace") if 0 < length <= 128 else ""


def to_lines(chars: list[Char], hidden: Set[int]) -> dict[str, Any]:
    """Return the JSON form of the page's visible lines: `fonts`, `lines`, `chars`, `unmapped`, `guessed`."""
    fonts: dict[tuple[str, int, int], int] = {}
    lines: list[list[Any]] = []
    builder = _LineBuilder(fonts)
    visible = unmapped = guessed = 0
    for index, char in enumerate(chars):
        if char.kind == "n":
            builder.flush(lines)
            continue
        if char.kind == "s" or char.style is None:
            builder.space = True
            continue
        if index in hidden:
            builder.space = True
            continue
        visible += 1
        unmapped += char.kind == "u" and not char.style.raw_codes
        guessed += char.style.guessed
        builder.add(char, lines)
        if char.kind == "h":
            builder.flush(lines, hyphen=True)
    builder.flush(lines)
    table = [list(key) for key in fonts]
    return {"fonts": table, "lines": lines, "chars": visible, "unmapped": unmapped, "guessed": guessed}


class _LineBuilder:
    """Collects spans: runs of characters with one font, size and baseline and no space inside."""

    def __init__(self, fonts: dict[tuple[str, int, int], int]) -> None:
        self.fonts = fonts
        self.spans: list[list[Any]] = []
        self.space = False
        self.style: Style | None = None
        self.angle = 0
        self.alone = False

    def add(self, char: Char, lines: list[list[Any]]) -> None:
        style = char.style
        assert style is not None
        if style is self.style and char.kind == "g" and self._goes_on(char, style):
            return
        if self.spans and style.angle != self.angle:
            self.flush(lines)
        last = self.spans[-1] if self.spans else None
        size = style.size
        alone = char.kind == "u" or self.alone
        self.alone = char.kind == "u"
        if last and not self.space and not alone and self.style is not None and self._same(style, char, last):
            self._extend(last, char)
            return
        if last and style.angle == 0 and self._jumps(char, last):
            self.flush(lines)
        key = (style.font, style.weight, style.flags)
        font = self.fonts.setdefault(key, len(self.fonts))
        self.spans.append(
            [char.text, font, round(size, 2), char.x0, char.y0, char.x1, char.y1, char.base, int(self.space)]
        )
        self.space = False
        self.style = style
        self.angle = style.angle

    def _goes_on(self, char: Char, style: Style) -> bool:
        """Take a character that simply follows within a word: nearly all do."""
        if self.space or self.alone or style.angle or not self.spans:
            return False
        last = self.spans[-1]
        if not (-0.15 < char.base - last[7] < 0.15 and -style.size < char.x0 - last[5] < style.size * 0.6):
            return False
        self._extend(last, char)
        return True

    def _extend(self, last: list[Any], char: Char) -> None:
        last[0] += char.text
        if char.x0 < last[3]:
            last[3] = char.x0
        if char.y0 < last[4]:
            last[4] = char.y0
        if char.x1 > last[5]:
            last[5] = char.x1
        if char.y1 > last[6]:
            last[6] = char.y1

    def _same(self, style: Style, char: Char, last: list[Any]) -> bool:
        assert self.style is not None
        if style is not self.style and (style.font != self.style.font or abs(style.size - self.style.size) > 0.05):
            return False
        if style.angle:
            return True
        return abs(char.base - last[7]) < 0.15 and -style.size < char.x0 - last[5] < style.size * 0.6

    def _jumps(self, char: Char, last: list[Any]) -> bool:
        """True where PDFium did not break the line although the next character is far away or in the next row."""
        size = max(last[2], char.style.size if char.style else 0.0)
        back = last[3] - char.x0 > RETURN * size and char.base - last[7] > 0.7 * size
        return back or abs(char.base - last[7]) > 1.6 * size

    def flush(self, lines: list[list[Any]], hyphen: bool = False) -> None:
        if self.spans:
            for span in self.spans:
                span[3:8] = [round(value, 2) for value in span[3:8]]
            lines.append([int(hyphen), self.angle, self.spans])
        self.spans = []
        self.space = False
        self.style = None
