"""A map of a paper: each section, table, figure and algorithm, appendices too, with a line of what it says."""

from __future__ import annotations

import re
from collections.abc import Collection

from agentsys.paper.model import Algorithm, Block, Equation, Figure, Paper, Section, Table
from agentsys.paper.query import with_children

LINE = 130
"""Characters of what a section or caption says."""
BODY = ("abstract", "body", "other")
"""Kinds of sections that hold a paper's main text."""


def body_sections(paper: Paper) -> list[str]:
    """Return the ids of the main text; where nothing is marked as such, of everything but the bibliography."""
    body = [section.id for section in paper.sections if section.kind in BODY]
    return body or [section.id for section in paper.sections if section.kind != "references"]


def other_sections(paper: Paper) -> list[Section]:
    """Return the sections with words that stand outside the main text: appendices."""
    body = with_children(paper, body_sections(paper))
    return [item for item in paper.sections if item.id not in body and item.kind == "appendix" and item.blocks]


def outline(paper: Paper, shown: Collection[str]) -> str:
    """Return one line for each section and for each float in it; of what is not shown, with what it says.

    Args:
        shown: ids of the sections whose text stands beside the map; they are marked with a plus.
    """
    lines: list[str] = []
    for section in paper.sections:
        if section.kind in ("references", "acknowledgements"):
            continue
        new = section.id not in shown
        mark = "-" if new else "+"
        name = f"{section.number} {section.title}".strip() or section.id
        page = f" (p. {section.page})" if section.page else ""
        lines.append(f"{mark} {'  ' * (section.level - 1)}{name}{page}{_first(section) if new else ''}")
        lines += [
            f"{mark} {'  ' * section.level}{words}" for block in section.blocks if (words := _float(block, said=new))
        ]
    return "\n".join(lines)


def _first(section: Section) -> str:
    """Return how a section begins, and which equations it holds."""
    numbers = [block.number for block in section.blocks if isinstance(block, Equation) and block.number]
    equations = f" [Eq. {', '.join(numbers)}]" if numbers else ""
    text = next((block.text for block in section.blocks if block.type in ("paragraph", "list") and block.text), "")
    return f": {_line(text)}{equations}" if text else equations


def _float(block: Block, *, said: bool) -> str:
    if not isinstance(block, Table | Figure | Algorithm) or not (block.label or block.caption):
        return ""
    kind = type(block).__name__
    if block.label and not said:
        return f"{kind} {block.label}"
    words = re.sub(rf"(?i)^{kind}\s*{re.escape(block.label)}\s*[:.]?\s*", "", block.caption)
    return f"{kind} {block.label}: {_line(words)}".replace(" : ", ": ")


def _line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LINE else f"{words[:LINE].rsplit(' ', 1)[0]} …"
