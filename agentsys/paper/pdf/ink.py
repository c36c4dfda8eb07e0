"""In the child: the ink test. A character that leaves no mark on the rendered page is hidden text."""

from __future__ import annotations

from typing import Any

import pypdfium2 as pdfium
from PIL import Image

from agentsys.paper.pdf.glyphs import Char

DPI = 144
MAX_PIXELS = 25_000_000
CONTRAST = 40
"""Smallest difference of grey levels (0..255) inside a glyph's box that counts as ink."""
TINY = 2.0
"""Text below this size in points is not meant to be read."""
MAX_REPORT = 2_000
"""Characters of hidden text that are reported of one page."""


def find_hidden(page: pdfium.PdfPage, chars: list[Char], width: float, height: float) -> tuple[bool, dict[int, str]]:
    """Return whether the page could be rendered, and index -> reason of every hidden character."""
    hidden: dict[int, str] = {}
    picture = _render(page, width, height)
    scale = picture.width / width if picture else 1.0
    for index, char in enumerate(chars):
        if char.style is None or char.kind in "sn":
            continue
        reason = _geometry(char, width, height)
        if not reason and picture and not _has_ink(picture, char, scale):
            reason = "no ink"
        if reason:
            hidden[index] = reason
    return picture is not None, hidden


def _render(page: pdfium.PdfPage, width: float, height: float) -> Image.Image | None:
    scale = DPI / 72
    if not width > 0 or not height > 0 or width * height * scale * scale > MAX_PIXELS:
        return None
    bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=False, draw_annots=False)
    return bitmap.to_pil()


def _geometry(char: Char, width: float, height: float) -> str:
    assert char.style is not None
    if char.x1 <= 0 or char.y1 <= 0 or char.x0 >= width or char.y0 >= height:
        return "off page"
    if char.style.size < TINY:
        return "tiny"
    return ""


def _has_ink(picture: Image.Image, char: Char, scale: float) -> bool:
    box = (
        max(int(char.x0 * scale) - 1, 0),
        max(int(char.y0 * scale) - 1, 0),
        min(int(char.x1 * scale) + 2, picture.width),
        min(int(char.y1 * scale) + 2, picture.height),
    )
    if box[2] <= box[0] or box[3] <= box[1]:
        return False
    low, high = picture.crop(box).getextrema()
    return high - low >= CONTRAST  # type: ignore[operator]


def report(chars: list[Char], hidden: dict[int, str]) -> list[list[Any]]:
    """Return hidden runs as `[reason, x0, y0, x1, y1, text]`."""
    runs: list[list[Any]] = []
    last = -2
    gap = ""
    for index, char in enumerate(chars):
        if char.kind in "sn":
            gap = " "
            continue
        reason = hidden.get(index)
        if reason is None:
            last = -2
            gap = ""
            continue
        if runs and last >= 0 and runs[-1][0] == reason:
            run = runs[-1]
            if len(run[5]) < MAX_REPORT:
                run[5] += gap + char.text
            run[1], run[2] = min(run[1], char.x0), min(run[2], char.y0)
            run[3], run[4] = max(run[3], char.x1), max(run[4], char.y1)
        else:
            runs.append([reason, char.x0, char.y0, char.x1, char.y1, char.text])
        last, gap = index, ""
    for run in runs:
        run[1:5] = [round(value, 1) for value in run[1:5]]
    return runs
