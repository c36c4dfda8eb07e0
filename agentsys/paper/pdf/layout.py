"""What repeats, what is body text, and how many columns a page has."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from agentsys.paper.pdf.lines import Line
from agentsys.paper.pdf.mathfonts import Repair
from agentsys.paper.pdf.wire import RawPage


@dataclass(slots=True)
class Page:
    """A page of lines without its furniture."""

    number: int
    width: float
    height: float
    lines: list[Line]
    raw: RawPage
    repair: Repair = field(default_factory=Repair)
    columns: int = 1
    aside: list[Line] = field(default_factory=list[Line])
    """Lines that are not part of the flow: rotated text."""
    top: float = 0.0
    """Where the room below the running head begins, in points."""
    edges: dict[bool, tuple[float, float] | None] = field(default_factory=dict[bool, "tuple[float, float] | None"])
    """Left and right edge of the columns in points; key: the right one of two."""


@dataclass(frozen=True, slots=True)
class Body:
    """The look of running text."""

    size: float
    font: str
    leading: float
    """Distance of baselines in points."""


def drop_furniture(pages: list[Page]) -> None:
    """Remove running heads, page numbers, stamps and line numbers."""
    for page in pages:
        page.aside = [line for line in page.lines if line.angle]
        page.lines = [line for line in page.lines if not line.angle]
    seen: Counter[tuple[str, int]] = Counter()
    outer = {id(line) for page in pages for line in _outermost(page)}
    for page in pages:
        for key in {_key(line) for line in page.lines if id(line) in outer or _marginal(line, page)}:
            seen[key] += 1
    need = 2 if len(pages) <= 5 else 3
    for page in pages:
        kept: list[Line] = []
        numbers = _line_numbers(page)
        for line in page.lines:
            repeated = (id(line) in outer or _marginal(line, page)) and seen[_key(line)] >= need
            if repeated or _page_number(line, page) or id(line) in numbers:
                if line.box[3] < 0.2 * page.height:
                    page.top = max(page.top, line.box[3] + 1)
            else:
                kept.append(line)
        page.lines = kept
        # A rule under the running head belongs to it.
        under = [rule[3] for rule in page.raw.rules if page.top and page.top - 3 <= rule[1] <= page.top + 12]
        page.top = max([page.top, *under])


def _outermost(page: Page) -> list[Line]:
    """The first and the last line of a page, if they stand in its outer parts: a wide margin moves running heads in."""
    if not page.lines:
        return []
    first = min(page.lines, key=lambda line: line.box[1])
    last = max(page.lines, key=lambda line: line.box[3])
    inside = ((first, first.box[3] < 0.2 * page.height), (last, last.box[1] > 0.8 * page.height))
    return [line for line, outer in inside if outer]


def _marginal(line: Line, page: Page) -> bool:
    return line.box[3] < 0.1 * page.height or line.box[1] > 0.9 * page.height


def _key(line: Line) -> tuple[str, int]:
    return re.sub(r"\d+", "#", line.plain), round(line.base / 4)


def _page_number(line: Line, page: Page) -> bool:
    if not re.fullmatch(r"[-–— ]*(?:page )?(?:\d{1,4}|[ivx]{1,5})(?: of \d+)?[-–— ]*", line.plain, re.I):
        return False
    return line.box[3] < 0.085 * page.height or line.box[1] > 0.915 * page.height


def _line_numbers(page: Page) -> set[int]:
    """Numbers in the margin of review copies: a column of at least ten rising numbers at one x."""
    columns: dict[int, list[Line]] = {}
    for line in page.lines:
        if line.plain.isdecimal() and len(line.plain) <= 4:
            columns.setdefault(round(line.box[2] / 3), []).append(line)
    found: set[int] = set()
    for lines in columns.values():
        values = [int(line.plain) for line in lines]
        steps = sum(after - before == 1 for before, after in pairwise(values))
        outside = all(line.box[2] < 0.13 * page.width or line.box[0] > 0.87 * page.width for line in lines)
        if len(lines) >= 10 and steps >= 0.9 * (len(lines) - 1) and outside:
            found |= {id(line) for line in lines}
    return found


def body_style(pages: list[Page]) -> Body:
    """Return size, font and leading of most of the paper's letters."""
    sizes: Counter[float] = Counter()
    fonts: Counter[str] = Counter()
    for page in pages:
        for line in page.lines:
            if len(line.plain) > 20:
                sizes[round(line.size * 4) / 4] += len(line.plain)
    size = sizes.most_common(1)[0][0] if sizes else 10.0
    gaps: Counter[float] = Counter()
    for page in pages:
        for line, after in pairwise(page.lines):
            if abs(line.size - size) < 0.3 and len(line.plain) > 20:
                fonts[line.font.name] += len(line.plain)
                gap = after.base - line.base
                if 0.8 * size < gap < 2.2 * size:
                    gaps[round(gap * 4) / 4] += 1
    leading = gaps.most_common(1)[0][0] if gaps else 1.2 * size
    return Body(size, fonts.most_common(1)[0][0] if fonts else "", leading)


def count_columns(page: Page, body: Body) -> int:
    """Return 2 where full body lines stand side by side in halves of the page, else 1."""
    long = [line for line in page.lines if len(line.plain) > 15 and abs(line.size - body.size) < 1.2]
    if len(long) < 8:
        return 1
    middle = page.width / 2
    left = sum(line.box[2] < middle + 8 and line.box[0] < middle - 60 for line in long)
    right = sum(line.box[0] > middle - 8 for line in long)
    across = sum(line.box[0] < middle - 40 and line.box[2] > middle + 40 for line in long)
    return 2 if min(left, right) >= 4 and left + right > across else 1


def column_of(page: Page, line: Line) -> tuple[float, float]:
    """Return left and right edge in points of the column that a line stands in."""
    on_right = page.columns == 2 and line.box[0] > page.width / 2 - 12
    if on_right not in page.edges:
        page.edges[on_right] = _column_edges(page, on_right)
    return page.edges[on_right] or (line.box[0], line.box[2])


def _column_edges(page: Page, on_right: bool) -> tuple[float, float] | None:
    lines = [item for item in page.lines if len(item.plain) > 15]
    if page.columns == 2:
        start = page.width / 2 - 12
        narrow = [item for item in lines if item.box[2] - item.box[0] < 0.55 * page.width]
        lines = [item for item in narrow if (item.box[0] > start) == on_right]
    if not lines:
        return None
    return _edge([item.box[0] for item in lines], low=True), _edge([item.box[2] for item in lines], low=False)


def _edge(values: list[float], *, low: bool) -> float:
    """The edge where most lines begin (or end): robust against single lines that stick out."""
    counts: dict[int, int] = {}
    for value in values:
        counts[round(value / 2)] = counts.get(round(value / 2), 0) + 1
    enough = [key for key, count in counts.items() if count >= max(2, 0.15 * len(values))] or list(counts)
    return 2.0 * (min(enough) if low else max(enough))
