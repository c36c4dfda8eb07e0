"""Tables whose cells have walls: the drawn lines say what belongs to which cell, however long its words are."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from agentsys.paper.model import Box, around
from agentsys.paper.pdf.fonts import Span
from agentsys.paper.pdf.layout import Page
from agentsys.paper.pdf.lines import Line, with_scripts

TOUCH = 2.5
"""Points within which two lines meet."""
MOST = 700
"""Lines of a page beyond which it is a drawing."""
FILLED = 0.4
"""Least share of cells with words: the grid of a plot has none."""


@dataclass(slots=True)
class Grid:
    """A table with walls; coordinates in points."""

    box: Box
    xs: list[float]
    """Where its columns are divided, both ends among them."""
    ys: list[float]
    walls: list[Box]


def find_grids(page: Page) -> list[Grid]:
    """Return the grids of a page with at least two columns, two rows and words in many cells."""
    walls = [box for box in page.raw.drawings if box[2] - box[0] < 2.5 and box[3] - box[1] > 5]
    rules = [box for box in page.raw.rules if box[2] - box[0] > 8]
    if not len(walls) >= 3 or len(walls) + len(rules) > MOST:
        return []
    grids: list[Grid] = []
    for part in _joined([*walls, *rules]):
        upright = [box for box in part if box[2] - box[0] < 2.5]
        level = [box for box in part if box[2] - box[0] >= 2.5]
        xs = _places([(box[0] + box[2]) / 2 for box in upright])
        ys = _places([(box[1] + box[3]) / 2 for box in level])
        if len(xs) >= 3 and len(ys) >= 3:
            grid = Grid(around(part), xs, ys, upright)
            if _worded(grid, page):
                grids.append(grid)
    return grids


def inside(grid: Grid, page: Page) -> list[int]:
    """Indices of the lines in a grid."""
    x0, y0, x1, y1 = grid.box
    found: list[int] = []
    for index, line in enumerate(page.lines):
        x, y = (line.box[0] + line.box[2]) / 2, (line.box[1] + line.box[3]) / 2
        if x0 <= x <= x1 and y0 <= y <= y1 and line.box[0] >= x0 - 3 and line.box[2] <= x1 + 3:
            found.append(index)
    return found


def rows_of(grid: Grid, lines: list[Line]) -> list[tuple[str, ...]]:
    """Return the cells. A cell that covers several columns stands in the first of them."""
    rows: list[tuple[str, ...]] = []
    for top, bottom in pairwise(grid.ys):
        middle = (top + bottom) / 2
        edges = [x for x in grid.xs if _wall_at(grid, x, middle)]
        band = [line for line in lines if top <= (line.box[1] + line.box[3]) / 2 < bottom]
        if not band:
            continue
        for part in _parted(band, edges):
            cells = [""] * (len(grid.xs) - 1)
            for line in part:
                for column, spans in _columns(line, edges, grid.xs).items():
                    largest = max(spans, key=lambda span: span.size)
                    words = with_scripts(spans, largest.base, largest.size)
                    cells[column] = _added(cells[column], words)
            rows.append(tuple(cells))
    return rows


def complete(grid: Grid, lines: list[Line]) -> bool:
    """True unless many cells hold words that stand apart as in columns: then not all columns have walls."""
    apart = 0
    for line in lines:
        edges = [x for x in grid.xs if _wall_at(grid, x, (line.box[1] + line.box[3]) / 2)]
        spans = _columns(line, edges, grid.xs).values()
        gaps = (after.x0 - before.x1 for part in spans for before, after in pairwise(part))
        apart += any(gap > 1.2 * line.size for gap in gaps)
    return apart <= 0.25 * len(lines)


def _added(cell: str, words: str) -> str:
    if cell.endswith("-") and words[:1].islower():
        return cell[:-1] + words
    return f"{cell} {words}".strip()


def _parted(band: list[Line], edges: list[float]) -> list[list[Line]]:
    """Rows without a rule between them: every column with words has one entry at each height."""
    levels: list[list[Line]] = []
    for line in sorted(band, key=lambda item: (item.base, item.box[0])):
        if levels and line.base - levels[-1][0].base < 0.5 * line.size:
            levels[-1].append(line)
        else:
            levels.append([line])
    counts = [len(set(_columns_of(level, edges))) for level in levels]
    full = max(counts) >= 3 and all(count >= max(3, 0.6 * max(counts)) for count in counts)
    values = min(counts) >= 2 and all(_of_numbers(level, edges) for level in levels)
    return levels if full or values else [[line for level in levels for line in level]]


def _of_numbers(level: list[Line], edges: list[float]) -> bool:
    """True if every entry but the first column's holds a number: words that were broken into lines do not."""
    words: dict[int, str] = {}
    for line in level:
        for span in line.spans:
            column = _column((span.x0 + span.x1) / 2, edges)
            words[column] = words.get(column, "") + span.text
    rest = [text for column, text in words.items() if column]
    return bool(rest) and all(any(char.isdecimal() for char in text) for text in rest)


def _columns_of(level: list[Line], edges: list[float]) -> list[int]:
    return [_column((span.x0 + span.x1) / 2, edges) for line in level for span in line.spans]


def _columns(line: Line, edges: list[float], xs: list[float]) -> dict[int, list[Span]]:
    """The words of a line by the columns that they begin in."""
    found: dict[int, list[Span]] = {}
    for span in line.spans:
        left = edges[_column((span.x0 + span.x1) / 2, edges)]
        column = min(range(len(xs)), key=lambda index: abs(xs[index] - left))
        found.setdefault(min(column, len(xs) - 2), []).append(span)
    return found


def _column(x: float, edges: list[float]) -> int:
    return max((index for index, edge in enumerate(edges[:-1]) if edge <= x + 1), default=0)


def _wall_at(grid: Grid, x: float, y: float) -> bool:
    outer = x in (grid.xs[0], grid.xs[-1])
    return outer or any(abs((wall[0] + wall[2]) / 2 - x) < TOUCH and wall[1] <= y <= wall[3] for wall in grid.walls)


def _worded(grid: Grid, page: Page) -> bool:
    rows = rows_of(grid, [page.lines[index] for index in inside(grid, page)])
    filled = sum(bool(cell) for row in rows for cell in row)
    return len(rows) >= 2 and filled >= max(4, FILLED * sum(len(row) for row in rows))


def _places(values: list[float]) -> list[float]:
    """Distinct places; those within reach of each other are one."""
    found: list[float] = []
    for value in sorted(values):
        if not found or value - found[-1] > TOUCH:
            found.append(value)
    return found


def _joined(boxes: list[Box]) -> list[list[Box]]:
    """Lines that meet, together."""
    waiting = sorted(boxes)
    groups: list[list[Box]] = []
    while waiting:
        group = [waiting.pop()]
        for box in group:
            near = [other for other in waiting if _meet(box, other)]
            group.extend(near)
            waiting = [other for other in waiting if other not in near] if near else waiting
        groups.append(group)
    return groups


def _meet(one: Box, other: Box) -> bool:
    return (
        one[0] - TOUCH <= other[2]
        and other[0] <= one[2] + TOUCH
        and one[1] - TOUCH <= other[3]
        and other[1] <= one[3] + TOUCH
    )
