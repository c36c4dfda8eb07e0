"""PDFium, loaded in the child only. The package has no type information, so its objects are `Any` here, once."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

pdfium: Any = import_module("pypdfium2")
raw: Any = import_module("pypdfium2.raw")

Document = Any
Page = Any
TextPage = Any


def quick(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Return a function of PDFium that takes and gives plain addresses.

    The package's own functions check and convert each pointer: that costs more than the calls which are made for every
    character. Handles and pointers are given as `c_void_p`.
    """
    prototype: Any = ctypes.PYFUNCTYPE(result, *arguments)
    return prototype(address_of(getattr(raw, name)))


def address_of(handle: Any) -> int:
    """Return a handle as the plain address that `quick` functions take."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


MAX_SIDE = 14_400.0
"""Longest page side in points: the limit of the PDF specification (ISO 32000-1, annex C)."""

_SAMPLE = 100
MOSTLY = 0.85
"""Share of the characters by which a page is turned: the words of an upright page's figure may all be sideways."""


def load_page(document: Document, index: int) -> tuple[Page, TextPage]:
    """Return a page and its text, turned so that most of it is upright: a sideways page is read as it is held."""
    page = document[index]
    text = page.get_textpage()
    counts = {0: 0, 90: 0, 180: 0, 270: 0}
    total = text.count_chars()
    matrix = raw.FS_MATRIX()
    for position in range(0, total, max(total // _SAMPLE, 1)):
        if raw.FPDFText_GetUnicode(text.raw, position) <= 0x20 or not raw.FPDFText_GetMatrix(
            text.raw, position, matrix
        ):
            continue
        # Counter-clockwise in the page's own axes, without the turn that the page asks for.
        angle = round(math.degrees(math.atan2(matrix.b, matrix.a))) % 360
        if angle in counts:
            counts[angle] += 1
    turn = max(counts, key=lambda angle: counts[angle])
    if counts[turn] > MOSTLY * sum(counts.values()) and turn != page.get_rotation() % 360:
        text.close()
        page.set_rotation(turn)
        text = page.get_textpage()
    return page, text
