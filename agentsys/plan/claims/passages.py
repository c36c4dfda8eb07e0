"""A paper as passages with names: where a quotation stands, and what stands at a place that somebody names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from agentsys.paper.model import Algorithm, Block, Code, Equation, Figure, ListBlock, Paper, Section, Table
from agentsys.paper.named import named_blocks
from agentsys.paper.query import SHORTEST_QUOTE, find_section, letters, stands_in, with_children
from agentsys.plan.claims.claim import Quote
from agentsys.plan.claims.numerals import Numeral, numerals, same

_SHORTEST_AT_PLACE = 4
"""Letters and digits of a quotation that is looked for at one place, where it holds a number."""
_WINDOW = 3
"""Passages that a quotation may run across, e.g. a sentence around a display equation."""
_STATEMENT = re.compile(
    r"(?i)\b(theorem|lemma|proposition|corollary|definition|assumption|remark|claim|conjecture)s?\s*~?(\d+(?:\.\d+)*|[A-Z]\.?\d*)\b"
)
_BEHIND = 4
"""Passages behind the first words of a theorem that may still belong to it, its first included."""
_SECTION = re.compile(
    r"(?:\b(?:[Ss]ections?|[Ss]ec\.?|[Aa]ppendix|[Aa]pp\.)|§)\s*~?(?:\d+(?:\.\d+)*|[A-Z](?:\.\d+)*\b|[IVX]+\b)"
)
_LABEL = re.compile(r"[A-Z]?\.?\d+(?:\.\d+)*")
_SEVERAL = re.compile(
    r"\b(Tables?|Figures?|Sections?|Theorems?|Lemmas?|Equations?|Algorithms?)\s(\(?[A-Z]?\.?\d[\d.]*\)?(?:(?:,\s?|\s?&\s?|,?\sand\s)"
    r"\(?[A-Z]?\.?\d[\d.]*\)?)+)"
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z(\[\"“])")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|al|Fig|Figs|Eq|Eqs|Sec|Tab|Alg|resp|vs|approx|Thm|Prop|no)|\b[A-Z])\.$"
)


@dataclass(frozen=True)
class Line:
    """A sentence, a row of a table or a formula, with the words that say what it is about."""

    text: str
    about: str
    head: str = ""
    """First row of the table."""


@dataclass(frozen=True)
class Passage:
    """One block of the paper under the name a reader gives it."""

    id: str
    place: str
    section: str
    page: int | None
    lines: tuple[Line, ...]
    text: str

    @cached_property
    def letters(self) -> str:
        return letters(self.text)

    @cached_property
    def numerals(self) -> list[Numeral]:
        return numerals(self.text)


class Passages:
    """The passages of a paper in reading order, its bibliography left out."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self.all: tuple[Passage, ...] = tuple(_passages(paper))

    def at(self, place: str, *, sections: bool = True) -> tuple[Passage, ...]:
        """Return the passages that a place names (`Table 2`, `Section 4.1, Eq. (3)`, `Abstract`, a title).

        Args:
            sections: False leaves out what only a section says: a whole one holds any number.
        """
        place = _single(place)
        blocks = {block.id for block in named_blocks(self._paper, place)}
        starts = [f"{kind} {number}".casefold() for kind, number in _STATEMENT.findall(place)]
        refs = self._sections(place)
        if not (blocks or starts or refs):
            refs = [place]
        named = [section.id for ref in refs if (section := find_section(self._paper, ref)) is not None]
        within = with_children(self._paper, named) if sections else set[str]()
        rest = 0
        found: list[Passage] = []
        for passage in self.all:
            # The formulas of a theorem are blocks of their own behind its first words.
            begins = passage.place.casefold() in starts
            rest = _BEHIND if begins else rest - 1 if _goes_on(passage) else 0
            exact = sections and passage.place.casefold() == place.casefold()
            if exact or rest > 0 or passage.id in blocks or passage.section in within:
                found.append(passage)
        return tuple(found)

    def holding(self, words: str, among: Sequence[Passage] | None = None) -> tuple[Passage, ...]:
        """Return the first passages, next to each other, in which a quotation stands with its numbers; or none.

        Args:
            among: look only there; a quotation may then be shorter.
        """
        passages = self.all if among is None else among
        numbers = numerals(words)
        shortest = _SHORTEST_AT_PLACE if among is not None and numbers else SHORTEST_QUOTE
        for width in range(1, _WINDOW + 1):
            for start in range(len(passages) - width + 1):
                window = tuple(passages[start : start + width])
                if _holds(window, words, numbers, shortest):
                    return window
        return ()

    def quote(self, place: str, words: str) -> Quote | None:
        """Return a quotation with the place where it really stands; None where it stands nowhere."""
        window = self.holding(words, self.at(place))
        if window:
            return Quote(place=place, words=words, page=window[0].page)
        window = self.holding(words)
        return Quote(place=window[0].place, words=words, page=window[0].page) if window else None

    def lines(self) -> Iterator[tuple[Passage, Line]]:
        for passage in self.all:
            for line in passage.lines:
                yield passage, line

    def _sections(self, place: str) -> list[str]:
        found: list[str] = _SECTION.findall(place)
        names = [section.title for section in self._paper.sections if section.kind == "abstract"]
        return found + (names or ["abstract"] if re.search(r"(?i)\babstract\b", place) else [])


def _single(place: str) -> str:
    """Return a place without parts of figures, each with its kind: `Table 2, Table 3` for `Tables 2 and 3a`."""

    def each(found: re.Match[str]) -> str:
        return ", ".join(f"{found[1].removesuffix('s')} {number}" for number in _LABEL.findall(found[2]))

    return _SEVERAL.sub(each, re.sub(r"(\d)(?:[a-z]|\s?\([a-z]\))(?!\w)", r"\1", place))


def _goes_on(passage: Passage) -> bool:
    return passage.place.startswith(("Eq.", "Section", "Appendix")) and not passage.text.startswith("Proof")


def _holds(window: Sequence[Passage], words: str, numbers: Sequence[Numeral], shortest: int) -> bool:
    if not stands_in(words, "".join(passage.letters for passage in window), shortest):
        return False
    there = [number for passage in window for number in passage.numerals]
    return all(any(same(number, other) for other in there) for number in numbers)


def _passages(paper: Paper) -> Iterator[Passage]:
    if paper.title:
        yield _plain("title", "Title", paper.title)
    if paper.abstract and not any(section.kind == "abstract" for section in paper.sections):
        yield _plain("abstract", "Abstract", paper.abstract)
    for section in paper.sections:
        if section.kind not in ("references", "acknowledgements"):
            for block in section.blocks:
                yield _passage(block, section)
    for number, note in enumerate(paper.footnotes, 1):
        yield _plain(f"footnote{number}", f"Footnote {number}", note)


def _plain(name: str, place: str, text: str) -> Passage:
    return Passage(name, place, name, 1 if name == "title" else None, _sentences(text), text)


def _passage(block: Block, section: Section) -> Passage:
    lines, text = _content(block)
    return Passage(block.id, _place(block, section), section.id, block.page or section.page, lines, text)


def _place(block: Block, section: Section) -> str:
    match block:
        case Table() | Figure() | Algorithm() if block.label:
            return f"{type(block).__name__} {block.label}"
        case Equation() if block.number:
            return f"Eq. ({block.number})"
        case _:
            if start := _STATEMENT.match(block.text.lstrip("*_ ")):
                return f"{start[1].capitalize()} {start[2]}"
            return _section_name(section)


def _section_name(section: Section) -> str:
    if section.kind == "abstract":
        return "Abstract"
    if section.number:
        lettered = section.kind == "appendix" or re.match(r"[A-HJ-UWYZ](?:\.|$)", section.number)
        return f"{'Appendix' if lettered else 'Section'} {section.number}"
    return section.title or "Front matter"


def _content(block: Block) -> tuple[tuple[Line, ...], str]:
    match block:
        case Table() | Figure() if block.rows:
            lines = (*_sentences(block.caption), *_rows(block.rows, block.caption))
            cells = "\n".join(" | ".join(row) for row in block.rows)
            return lines, f"{block.caption}\n{cells}"
        case Table() | Figure():
            lines = (*_sentences(block.caption), *(Line(row, block.caption) for row in block.text.splitlines() if row))
            return lines, f"{block.caption}\n{block.text}"
        case Algorithm():
            body = "\n".join(line.text for line in block.lines) or block.text
            return tuple(Line(row, block.caption) for row in body.splitlines() if row), f"{block.caption}\n{body}"
        case Equation():
            text = "\n".join(dict.fromkeys(part for part in (block.latex or "", block.text) if part))
            return (Line(block.text or text, ""),), text
        case ListBlock():
            return tuple(line for item in block.items for line in _sentences(item)), block.text or "\n".join(
                block.items
            )
        case Code():
            return (), block.text
        case _:
            return _sentences(block.text), block.text


def _rows(rows: Sequence[Sequence[str]], caption: str) -> Iterator[Line]:
    head = " | ".join(rows[0])
    for row in rows[1:] or rows:
        yield Line(" | ".join(row), f"{caption} {head}", head)


def _sentences(text: str) -> tuple[Line, ...]:
    parts: list[str] = []
    for piece in _SENTENCE.split(" ".join(text.split())):
        if parts and _ABBREVIATED.search(parts[-1]):
            parts[-1] += f" {piece}"
        elif piece:
            parts.append(piece)
    return tuple(Line(part, "") for part in parts)
