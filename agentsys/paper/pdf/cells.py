"""Cells of table rows, by gaps between words and by common columns."""

from __future__ import annotations

from dataclasses import dataclass

from agentsys.paper.pdf.fonts import Span
from agentsys.paper.pdf.lines import Line, with_scripts

GAP = 0.62
"""Least gap between two cells, in units of the font size (a word space is 0.25 to 0.35)."""


@dataclass(slots=True)
class Cell:
    """Words of one cell with their horizontal extent in points."""

    x0: float
    x1: float
    text: str


def split(line: Line) -> list[Cell]:
    """Split a row at wide gaps."""
    groups: list[list[Span]] = []
    for span in line.spans:
        if groups and span.x0 - max(item.x1 for item in groups[-1]) < GAP * line.size:
            groups[-1].append(span)
        else:
            groups.append([span])
    return [
        Cell(group[0].x0, max(span.x1 for span in group), with_scripts(group, line.base, line.size)) for group in groups
    ]


def table_rows(lines: list[Line]) -> list[tuple[str, ...]]:
    """Return the cells of table lines; a column without an entry in a row is an empty cell."""
    rows = [cell_row for cell_row in map(_row, _baselines(lines)) if cell_row]
    columns = _columns(rows)
    return [_aligned(row, columns) for row in rows]


def _baselines(lines: list[Line]) -> list[list[Line]]:
    """Lines on one baseline are one row."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda item: (round(item.base, 1), item.box[0])):
        if rows and abs(rows[-1][0].base - line.base) < 0.35 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    return rows


def _row(lines: list[Line]) -> list[Cell]:
    return sorted((cell for line in lines for cell in split(line) if cell.text), key=lambda cell: cell.x0)


def _columns(rows: list[list[Cell]]) -> list[tuple[float, float]]:
    """Return the extents of the columns, from the rows with most cells."""
    most = max((len(row) for row in rows), default=0)
    full = [row for row in rows if len(row) >= max(2, 0.6 * most)]
    spans = sorted((cell.x0, cell.x1) for row in full for cell in row)
    columns: list[list[float]] = []
    for x0, x1 in spans:
        if columns and x0 < columns[-1][1] - 1:
            columns[-1][1] = max(columns[-1][1], x1)
        else:
            columns.append([x0, x1])
    return [(column[0], column[1]) for column in columns]


def _aligned(row: list[Cell], columns: list[tuple[float, float]]) -> tuple[str, ...]:
    """Put cells into columns; where two fall into one, the row keeps its own cells."""
    if len(columns) < len(row):
        return tuple(cell.text for cell in row)
    placed = [""] * len(columns)
    for cell in row:
        overlaps = [min(cell.x1, x1) - max(cell.x0, x0) for x0, x1 in columns]
        best = max(
            range(len(columns)),
            key=lambda index: (overlaps[index] > 0, -index) if overlaps[index] > 0 else (False, overlaps[index]),
        )
        if placed[best]:
            return tuple(cell.text for cell in row)
        placed[best] = cell.text
    return tuple(placed)
