"""Cells of table rows, by gaps between words and by common columns."""

from __future__ import annotations

from collections.abc import Iterator
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


def table_rows(lines: list[Line], upright: list[Line] | None = None) -> list[tuple[str, ...]]:
    """Return the cells of table lines; a column without an entry in a row is an empty cell.

    Args:
        upright: rotated lines that may be heads of its columns.
    """
    based = [(group[0].box[1], cell_row) for group in _baselines(lines) if (cell_row := _row(group))]
    rows = [row for _, row in based]
    columns = _columns(rows)
    found = [_group_row(row, columns) or _aligned(row, columns) for row in rows]
    if labels := _row_labels(upright or [], lines, columns):
        found = [(_label_of(labels, top, based, number), *row) for number, (top, row) in enumerate(_tops(based, found))]
    heads = _upright_heads(upright or [], lines, columns)
    if not heads or labels:
        return found
    bottom = max(line.box[3] for line in heads)
    above = [row for (top, _), row in zip(based, found, strict=True) if top < bottom and len(row) == len(columns)]
    above.append(_aligned([Cell(line.box[0], line.box[2], line.plain) for line in heads], columns))
    head = tuple(" ".join(filter(None, parts)) for parts in zip(*above, strict=True))
    return [head, *found[len(above) - 1 :]]


def _tops(
    based: list[tuple[float, list[Cell]]], rows: list[tuple[str, ...]]
) -> Iterator[tuple[float, tuple[str, ...]]]:
    return zip((top for top, _ in based), rows, strict=True)


def _row_labels(upright: list[Line], lines: list[Line], columns: list[tuple[float, float]]) -> list[Line]:
    """Rotated lines at the left of a table: names of groups of its rows."""
    if len(columns) < 2 or not lines:
        return []
    top, bottom = min(line.box[1] for line in lines), max(line.box[3] for line in lines)
    inside = [line for line in upright if top - 5 < line.box[1] and line.box[3] < bottom + 5 and len(line.plain) > 1]
    return [line for line in inside if line.box[2] <= columns[0][0] + 2 and columns[0][0] - line.box[2] < 40]


def _label_of(labels: list[Line], top: float, based: list[tuple[float, list[Cell]]], number: int) -> str:
    """The label of the rows that begin at this one: the first whose height it has."""
    here = next((line for line in labels if line.box[1] - 6 <= top <= line.box[3]), None)
    before = number and any(here is line and line.box[1] - 6 <= based[number - 1][0] for line in labels)
    return here.plain if here is not None and not before else ""


def _group_row(row: list[Cell], columns: list[tuple[float, float]]) -> tuple[str, ...]:
    """The name of the rows that follow: one cell of words in the middle of the table; else nothing."""
    if len(row) != 1 or len(columns) < 3 or not any(char.isalpha() for char in row[0].text):
        return ()
    left, right = columns[0][0], columns[-1][1]
    centred = abs(row[0].x0 + row[0].x1 - left - right) < 0.1 * (right - left)
    return (row[0].text, *[""] * (len(columns) - 1)) if centred and row[0].x0 > columns[0][0] + 5 else ()


def _upright_heads(upright: list[Line], lines: list[Line], columns: list[tuple[float, float]]) -> list[Line]:
    """Rotated lines that stand over columns, at most one over each, in their order."""
    if len(columns) < 2 or not lines:
        return []
    top, bottom = min(line.box[1] for line in lines), max(line.box[3] for line in lines)
    inside = [line for line in upright if top - 5 < line.box[3] < bottom and line.box[3] > line.box[1]]
    over = [line for line in inside if any(x0 - 4 < (line.box[0] + line.box[2]) / 2 < x1 + 4 for x0, x1 in columns[1:])]
    return sorted(over, key=lambda line: line.box[0]) if len(over) < len(columns) else []


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
        if len(columns) < 2:
            return tuple(cell.text for cell in row)
        row = _merged(row, len(columns))
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


def _merged(row: list[Cell], count: int) -> list[Cell]:
    """Join the cells with the least room between them until there are as many as columns."""
    cells = list(row)
    while len(cells) > count:
        at = min(range(1, len(cells)), key=lambda index: cells[index].x0 - cells[index - 1].x1)
        before, after = cells[at - 1], cells[at]
        cells[at - 1 : at + 1] = [Cell(before.x0, max(before.x1, after.x1), f"{before.text} {after.text}")]
    return cells


def _distance(cell: Cell, column: tuple[float, float]) -> float:
    """Points between a cell and a column; a little for a cell that reaches over the column's sides."""
    gap = max(column[0] - cell.x1, cell.x0 - column[1], 0.0)
    return gap + 0.01 * abs(cell.x0 - column[0]) if gap else 0.001 * abs(cell.x0 + cell.x1 - column[0] - column[1])
