"""From lines to blocks: paragraphs, equations, tables, algorithms, figures, lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from agentsys.paper.model import (
    Algorithm,
    Block,
    Box,
    Equation,
    Figure,
    ListBlock,
    Paragraph,
    Reference,
    Table,
)
from agentsys.paper.pdf import cells, displays, equations
from agentsys.paper.pdf.fonts import Span
from agentsys.paper.pdf.grids import Grid, complete, rows_of
from agentsys.paper.pdf.layout import Body, Page, column_of
from agentsys.paper.pdf.lines import Line, box_of, items_of
from agentsys.paper.pdf.mathlayout import linear
from agentsys.paper.pdf.numbered import join_numbers
from agentsys.paper.pdf.regions import Regions
from agentsys.paper.pdf.steps import indented
from agentsys.paper.pdf.trust import well_formed
from agentsys.paper.pdf.words import Vocabulary, join_lines, tidy, undivided

BULLET = re.compile(r"^(?:[•‣◦▪–∗·●○■]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])\s+(?=\S)")


SIGNS = frozenset("•‣◦▪–∗·●○■")
"""Marks of items that have no number."""


class Stream:
    """The running text of a section, and the floats that stand in it."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.floats: list[tuple[int, list[Block]]] = []

    def put_float(self, blocks: list[Block]) -> None:
        """Place a float after the text read so far."""
        self.floats.append((len(self.lines), blocks))


class BlockBuilder:
    """Makes the blocks of a paper, with ids that run on."""

    def __init__(self, body: Body, vocabulary: Vocabulary, guesses: Callable[[str], bool] = lambda _: False) -> None:
        self.body = body
        self.vocabulary = vocabulary
        self.guesses = guesses
        self.numbers = equations.Numbers()
        self.footnotes: list[str] = []
        self.references: list[Reference] = []
        self.count = 0

    def next_id(self) -> str:
        self.count += 1
        return f"b{self.count}"

    def float_blocks(self, page: Page, regions: Regions, position: int) -> list[Block]:
        """Make the block of a caption and its lines; numbered equations in a table follow it."""
        caption = regions.captions[position]
        lines = [page.lines[index] for index in regions.owned[position]]
        caption_lines = page.lines[caption.first : caption.last + 1]
        raw = tuple(tidy(line.text) for line in lines)
        base = {
            "id": self.next_id(),
            "page": page.number,
            "bbox": box_of([*lines, *caption_lines]),
            "label": caption.label,
            "caption": join_lines(caption_lines, self.vocabulary),
            "text": "\n".join(raw),
        }
        grid = regions.grids.get(position)
        walled = grid is not None and complete(grid, lines)
        found = rows_of(grid, lines) if grid and walled else cells.table_rows(lines, page.aside)
        rows = undivided(found, self.vocabulary)
        if caption.kind == "table":
            listed = self._equations_in(page, lines)
            if len(listed) > 1:
                rows = tuple((label, equation.text, f"({equation.number})") for label, equation in listed)
            confidence = 0.8 if rows else 0.3
            table = Table.model_validate({**base, "rows": rows, "raw_lines": raw, "confidence": confidence})
            return [table, *(equation for _, equation in listed)]
        if caption.kind == "algorithm":
            steps = indented(lines, page.raw.rules)
            text = "\n".join("  " * step.indent + step.text for step in steps)
            return [Algorithm.model_validate({**base, "lines": steps, "text": text})]
        tabular = _tabular(page, regions.boxes[position], rows)
        box = regions.boxes[position]
        raw = (*raw, *(tidy(line.plain) for line in page.aside if _within(line, box)))
        words = "\n".join(line for line in raw if "\ufffd" * 3 not in line)
        base["bbox"] = box if box[3] - box[1] > 12 else base["bbox"]
        return [Figure.model_validate({**base, "text": words, "rows": rows if tabular else ()})]

    def loose_table(self, page: Page, grid: Grid, indices: list[int]) -> list[Block]:
        """Make the block of a table that has walls and no caption."""
        lines = [page.lines[index] for index in indices]
        found = rows_of(grid, lines) if complete(grid, lines) else cells.table_rows(lines, page.aside)
        rows = undivided(found, self.vocabulary)
        raw = tuple(tidy(line.text) for line in lines)
        text = "\n".join(raw)
        return [
            Table(
                id=self.next_id(), page=page.number, bbox=grid.box, text=text, rows=rows, raw_lines=raw, confidence=0.8
            )
        ]

    def _equations_in(self, page: Page, lines: list[Line]) -> list[tuple[str, Equation]]:
        """Numbered equations that are typeset as rows of a table, each with the words at the left of its row."""
        marks = [line for line in lines if self.numbers.of(line)]
        if not marks:
            return []
        # A table with one numbered row among others is no list of equations: the rest is not part of it.
        parts = equations.by_number(lines, self.numbers) if len(marks) > 1 else [marks]
        found: list[tuple[str, Equation]] = []
        for part in parts:
            label, rest = _without_label(part)
            found.append((label, self._equation(page, rest)))
        return found

    def stream_blocks(self, stream: Stream, pages: dict[int, Page]) -> list[Block]:
        """Make the blocks of a section; a float stands after the block in which it was met."""
        blocks: list[Block] = []
        waiting = list(stream.floats)
        done = 0
        for kind, group in join_numbers(split(pages, stream.lines, self.body, self.numbers), self.numbers):
            self._add(blocks, kind, group, pages)
            done += len(group)
            while waiting and waiting[0][0] < done:
                blocks.extend(waiting.pop(0)[1])
        for _, floats in waiting:
            blocks.extend(floats)
        return blocks

    def _add(self, blocks: list[Block], kind: str, group: list[Line], pages: dict[int, Page]) -> None:
        page = pages[group[0].page]
        if kind == "equation":
            blocks.extend(self._equation(page, part) for part in equations.by_number(group, self.numbers))
        elif kind == "item" and blocks and isinstance(blocks[-1], ListBlock) and _goes_on(blocks[-1], group):
            blocks[-1] = self._more(blocks[-1], group)
        elif kind == "item":
            blocks.append(self._list(page, group))
        else:
            text = join_lines(group, self.vocabulary)
            if text:
                here = [line for line in group if line.page == page.number]
                blocks.append(Paragraph(id=self.next_id(), page=page.number, bbox=box_of(here), text=text))

    def _equation(self, page: Page, lines: list[Line]) -> Equation:
        number = next((found for line in lines if (found := self.numbers.of(line))), "")
        spans = [span for line in lines for span in equations.without_number(line, self.numbers.of(line))]
        text = tidy(linear(items_of(spans), page.raw.rules)) if spans else ""
        # A glyph without a meaning makes the whole doubtful; a picture of it is handed over as well.
        trusted = bool(text) and "\ufffd" not in text and well_formed(text) and not page.raw.guessed
        trusted = trusted and not any(self.guesses(span.font.name) for span in spans)
        return Equation(
            id=self.next_id(),
            page=page.number,
            bbox=box_of(lines) if text else _room_around(page, lines),
            text=text,
            number=number,
            trusted=trusted,
            confidence=0.8 if trusted else 0.3,
        )

    def _list(self, page: Page, lines: list[Line]) -> ListBlock:
        text = join_lines(lines, self.vocabulary)
        ordered = not BULLET.match(text) or text[:1].isalnum() or text.startswith("(")
        items = (BULLET.sub("", text),)
        return ListBlock(
            id=self.next_id(), page=page.number, bbox=box_of(lines), text=text, items=items, ordered=ordered
        )

    def _more(self, block: ListBlock, lines: list[Line]) -> ListBlock:
        text = join_lines(lines, self.vocabulary)
        items = (*block.items, BULLET.sub("", text))
        return block.model_copy(update={"items": items, "text": f"{block.text}\n{text}"})


def _goes_on(block: ListBlock, group: list[Line]) -> bool:
    """True unless a numbered item follows on bullets, or the other way round: that is a list within a list."""
    marks = BULLET.match(block.text), BULLET.match(group[0].plain)
    return bool(marks[0]) != bool(marks[1]) or len({bool(mark and mark[0][:1] in SIGNS) for mark in marks}) == 1


def split(
    pages: dict[int, Page], lines: Sequence[Line], body: Body, numbers: equations.Numbers
) -> list[tuple[str, list[Line]]]:
    """Return `(kind, lines)` groups, kind `paragraph`, `item` or `equation`."""
    groups: list[tuple[str, list[Line]]] = []
    display = displays.find(pages, lines, body, numbers)
    for line, shown in zip(lines, display, strict=True):
        page = pages[line.page]
        left, right = column_of(page, line)
        last_kind, last = groups[-1] if groups else ("", [])
        if shown:
            if last_kind == "equation" and displays.beside(line, last, body):
                last.append(line)
            else:
                groups.append(("equation", [line]))
        elif BULLET.match(line.plain) and _starts_item(line, last, left, body):
            groups.append(("item", [line]))
        elif last and last_kind != "equation" and _continues(page, last, line, left, right, body, last_kind):
            last.append(line)
        else:
            groups.append(("paragraph", [line]))
    return groups


def _starts_item(line: Line, last: list[Line], left: float, body: Body) -> bool:
    mark = line.plain[:1]
    if mark in "•‣◦▪●○■":
        return True
    if not last:
        return True
    return line.box[0] > left + 4 or re.search(r"[.:;,]$", last[-1].plain) is not None


def _continues(page: Page, group: list[Line], line: Line, left: float, right: float, body: Body, kind: str) -> bool:
    last = group[-1]
    gap = line.base - last.base
    if abs(line.size - last.size) > 0.6:
        return False
    if gap < 0 or line.page != last.page:
        # The top of the next column: a paragraph goes on unless it was finished.
        return not re.search(r"[.:!?]$", last.plain) or (
            last.box[2] > column_of(page, last)[1] - 3 and not _indented_line(line, left)
        )
    if gap > 1.35 * max(body.leading * line.size / body.size, line.size):
        return False
    if kind == "item":
        return line.box[0] > group[0].box[0] + 2 or not re.search(r"[.;]$", last.plain)
    finished = last.box[2] < right - 0.12 * (right - left) and re.search(r"[.:!?]$", last.plain)
    return not finished and not (_indented_line(line, left) and re.search(r"[.:!?]$", last.plain))


def _indented_line(line: Line, left: float) -> bool:
    return 5 < line.box[0] - left < 40


def _within(line: Line, box: Box) -> bool:
    x, y = (line.box[0] + line.box[2]) / 2, (line.box[1] + line.box[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _tabular(page: Page, box: Box, rows: tuple[tuple[str, ...], ...]) -> bool:
    """True where a figure is a typeset table: full rows of cells, and nothing drawn but rules."""
    drawn = [item for item in (*page.raw.images, *page.raw.drawings) if box[0] < item[2] and item[0] < box[2]]
    inside = sum(box[1] < (item[1] + item[3]) / 2 < box[3] for item in drawn)
    filled = sum(bool(cell) for row in rows for cell in row)
    total = sum(len(row) for row in rows)
    wide = sum(len(row) >= 3 for row in rows) >= max(3, 0.6 * len(rows))
    return wide and inside <= 12 and filled >= 0.6 * total


def _without_label(lines: list[Line]) -> tuple[str, list[Line]]:
    """Return the words at the left of an equation, and its lines without them."""
    label: list[str] = []
    rest: list[Line] = []
    for line in lines:
        words: list[Span] = []
        for before, after in pairwise(line.spans):
            words.append(before)
            if before.font.math or after.x0 - before.x1 > 2 * line.size:
                break
        gap = bool(words) and len(words) < len(line.spans) and line.spans[len(words)].x0 - words[-1].x1 > 2 * line.size
        if not any(span.font.math for span in line.spans) and equations.prose_words(line) and len(line.spans) < 6:
            label.append(line.plain)
        elif gap and not any(span.font.math for span in words):
            label.append("".join((" " if span.space else "") + span.text for span in words).strip())
            line.spans[:] = line.spans[len(words) :]
            line.update()
            rest.append(line)
        else:
            rest.append(line)
    return tidy(" ".join(label)), rest or lines


def _room_around(page: Page, lines: list[Line]) -> Box:
    """The room of a display of which nothing but the number could be read: to the lines above and below it."""
    _, top, right, bottom = box_of(lines)
    left, edge = column_of(page, lines[0])
    others = [line.box for line in page.lines if line not in lines and line.box[2] > left and line.box[0] < right]
    above = max((box[3] for box in others if box[3] <= top), default=top - 40)
    below = min((box[1] for box in others if box[1] >= bottom), default=bottom + 40)
    return (left, max(above, top - 60), max(right, edge), min(below, bottom + 60))
