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
    full = [row for row in rows if len(row) == most]
    if len(full) < 2 or most < 2:
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
    """Put cells into columns in their order, each as near to its column as can be."""
    if len(columns) < len(row):
        return tuple(cell.text for cell in row)
    # best[i][j]: least distance of the first i cells in the first j columns, and whether cell i stands in column j.
    best = [[(0.0, False)] * (len(columns) + 1)]
    for position, cell in enumerate(row, 1):
        line = [(float("inf"), False)] * (len(columns) + 1)
        for number in range(position, len(columns) + 1):
            placed = best[-1][number - 1][0] + _distance(cell, columns[number - 1])
            skipped = line[number - 1][0]
            line[number] = (placed, True) if placed < skipped - 1e-9 else (skipped, False)
        best.append(line)
    result = [""] * len(columns)
    number = len(columns)
    for position in range(len(row), 0, -1):
        while not best[position][number][1]:
            number -= 1
        number -= 1
        result[number] = row[position - 1].text
    return tuple(result)


def _distance(cell: Cell, column: tuple[float, float]) -> float:
    """Points between a cell and a column; a little for a cell that reaches over the column's sides."""
    gap = max(column[0] - cell.x1, cell.x0 - column[1], 0.0)
    return gap + 0.01 * abs(cell.x0 - column[0]) if gap else 0.001 * abs(cell.x0 + cell.x1 - column[0] - column[1])
