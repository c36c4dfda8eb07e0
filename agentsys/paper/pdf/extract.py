"""In the child: every page as lines of spans, with the text that leaves no ink taken out."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Any

from agentsys.paper.pdf import glyphs, ink, inspect
from agentsys.paper.pdf.engine import MAX_SIDE, Document, Page, TextPage, load_page, pdfium
from agentsys.paper.pdf.facts import FontFacts
from agentsys.paper.pdf.glyphnames import GlyphNames
from agentsys.paper.pdf.glyphs import Char

MAX_CHARS = 50_000
"""Characters of one page that are looked at."""
COMBINING = {
    "´": "\u0301", "`": "\u0300", "¨": "\u0308", "ˆ": "\u0302", "˜": "\u0303", "¯": "\u0304", "ˇ": "\u030c",
    "˘": "\u0306", "˙": "\u0307", "¸": "\u0327", "˚": "\u030a", "˝": "\u030b", "ˉ": "\u0304",
}  # fmt: skip
REACH = 150
"""How many characters back the letter of an accent is looked for: PDFium may put accents at the end of a line."""
TOUCH = 0.12
"""Widest gap between two letters of a word, in units of the size; between words there is twice as much."""

Emit = Callable[[dict[str, Any]], None]


def run(data: bytes, job: dict[str, Any], emit: Emit) -> None:
    """Read the document; emits `document`, then one `page` for each page."""
    document = open_document(data, str(job.get("password", "")), emit)
    if document is None:
        return
    total = len(document)
    emit({"kind": "document", "pages": total, **inspect.document_facts(document, data)})
    fonts, names = FontFacts(), GlyphNames(data, str(job.get("password", "")))
    for index in range(min(total, int(job.get("max_pages", 100)))):
        emit({"kind": "begin", "page": index + 1})
        emit(_page(document, index, fonts, names))


def open_document(data: bytes, password: str, emit: Emit) -> Document | None:
    """Open a PDF; on failure emit the reason and return None."""
    try:
        return pdfium.PdfDocument(data, password=password or None)
    except pdfium.PdfiumError as error:
        code = getattr(error, "err_code", None)
        reason = "encrypted" if code == 4 else "handler" if code == 5 else "damaged"
        emit({"kind": "error", "reason": reason})
        return None


def _page(document: Document, index: int, fonts: FontFacts, names: GlyphNames) -> dict[str, Any]:
    record: dict[str, Any] = {"kind": "page", "number": index + 1, "lines": [], "notes": []}
    try:
        page, text = load_page(document, index)
    except pdfium.PdfiumError:
        return {**record, "width": 0.0, "height": 0.0, "notes": ["page cannot be loaded"]}
    width, height = page.get_size()
    if not 0 < min(width, height) <= max(width, height) <= MAX_SIDE:
        return {**record, "width": 0.0, "height": 0.0, "notes": ["page is larger than the format allows; not read"]}
    record |= {"width": width, "height": height}
    read = partial(_looked_at, page, index=index, fonts=fonts, names=names)
    chars, note, checked, hidden = read(text)
    facts = inspect.page_facts(page, height)
    report = [run for run in ink.report(chars, hidden) if run[0] == ink.MORE]
    if report and inspect.drop_replacements(page):
        # A replacement that is longer than what it stands for is reported; what is read is what is shown.
        text.close()
        text = page.get_textpage()
        chars, note, checked, hidden = read(text)
    else:
        report = []
    if note:
        record["notes"].append(note)
    record |= {"ink_checked": checked, "hidden": [*report, *ink.report(chars, hidden)]}
    record["hidden_chars"] = len(hidden) + sum(len(run[2]) for run in report)
    record |= glyphs.to_lines(chars, hidden.keys())
    record |= facts
    text.close()
    page.close()
    return record


def _looked_at(
    page: Page, text: TextPage, *, index: int, fonts: FontFacts, names: GlyphNames
) -> tuple[list[Char], str, bool, dict[int, str]]:
    """The characters of a page, a note, whether it was searched for hidden ones, and why which are hidden."""
    chars, note, coded = glyphs.read(page, text, MAX_CHARS)
    names.restore(coded, index)
    fonts.restore(chars)
    chars = combine_accents(chars)
    checked, hidden = ink.find_hidden(page, chars, *page.get_size())
    return chars, note, checked, hidden


def combine_accents(chars: list[Char]) -> list[Char]:
    """Put the accents that TeX draws as glyphs of their own onto their letters; one without a letter stays."""
    gone: set[int] = set()
    for index in [index for index, char in enumerate(chars) if char.text in COMBINING]:
        char = chars[index]
        mark = COMBINING[char.text]
        # In TeX's italics the code of a grave accent is the letter ell.
        if char.kind != "g" or char.style is None or char.style.angle or (char.style.raw_codes and char.text == "`"):
            continue
        letter = _under(chars, index)
        if letter is not None:
            chars[letter].text = unicodedata.normalize("NFC", chars[letter].text + mark)
            gone.add(index)
    if not gone:
        return chars
    gone |= _closed(chars, gone)
    return [char for index, char in enumerate(chars) if index not in gone]


def _closed(chars: list[Char], gone: set[int]) -> set[int]:
    """Spaces beside accents whose letters stand elsewhere, where nothing but the accent parts two glyphs."""
    found: set[int] = set()
    for index in gone:
        left, right = index - 1, index + 1
        while left >= 0 and (left in gone or chars[left].kind == "s"):
            left -= 1
        while right < len(chars) and (right in gone or chars[right].kind == "s"):
            right += 1
        if left >= 0 and right < len(chars) and _touch(chars[left], chars[right]):
            found.update(at for at in range(left + 1, right) if at not in gone)
    return found


def _touch(before: Char, after: Char) -> bool:
    """True for two glyphs of a word."""
    if before.kind != "g" or after.kind != "g" or before.style is None or after.style is None:
        return False
    level = abs(before.base - after.base) < 0.15 and before.style.face == after.style.face
    return level and abs(after.x0 - before.x1) < TOUCH * before.style.size


def _under(chars: list[Char], index: int) -> int | None:
    """Index of the letter whose width holds the middle of the accent, on the same line."""
    accent = chars[index]
    assert accent.style is not None
    middle = (accent.x0 + accent.x1) / 2
    ahead = range(index + 1, min(index + 4, len(chars)))
    back = range(index - 1, max(index - REACH, -1), -1)
    for other in (*ahead, *back):
        char = chars[other]
        if char.kind != "g" or len(char.text) != 1 or not (char.text.isalpha() or char.text in "∆∇"):
            continue
        level = abs(char.base - accent.base) < 0.45 * accent.style.size
        if level and char.x0 - 0.5 <= middle <= char.x1 + 0.5:
            return other
    return None
