"""Which lines are part of a display: mathematics, and the fragments and few words that stand at its height."""

from __future__ import annotations

from collections.abc import Sequence

from agentsys.paper.model import Box
from agentsys.paper.pdf import equations
from agentsys.paper.pdf.layout import Body, Page, column_of
from agentsys.paper.pdf.lines import Line

ENCLOSED = 24
"""Characters of a line that may belong to a display without being mathematics."""


def find(pages: dict[int, Page], lines: Sequence[Line], body: Body, numbers: equations.Numbers) -> list[bool]:
    """Say of each line whether it is part of a display; fragments take after the displays beside them."""
    found = [
        equations.is_display(line, *column_of(pages[line.page], line), body, numbers, apart=_apart(lines, index, body))
        for index, line in enumerate(lines)
    ]
    loose = [
        not shown and equations.is_fragment(line) and not _joins(line, column_of(pages[line.page], line)[0])
        for line, shown in zip(lines, found, strict=True)
    ]
    for order in (range(len(lines)), range(len(lines) - 1, -1, -1)):
        step = order.step
        for index in order:
            before = index - step
            if loose[index] and 0 <= before < len(lines) and found[before] and not found[index]:
                found[index] = beside(lines[index], [lines[before]], body) and not _in_prose(lines, found, index)
    shown = list(found)
    for index, line in enumerate(lines):
        near = [lines[at] for at in range(max(index - 4, 0), min(index + 7, len(lines))) if shown[at]]
        page = pages[line.page]
        found[index] = shown[index] or (
            bool(near) and (_enclosed(line, near, column_of(page, line)) or _at_bar(line, near, page.raw.rules))
        )
    return found


def _at_bar(line: Line, near: list[Line], rules: list[Box]) -> bool:
    """True for a line as wide as the bar above or below it, beside lines of a display: part of a fraction."""
    if line.angle or equations.math_share(line) < 0.3:
        return False
    x0, top, x1, bottom = line.box
    reach = 0.5 * line.size
    bars = [rule for rule in rules if abs(rule[0] - x0) < reach and abs(rule[2] - x1) < reach]
    close = [bar for bar in bars if -1 < bar[1] - bottom < reach or -1 < top - bar[3] < reach]
    beside = (other for other in near if other.page == line.page and other.box[2] > x0 - 2 * line.size)
    return bool(close) and any(other.box[1] < bottom + line.size and other.box[3] > top for other in beside)


def _enclosed(line: Line, near: list[Line], column: tuple[float, float]) -> bool:
    """True for a few words, such as units or the dots of a matrix, at the height of lines of a display beside them."""
    if len(line.plain) > ENCLOSED or line.angle or len(equations.prose_words(line)) > 1:
        return False
    middle = (line.box[1] + line.box[3]) / 2
    inset = line.box[0] > column[0] + line.size and line.box[2] < column[1] - 0.3 * line.size
    within = (
        other.page == line.page
        and other.box[1] < middle < other.box[3]
        and column[0] - 1 <= other.box[0] <= column[1]
        and max(other.box[0] - line.box[2], line.box[0] - other.box[2]) < 15 * line.size
        for other in near
    )
    return inset and any(within)


def _joins(line: Line, left: float) -> bool:
    """True for `where` or `and` at the edge of the column: the sentence goes on there, after its formula."""
    return line.plain.strip(" ,:") in ("where", "and", "with", "for") and line.box[0] < left + 0.8 * line.size


def _apart(lines: Sequence[Line], index: int, body: Body) -> bool:
    """True where more than the usual room is above a line."""
    if index == 0 or lines[index - 1].page != lines[index].page:
        return False
    gap = lines[index].base - lines[index - 1].base
    return gap > 1.25 * body.leading


def _in_prose(lines: Sequence[Line], found: Sequence[bool], index: int) -> bool:
    """True for a fragment that stands within the height of a line of words beside it."""
    line = lines[index]
    middle = (line.box[1] + line.box[3]) / 2
    for other in (index - 1, index + 1):
        if 0 <= other < len(lines) and not found[other] and not equations.is_fragment(lines[other]):
            beside = lines[other]
            if beside.page == line.page and beside.box[1] - 1 < middle < beside.box[3] + 1:
                return True
    return False


def beside(line: Line, group: list[Line], body: Body) -> bool:
    """True where a line of mathematics stands within the height of a group, or close to it."""
    if group[-1].page != line.page:
        return False
    top, bottom = min(item.box[1] for item in group), max(item.box[3] for item in group)
    return top - 1.2 * body.leading < line.box[3] and line.box[1] < bottom + 1.2 * body.leading
