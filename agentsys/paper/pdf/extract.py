"""In the child: every page as lines of spans, with the text that leaves no ink taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentsys.paper.pdf import accents, glyphs, ink, inspect
from agentsys.paper.pdf.engine import MAX_SIDE, Document, pdfium

MAX_CHARS = 50_000
"""Characters of one page that are looked at."""

Emit = Callable[[dict[str, Any]], None]


def run(data: bytes, job: dict[str, Any], emit: Emit) -> None:
    """Read the document; emits `document`, then one `page` for each page."""
    document = open_document(data, str(job.get("password", "")), emit)
    if document is None:
        return
    total = len(document)
    emit({"kind": "document", "pages": total, **inspect.document_facts(document, data)})
    for index in range(min(total, int(job.get("max_pages", 100)))):
        emit({"kind": "begin", "page": index + 1})
        emit(_page(document, index))


def open_document(data: bytes, password: str, emit: Emit) -> Document | None:
    """Open a PDF; on failure emit the reason and return None."""
    try:
        return pdfium.PdfDocument(data, password=password or None)
    except pdfium.PdfiumError as error:
        code = getattr(error, "err_code", None)
        reason = "encrypted" if code == 4 else "handler" if code == 5 else "damaged"
        emit({"kind": "error", "reason": reason})
        return None


def _page(document: Document, index: int) -> dict[str, Any]:
    record: dict[str, Any] = {"kind": "page", "number": index + 1, "lines": [], "notes": []}
    try:
        page = document[index]
    except pdfium.PdfiumError:
        return {**record, "width": 0.0, "height": 0.0, "notes": ["page cannot be loaded"]}
    width, height = page.get_size()
    if not 0 < min(width, height) <= max(width, height) <= MAX_SIDE:
        return {**record, "width": 0.0, "height": 0.0, "notes": ["page is larger than the format allows; not read"]}
    record |= {"width": width, "height": height}
    text = page.get_textpage()
    chars, note = glyphs.read(page, text, MAX_CHARS)
    chars = accents.combine(chars)
    if note:
        record["notes"].append(note)
    checked, hidden = ink.find_hidden(page, chars, width, height)
    record |= {"ink_checked": checked, "hidden": ink.report(chars, hidden)}
    record["hidden_chars"] = len(hidden)
    record |= glyphs.to_lines(chars, hidden.keys())
    record |= inspect.page_facts(page, height)
    text.close()
    page.close()
    return record
