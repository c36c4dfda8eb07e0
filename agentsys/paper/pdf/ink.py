"""In the child: the ink test. A character that leaves no mark on the rendered page is hidden text."""

from __future__ import annotations

from dataclasses import dataclass

from agentsys.paper.pdf import engine
from agentsys.paper.pdf.glyphs import TINY, Char, Style

DPI = 144
MAX_PIXELS = 25_000_000
CONTRAST = 40
"""Smallest difference of grey levels (0..255) inside a glyph's box that counts as ink."""
LARGE = 18.0
"""Letters of this size in points are seen with less contrast."""
CONTRAST_LARGE = 28
MORE = "more text than is shown"
ROOM = 0.17
"""Least mean width of the characters of a text object, in units of its size (prose has 0.4 to 0.5)."""
MAX_REPORT = 2_000
"""Characters of hidden text that are reported of one page."""
_DARK, _LIGHT = b"D", b"L"
_CLASSES = _DARK * 160 + b"-" * CONTRAST + _LIGHT * (256 - 160 - CONTRAST)
"""Classes of grey levels: a dark and a light one differ by more than the contrast that is asked for."""


@dataclass(frozen=True, slots=True)
class _Picture:
    """Grey levels of a rendered page, row by row."""

    data: bytes
    classes: bytes
    """The same as dark, light, or neither."""
    stride: int
    width: int
    height: int
    scale: float


def find_hidden(page: engine.Page, chars: list[Char], width: float, height: float) -> tuple[bool, dict[int, str]]:
    """Return whether the page could be rendered, and index -> reason of every hidden character."""
    hidden: dict[int, str] = {}
    picture = _render(page, width, height)
    crowded = _crowded(chars)
    for index, char in enumerate(chars):
        if char.style is None or char.kind in "sn":
            continue
        reason = ""
        if char.style.size < TINY or char.x0 >= width or char.y0 >= height or char.x1 <= 0 or char.y1 <= 0:
            reason = _geometry(char, width, height)
        if crowded and id(char.style) in crowded:
            reason = MORE
        if not reason and picture and not _has_ink(picture, char):
            reason = "no ink"
        if reason:
            hidden[index] = reason
    return picture is not None, hidden


def _render(page: engine.Page, width: float, height: float) -> _Picture | None:
    scale = DPI / 72
    if not width > 0 or not height > 0 or width * height * scale * scale > MAX_PIXELS:
        return None
    bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=False, draw_annots=False, no_smoothimage=True)
    data = bytes(bitmap.buffer)
    return _Picture(data, data.translate(_CLASSES), bitmap.stride, bitmap.width, bitmap.height, scale)


def _crowded(chars: list[Char]) -> set[int]:
    """Styles of text objects that hold more characters than they have room for.

    PDFium spreads a replacement text (`ActualText`) over the glyphs that it replaces: where a sentence stands for a
    word, each character has a fraction of the width that a letter needs.
    """
    extents: dict[int, list[float]] = {}
    style: Style | None = None
    extent = [0.0, 0.0, 0.0, 0.0]
    for char in chars:
        if char.style is None or char.kind in "sn" or char.style.angle:
            continue
        if char.style is not style:
            style = char.style
            extent = extents.setdefault(id(style), [0.0, char.x0, char.x1, style.size])
        extent[0] += 1
        if char.x0 < extent[1]:
            extent[1] = char.x0
        if char.x1 > extent[2]:
            extent[2] = char.x1
    return {key for key, (count, x0, x1, size) in extents.items() if count >= 6 and (x1 - x0) / count < ROOM * size}


def _geometry(char: Char, width: float, height: float) -> str:
    assert char.style is not None
    if char.x1 <= 0 or char.y1 <= 0 or char.x0 >= width or char.y0 >= height:
        return "off page"
    if char.style.size < TINY and char.y1 - char.y0 < TINY:
        return "tiny"
    return ""


def _has_ink(picture: _Picture, char: Char) -> bool:
    """True if grey levels differ inside the glyph's box, one pixel around it included."""
    scale = picture.scale
    x0, y0 = int(char.x0 * scale) - 1, int(char.y0 * scale) - 1
    x1, y1 = int(char.x1 * scale) + 2, int(char.y1 * scale) + 2
    if x0 < 0 or y0 < 0 or x1 > picture.width or y1 > picture.height:
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, picture.width), min(y1, picture.height)
    if x1 <= x0 or y1 <= y0:
        return False
    middle = (y0 + y1) // 2
    row = middle * picture.stride
    # Dark on light at half height is what nearly every glyph has.
    if picture.classes.find(_DARK, row + x0, row + x1) >= 0 <= picture.classes.find(_LIGHT, row + x0, row + x1):
        return True
    enough = CONTRAST if char.style is None or char.style.size < LARGE else CONTRAST_LARGE
    low, high = 255, 0
    for row in (*range(middle, y1), *range(middle - 1, y0 - 1, -1)):
        start = row * picture.stride
        levels = picture.data[start + x0 : start + x1]
        least, most = min(levels), max(levels)
        low, high = least if least < low else low, most if most > high else high
        if high - low >= enough:
            return True
    return False


def report(chars: list[Char], hidden: dict[int, str]) -> list[tuple[str, list[float], str]]:
    """Return hidden runs as `(reason, box, text)`."""
    if not hidden:
        return []
    runs: list[tuple[str, list[float], list[str]]] = []
    follows = False
    gap = ""
    for index, char in enumerate(chars):
        if char.kind in "sn":
            gap = " "
            continue
        reason = hidden.get(index)
        if reason is None:
            follows = False
        elif follows and runs[-1][0] == reason:
            _extend(runs[-1], char, gap)
        else:
            runs.append((reason, [char.x0, char.y0, char.x1, char.y1], [char.text]))
            follows = True
        gap = ""
    return [(reason, [round(value, 1) for value in box], "".join(text)) for reason, box, text in runs]


def _extend(run: tuple[str, list[float], list[str]], char: Char, gap: str) -> None:
    _, box, text = run
    if len(text) < MAX_REPORT:
        text.append(gap + char.text)
    box[:] = [min(box[0], char.x0), min(box[1], char.y0), max(box[2], char.x1), max(box[3], char.y1)]
