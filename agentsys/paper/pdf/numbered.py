"""Give a number that stands alone the display beside it: a file may hold the two apart from each other."""

from __future__ import annotations

from agentsys.paper.pdf.equations import Numbers, without_number
from agentsys.paper.pdf.lines import Line, box_of

Group = tuple[str, list[Line]]
REACH = 0.9
"""How far above or below a number its display may be, in units of the size."""


def join_numbers(groups: list[Group], numbers: Numbers) -> list[Group]:
    """Return the groups of a section with no number left alone that has a display before or after it."""
    result: list[Group] = []
    waiting: list[Line] = []
    for kind, group in groups:
        if waiting and _display_of(waiting, (kind, group), numbers):
            kind, group = "equation", [*waiting, *group]
        elif waiting:
            result.append(("equation", waiting))
        waiting = []
        if kind != "equation" or len(group) > 1 or without_number(group[0], numbers.of(group[0])):
            result.append((kind, group))
            continue
        crumbs = _crumbs(result, group[0].page)
        near = (at for at in range(len(result) - 1, max(len(result) - 4, -1), -1))
        place = next((at for at in near if _display_of(group, result[at], numbers)), None)
        if place is not None:
            result[place] = ("equation", [*result[place][1], *crumbs, *group])
        elif crumbs:
            result.append(("equation", [*crumbs, *group]))
        else:
            waiting = group
    return [*result, ("equation", waiting)] if waiting else result


def _crumbs(groups: list[Group], page: int) -> list[Line]:
    """Take lone signs from the end: a period that closes a display may come after it."""
    taken: list[Line] = []
    while groups and all(len(line.plain) < 3 and line.page == page for line in groups[-1][1]):
        taken = [*groups.pop()[1], *taken]
    return taken


def _display_of(number: list[Line], other: Group, numbers: Numbers) -> bool:
    """True for lines without a number at the height of this one, or next to it, that may be a formula."""
    kind, lines = other
    short = len(lines) <= 3 and sum(len(line.plain) for line in lines) < 160
    if lines[0].page != number[0].page or not (kind == "equation" or short) or any(map(numbers.of, lines)):
        return False
    box, (_, top, right, bottom), size = box_of(lines), number[0].box, number[0].size
    return box[1] < bottom + REACH * size and box[3] > top - REACH * size and box[0] < right
