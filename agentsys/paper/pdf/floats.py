"""Which lines belong to a table, an algorithm or a figure; cells of a table row."""

from __future__ import annotations

from agentsys.paper.pdf.captions import Caption
from agentsys.paper.pdf.layout import Body, Page
from agentsys.paper.pdf.lines import Line, Span, with_scripts

GAP = 0.75
"""Least gap between two cells, in units of the font size (a word space is 0.25 to 0.35)."""


def cells(line: Line) -> list[tuple[float, float, str]]:
    """Split a row at wide gaps: `(x0, x1, text)` of each cell."""
    groups: list[list[Span]] = []
    for span in line.spans:
        if groups and span.x0 - groups[-1][-1].x1 < GAP * line.size:
            groups[-1].append(span)
        else:
            groups.append([span])
    return [
        (group[0].x0, max(span.x1 for span in group), with_scripts(group, line.base, line.size)) for group in groups
    ]


def rows_of(lines: list[Line]) -> list[tuple[str, ...]]:
    """Return the cells of table lines; pieces on one baseline are one row."""
    rows: list[list[Line]] = []
    for line in lines:
        if rows and abs(rows[-1][0].base - line.base) < 0.4 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    result: list[tuple[str, ...]] = []
    for row in rows:
        found = sorted((cell for line in row for cell in cells(line)), key=lambda cell: cell[0])
        result.append(tuple(text for _, _, text in found if text))
    return [row for row in result if row]


def assign(page: Page, captions: list[Caption], body: Body, taken: set[int]) -> dict[int, list[int]]:
    """Return for each caption (by its position in the list) the indices of the lines that belong to its float."""
    used = set(taken)
    for caption in captions:
        used.update(range(caption.first, caption.last + 1))
    owned: dict[int, list[int]] = {}
    for position, caption in enumerate(captions):
        if caption.kind == "figure":
            continue
        below = _run(page, caption.last + 1, 1, used, body, caption.kind)
        above = _run(page, caption.first - 1, -1, used, body, caption.kind)
        chosen = below if len(below) >= len(above) else above
        owned[position] = sorted(chosen)
        used.update(chosen)
    return owned


def _run(page: Page, start: int, step: int, used: set[int], body: Body, kind: str) -> list[int]:
    found: list[int] = []
    last: Line | None = None
    index = start
    while 0 <= index < len(page.lines) and index not in used:
        line = page.lines[index]
        gap = abs(line.base - last.base) if last is not None else 0.0
        if gap > 3.2 * body.leading or (kind == "table" and _prose(line, page, body)):
            break
        if kind == "algorithm" and ((step < 0 and not found and _prose(line, page, body)) or gap > 2.2 * body.leading):
            break
        found.append(index)
        last = line
        index += step
    return found


def _prose(line: Line, page: Page, body: Body) -> bool:
    column = page.width * (0.33 if page.columns == 2 else 0.6)
    wide = line.box[2] - line.box[0] > column
    return wide and len(cells(line)) == 1 and len(line.plain.split()) >= 6
