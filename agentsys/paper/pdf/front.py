"""The front of the first page: what is title and authors, and what is text already."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agentsys.paper.pdf.grids import find_grids, inside
from agentsys.paper.pdf.layout import Body, Page
from agentsys.paper.pdf.lines import Line

ABSTRACT = re.compile(r"^\W*(?:abstract|summary)\b", re.I)
RUN = 4
"""Lines of one left edge and one distance that are running text, however short their words are counted."""


@dataclass(slots=True)
class Front:
    """Lines before the text; `lines` holds their indices on the page."""

    lines: set[int] = field(default_factory=set[int])
    authors: list[Line] = field(default_factory=list[Line])
    """Lines below the title."""
    notices: list[Line] = field(default_factory=list[Line])
    """Lines before the title: the journal, a permission."""


def find_front(page: Page, end: int, title: list[Line], body: Body) -> Front:
    """Find the front of the first page.

    Args:
        end: index of the first heading.
        title: the lines of the title.
    """
    front = Front()
    walled = {index for grid in find_grids(page) for index in inside(grid, page)}
    running = _running(page.lines[:end], body)
    below = not title
    for index, line in enumerate(page.lines[:end]):
        if any(line is part for part in title):
            below = True
            front.lines.add(index)
            continue
        if below and (ABSTRACT.match(line.plain) or index in running):
            break
        if index in running or index in walled:
            continue
        front.lines.add(index)
        (front.authors if below else front.notices).append(line)
    else:
        if end >= len(page.lines):
            # Neither a heading nor running text: nothing says what is a front here, and all but the title is text.
            titles = {index for index in front.lines if any(page.lines[index] is part for part in title)}
            return Front(titles if len(titles) < len(page.lines) else set())
    return front


def _running(lines: list[Line], body: Body) -> set[int]:
    """Indices of running text: lines of nine words and more, and runs of lines that begin at one edge."""
    found = {index for index, line in enumerate(lines) if _wordy(line) and line.size <= 1.15 * body.size}
    start = 0
    for index in range(1, len(lines) + 1):
        if index < len(lines) and _follows(lines[index - 1], lines[index], lines[start]):
            continue
        wide = sum(line.box[2] - line.box[0] > 12 * line.size for line in lines[start:index])
        prose = _lower(" ".join(line.plain for line in lines[start:index]))
        if index - start >= RUN and wide >= index - start - 1 and prose and lines[start].size <= 1.15 * body.size:
            found |= set(range(start, index))
        start = index
    return found


def _wordy(line: Line) -> bool:
    return len(line.plain.split()) >= 9 and _lower(line.plain)


def _lower(text: str) -> bool:
    """True for a sentence: names in a row begin with capitals."""
    words = text.split()
    return sum(word[:1].islower() for word in words) >= 0.5 * len(words)


def _follows(before: Line, line: Line, first: Line) -> bool:
    gap = line.base - before.base
    edge = abs(line.box[0] - before.box[0]) < 2 or (before is first and abs(line.box[0] - before.box[0]) < 25)
    return edge and 0 < gap < 1.6 * line.size and abs(line.size - before.size) < 0.3
