"""What a place such as `2.2, A.1`, `Sections 3.1 to 3.3` or `Table 5` names: sections, equations, tables, figures."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentsys.paper.model import Algorithm, Block, Equation, Figure, Paper, Section, Table
from agentsys.paper.query import find_section, plain

_REF = re.compile(
    r"\b(eq(?:uation|n)?|tab(?:le)?|fig(?:ure)?|alg(?:orithm)?)s?\b\.?\s*\(?([A-Z]?\.?\d+(?:\.\d+)*|[IVX]+)\b",
    re.IGNORECASE,
)
_KINDS: dict[str, type[Block]] = {"eq": Equation, "ta": Table, "fi": Figure, "al": Algorithm}
_BETWEEN = re.compile(r"\s*(?:[,;/&+]|\band\b)\s*")
_NUMBER = r"(\d+(?:\.\d+)*|[A-Z](?:\.\d+)*)"
_RANGE = re.compile(rf"(?<![\w.]){_NUMBER}\s*(?:-|\u2013|\u2014|\bto\b)\s*{_NUMBER}(?![\w.])")
_NUMBERED = re.compile(r"(?<![\w.])(?:\d+(?:\.\d+)*|[A-Z](?:\.\d+)*|[IVX]+)\.?(?!\w)")

Referable = Equation | Table | Figure | Algorithm


def find_sections(paper: Paper, ref: str) -> list[Section]:
    """Return every section that a place names (`2.2, A.1`, `3.1-3.3`, `Method and Appendix B`), in its order."""
    whole = plain(ref)
    if title := [section for section in paper.sections if whole and plain(section.title) == whole]:
        return title[:1]
    parts = [part for part in _BETWEEN.split(ref) if part.strip()]
    if len(parts) > 1 and any(_NUMBERED.search(part) for part in parts):
        found = [section for part in parts for section in _one(paper, part)]
    else:
        found = _one(paper, ref)
    return list({section.id: section for section in found}.values())


def _one(paper: Paper, ref: str) -> list[Section]:
    if (span := _RANGE.search(ref)) is not None:
        first, last = (find_section(paper, number) for number in span.groups())
        if first is not None and last is not None:
            ids = [section.id for section in paper.sections]
            return list(paper.sections[ids.index(first.id) : ids.index(last.id) + 1])
    found = find_section(paper, ref) if not references(ref) else None
    return [found] if found is not None else []


def named_blocks(paper: Paper, text: str) -> list[Referable]:
    """Return the equations, tables, figures and algorithms that a text names by number, in the paper's order."""
    wanted = set(references(text))
    return [block for block in referable(paper) if reference(block) in wanted]


def referable(paper: Paper) -> Iterator[Referable]:
    """Yield every block that may be named by a number."""
    return (block for block in paper.blocks() if isinstance(block, Referable))


def reference(block: Referable) -> tuple[str, str]:
    """Return kind and number under which a block is named."""
    return next(kind for kind, made in _KINDS.items() if isinstance(block, made)), label(block)


def label(block: Referable) -> str:
    """Return a block's number as printed, or nothing."""
    words = (block.number if isinstance(block, Equation) else block.label).split()
    return _number(words[-1]) if words else ""


def references(text: str) -> list[tuple[str, str]]:
    """Return kind and number of all that a text names, in its order."""
    return [(found[1].lower()[:2], _number(found[2])) for found in _REF.finditer(text)]


def _number(text: str) -> str:
    return text.strip("().:").upper()
