"""What is doubtful about a paper as it was read, page by page: every visible word must have gone somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from agentsys.paper.model import Paper
from agentsys.paper.pdf.layout import Page
from agentsys.paper.pdf.lines import Line
from agentsys.paper.pdf.words import tidy

LONG_ABSTRACT = 6_000
"""Characters; no journal takes longer ones, so that headings must have been missed."""
HIDDEN_SHARE = 0.1
"""Share of a page's characters that may be hidden before the page itself is in doubt."""
_LETTERS = re.compile(r"[^\W\d_]+")
_BROKEN = re.compile(r"[_^]\{\s*[∈=]|[\ue000-\uf8ff]|(?<![\\&(\[{|] )[⋮⋱]")
"""An index that begins with a relation has lost what stands before it; private characters have no meaning; dots of a
matrix that stand in none are a column whose rows were not put together."""
_STAMP = re.compile(r"arXiv:\d{4}\.\d|(?:hep|astro|cond|math|quant)-?[a-z]*/\d{7}")
NEAR = 20_000
"""Letters after the row before within which a row is looked for first."""
MISSES = 3_000
"""Rows that are looked for in the whole text; a file that is made to hold up the search ends there, in doubt."""
SHORT = 12
"""Letters below which a row is not looked for: labels of figures and mathematics are rearranged."""


def with_doubts(paper: Paper, pages: list[Page]) -> Paper:
    """Return the paper with `doubts`, of its pages and of the whole."""
    lost = _lost(paper, pages)
    infos = tuple(
        info.model_copy(update={"doubts": tuple(_page_doubts(page, lost.get(page.number, [])))})
        for info, page in zip(paper.pages, pages, strict=True)
    )
    return paper.model_copy(update={"pages": infos, "doubts": tuple(_structure_doubts(paper))})


def well_formed(text: str) -> bool:
    """True if a formula is put together so that it can be right: brackets in pairs, also inside of each group.

    Intervals such as `[0, 1)` are pairs too, and a brace that is never closed is that of cases.
    """
    open_ones: list[str] = []
    for char in text:
        if char in "([{":
            open_ones.append(char)
        elif char in ")]}":
            last = open_ones.pop() if open_ones else ""
            if (last == "{") != (char == "}") or not last:
                return False
    return set(open_ones) <= {"{"} and not _BROKEN.search(text) and any(char.isalnum() for char in text)


def _page_doubts(page: Page, lost: list[str]) -> Iterator[str]:
    raw = page.raw
    if lost:
        words = sum(len(text.split()) for text in lost)
        yield f"{words} words were read and went nowhere, such as `{lost[0][:60]}`"
    if raw.hidden_chars > max(40, HIDDEN_SHARE * (raw.chars + raw.hidden_chars)):
        yield f"{raw.hidden_chars} of its characters do not show and were left out"
    if not raw.ink_checked:
        yield "it was not searched for hidden text"
    if raw.chars < 50 and raw.images:
        yield "it is a picture without text"
    if page.repair.lost:
        yield f"{page.repair.lost} characters have no meaning in the file"
    if guessed := raw.guessed + page.repair.guessed:
        yield f"{guessed} characters are of fonts that do not say what they show, and were guessed"


def _structure_doubts(paper: Paper) -> Iterator[str]:
    if len(paper.abstract) > LONG_ABSTRACT:
        yield f"the abstract has {len(paper.abstract)} characters: headings after it were missed"
    titled = [section for section in paper.sections if section.title]
    if len(paper.pages) > 2 and len(titled) < 3:
        yield f"only {len(titled)} headings were found on {len(paper.pages)} pages"
    if len(paper.pages) > 2 and not paper.references:
        yield "no references were found"
    elif any(len(entry.raw) > 1_500 for entry in paper.references):
        yield "entries of the references may be merged"
    yield from _gaps("no heading was found for section", [section.number for section in titled])
    numbers = [part for block in paper.equations for part in block.number.split(", ")]
    yield from _gaps("no equation was found for the number", numbers)
    yield from _gaps("no caption was found for figure", [block.label for block in paper.figures])
    yield from _gaps("no caption was found for table", [block.label for block in paper.tables])


def _gaps(what: str, labels: Iterable[str]) -> Iterator[str]:
    """Name the numbers that are missing before the last one."""
    whole = (label.rstrip("abcdefghijklmnop") for label in labels)
    numbers = {int(label) for label in whole if label.isdecimal() and len(label) < 4}
    missed = sorted(set(range(1, max(numbers, default=0))) - numbers)
    if missed:
        yield f"{what} {', '.join(map(str, missed[:8]))}{' ...' if len(missed) > 8 else ''}"


def _letters(text: str) -> str:
    return "".join(_LETTERS.findall(tidy(text))).lower()


def _lost(paper: Paper, pages: list[Page]) -> dict[int, list[str]]:
    """Rows of words that are found nowhere in the paper, by page number."""
    text = _letters("\n".join(_texts(paper)))
    found: dict[int, list[str]] = {}
    place = misses = 0
    for page in pages:
        for line in (*page.lines, *page.aside):
            for run in _runs(line):
                needle = _letters(run)
                if len(needle) < SHORT or _STAMP.search(run) or misses > MISSES:
                    continue
                here = text.find(needle, place, place + NEAR)
                if here < 0:
                    misses += 1
                    here = text.find(needle)
                if here >= 0:
                    place = here
                elif not _in_halves(needle, text):
                    found.setdefault(page.number, []).append(run.strip())
    return found


def _in_halves(needle: str, text: str) -> bool:
    """A word at a row's end may be divided by a footnote mark or joined to another row."""
    middle = len(needle) // 2
    return needle[:middle] in text and needle[middle:] in text


def _runs(line: Line) -> Iterator[str]:
    """Words of a row between its mathematics, which is put together in another order."""
    run = ""
    for span in line.spans:
        if span.font.math or span.size < 0.86 * line.size or not _LETTERS.search(span.text):
            if run:
                yield run
            run = ""
        else:
            run += (" " if span.space else "") + span.text
    if run:
        yield run


def _texts(paper: Paper) -> Iterator[str]:
    yield paper.title
    yield paper.authors
    for section in paper.sections:
        yield f"{section.number} {section.title}"
        for block in section.blocks:
            yield getattr(block, "caption", "")
            yield block.text
            for row in getattr(block, "rows", ()):
                yield " ".join(row)
    yield from paper.footnotes
