"""Matrices and cases: rows of cells between brackets that are higher than one row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from agentsys.paper.model import Box
from agentsys.paper.pdf.mathitems import SMALL, Item, nearest

CLOSES = {"(": ")", "[": "]", "{": "}", "|": "|", "∥": "∥"}
TALL = 2.1
"""Height of a bracket around several rows, at least, in units of the size."""
ROW = 0.95
"""Distance of the baselines of two rows, at least, in units of the size."""
CELL = 0.9
"""Room between two cells, at least, in units of the size."""
HEAD_ROWS = 3
"""Rows from which on a rule as wide as all of them divides rows, and is no bar of a fraction."""


@dataclass(slots=True)
class Array:
    """Brackets and what stands between them; cases have no closing one."""

    opening: Item
    closing: Item | None
    content: list[Item]

    @property
    def parts(self) -> list[Item]:
        return [self.opening, *self.content, *([self.closing] if self.closing else [])]

    def holds(self, rule: Box) -> bool:
        """True for a rule between the brackets."""
        right = self.closing.x0 if self.closing else max(item.x1 for item in self.content)
        level = self.opening.y0 - 1 <= rule[1] <= self.opening.y1 + 1
        return level and self.opening.x0 <= rule[0] and rule[2] <= right + 2

    def divides(self, rule: Box) -> bool:
        """True for a rule between two rows, which is as wide as they are."""
        x0, x1 = min(item.x0 for item in self.content), max(item.x1 for item in self.content)
        return rule[2] - rule[0] > 0.85 * (x1 - x0) and len(rows_of(self.content)) >= HEAD_ROWS


def find(items: list[Item]) -> Iterator[Array]:
    """Find what may be an array, the inner ones first."""
    tall = [item for item in items if item.text in _BRACKETS and item.y1 - item.y0 > TALL * item.size]
    for opening in sorted(tall, key=lambda item: -item.x0):
        if opening.text not in CLOSES:
            continue
        closing = min((item for item in tall if _pair(opening, item)), key=lambda item: item.x0, default=None)
        if closing is None and opening.text != "{":
            continue
        edge = closing.x0 + 1 if closing else float("inf")
        reach = 0.3 * opening.size
        content = [
            item
            for item in items
            if opening.x1 - 1 <= item.x0 and item.x1 <= edge and opening.y0 - reach <= item.cy <= opening.y1 + reach
            if item is not opening and item is not closing
        ]
        if content:
            yield Array(opening, closing, content)


_BRACKETS = CLOSES.keys() | set(CLOSES.values())


def _pair(opening: Item, other: Item) -> bool:
    fits = other is not opening and other.text == CLOSES[opening.text] and other.x0 >= opening.x1 - 1
    return fits and abs(other.y0 - opening.y0) < 3 and abs(other.y1 - opening.y1) < 3


def rows_of(content: list[Item]) -> list[list[Item]]:
    """Return the rows by their baselines; what stands off them, as scripts do, goes to the nearest."""
    size = max(item.size for item in content)
    lines = [item for item in content if item.axis is not None or (item.size > SMALL * size and not item.floating)]
    bases: list[float] = []
    for place in sorted(_base(item, size) for item in lines or content):
        if not bases or place - bases[-1] > ROW * size:
            bases.append(place)
    rows: list[list[Item]] = [[] for _ in bases]
    for item in content:
        loose = item.axis is None and (item.floating or item.size <= SMALL * size)
        rows[nearest(bases, item.cy + 0.25 * size if loose else _base(item, size))].append(item)
    return [row for row in rows if row]


def _base(item: Item, size: float) -> float:
    return item.base if item.axis is None else item.axis + 0.25 * size


def cells_of(row: list[Item]) -> list[list[Item]]:
    """Return the cells of a row, by the room between them."""
    cells: list[list[Item]] = []
    size, end = max(item.size for item in row), 0.0
    for item in sorted(row, key=lambda item: item.x0):
        if cells and item.x0 - end < CELL * size:
            cells[-1].append(item)
        else:
            cells.append([item])
        end = max(end, item.x1) if cells[-1][0] is not item else item.x1
    return cells


def with_dots(items: list[Item]) -> list[Item]:
    """Put three periods, one above the other, together to one sign: the dots of a matrix."""
    periods = sorted((item for item in items if item.text == "."), key=lambda item: item.base)
    gone: dict[int, Item | None] = {}
    for first in periods:
        chain = [first]
        for other in periods:
            if id(other) not in gone and _under(chain[-1], other):
                chain.append(other)
        if len(chain) != 3 or id(first) in gone:
            continue
        level = all(abs(after.x0 - before.x0) < 1 for before, after in pairwise(chain))
        middle = chain[1]
        left, right = min(item.x0 for item in chain), max(item.x1 for item in chain)
        base = middle.base + 0.15 * middle.size
        dots = Item("⋮" if level else "⋱", left, first.y0, right, chain[2].y1, base, middle.size, first.space)
        gone |= {id(first): dots, id(chain[1]): None, id(chain[2]): None}
    return [found for item in items if (found := gone.get(id(item), item)) is not None] if gone else items


def _under(above: Item, other: Item) -> bool:
    """True for a period as far below another one as in the dots of a matrix."""
    drop = other.base - above.base
    return 0.2 * above.size < drop < 0.6 * above.size and -1 < other.x0 - above.x0 < 0.7 * above.size
