"""In the child: what a file holds beside its page text (metadata, outline, attachments, drawings)."""

from __future__ import annotations

import ctypes
import re
from functools import partial
from typing import Any

from agentsys.paper.pdf.engine import Document, Page, pdfium, raw
from agentsys.paper.pdf.glyphs import Affine
from agentsys.paper.pdf.ink import ROOM

MAX_OUTLINE = 500
MAX_OBJECTS = 5_000
MAX_ANNOTATIONS = 500


def document_facts(document: Document, data: bytes) -> dict[str, Any]:
    """Return `metadata`, `outline`, `embedded`, and the active parts whose names occur in the file."""
    return {
        "metadata": {key: value[:500] for key, value in document.get_metadata_dict().items() if value},
        "outline": _outline(document),
        "embedded": _embedded(document),
        "javascript": _has_javascript(document, data),
        "launch": re.search(rb"/S\s*/Launch\b", data) is not None,
        "open_action": b"/OpenAction" in data,
        "actual_text": b"/ActualText" in data,
    }


def _has_javascript(document: Document, data: bytes) -> bool:
    return (
        raw.FPDFDoc_GetJavaScriptActionCount(document) > 0 or re.search(rb"/JavaScript\b|/JS\s*[(<]", data) is not None
    )


def _outline(document: Document) -> list[list[Any]]:
    entries: list[list[Any]] = []
    for item in document.get_toc(max_depth=6):
        title = item.get_title()
        dest = item.get_dest()
        page = dest.get_index() if dest else None
        entries.append([item.level, title[:300], -1 if page is None else page + 1])
        if len(entries) >= MAX_OUTLINE:
            break
    return entries


def _embedded(document: Document) -> list[str]:
    count = min(max(document.count_attachments(), 0), 50)
    return [document.get_attachment(index).get_name()[:200] for index in range(count)]


def page_annotations(page: Page) -> list[tuple[str, list[float], str]]:
    """Return the words of annotations and form fields as `(reason, box, text)`: they are not page text."""
    affine = Affine(page)
    found: list[tuple[str, list[float], str]] = []
    for index in range(min(raw.FPDFPage_GetAnnotCount(page), MAX_ANNOTATIONS)):
        handle = raw.FPDFPage_GetAnnot(page, index)
        if not handle:
            continue
        kind = raw.FPDFAnnot_GetSubtype(handle)
        text = " ".join(filter(None, (_annotation_string(handle, key) for key in (b"Contents", b"RC", b"V", b"TU"))))
        if text and kind != raw.FPDF_ANNOT_LINK:
            rectangle = raw.FS_RECTF()
            raw.FPDFAnnot_GetRect(handle, rectangle)
            box = affine.box(rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)
            found.append((f"annotation {kind}", [round(min(max(value, -2e4), 2e4), 1) for value in box], text))
        raw.FPDFPage_CloseAnnot(handle)
    return found


def _annotation_string(handle: Any, key: bytes) -> str:
    length = raw.FPDFAnnot_GetStringValue(handle, key, None, 0)
    if not 2 < length <= 20_000:
        return ""
    buffer = ctypes.create_string_buffer(length)
    raw.FPDFAnnot_GetStringValue(handle, key, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), length)
    return buffer.raw[: length - 2].decode("utf-16-le", "replace")


def _replacements(item: Any) -> list[Any]:
    """The marks of a text object that carry a replacement for what it shows."""
    marks = (raw.FPDFPageObj_GetMark(item, index) for index in range(raw.FPDFPageObj_CountMarks(item)))
    return [mark for mark in marks if raw.FPDFPageObjMark_GetParamValueType(mark, b"ActualText")]


def drop_replacements(page: Page) -> bool:
    """Take replacements longer than what they stand for off a page in memory; False if there are none."""
    dropped = False
    for count, item in enumerate(page.get_objects(max_depth=1)):
        if count >= MAX_OBJECTS:
            break
        if item.type == raw.FPDF_PAGEOBJ_TEXT:
            for mark in filter(partial(_longer, item), _replacements(item)):
                dropped = bool(raw.FPDFPageObj_RemoveMark(item, mark)) or dropped
    return dropped


def _longer(item: Any, mark: Any) -> bool:
    """True for a replacement that would not fit in the place of what is shown."""
    length = ctypes.c_ulong()
    raw.FPDFPageObjMark_GetParamStringValue(mark, b"ActualText", None, 0, ctypes.byref(length))
    letters = max(length.value // 2 - 1, 0)
    left, bottom, right, top = item.get_bounds()
    return letters >= 6 and letters * ROOM * (top - bottom) > right - left


def page_facts(page: Page, height: float) -> dict[str, Any]:
    """Return `rules` (thin horizontal lines), `drawings` (boxes of everything else drawn) and `images`."""
    affine = Affine(page)
    rules: list[list[float]] = []
    drawings: list[list[float]] = []
    images: list[list[float]] = []
    replaced = False
    for count, item in enumerate(page.get_objects(max_depth=1)):
        if count >= MAX_OBJECTS:
            break
        if item.type == raw.FPDF_PAGEOBJ_TEXT:
            replaced = replaced or bool(_replacements(item))
            continue
        try:
            box = affine.box(*item.get_bounds())
        except pdfium.PdfiumError:
            continue
        rounded = [round(min(max(value, -20_000.0), 20_000.0), 1) for value in box]
        wide, tall = rounded[2] - rounded[0], rounded[3] - rounded[1]
        # Distiller draws rules as pictures of one dot's height.
        if tall < 2.5 and wide > 1.5:
            rules.append(rounded)
        elif item.type == raw.FPDF_PAGEOBJ_IMAGE:
            images.append(rounded)
        elif wide > 1 or tall > 1:
            drawings.append(rounded)
    return {
        "rules": rules,
        "drawings": drawings,
        "images": images,
        "annotations": page_annotations(page),
        "actual_text": replaced,
    }
