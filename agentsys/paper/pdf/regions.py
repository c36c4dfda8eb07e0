"""Which lines belong to a table, an algorithm, a figure or a footnote: by place on the page, not by stream order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agentsys.paper.model import Box
from agentsys.paper.pdf import cells
from agentsys.paper.pdf.captions import Caption
from agentsys.paper.pdf.grids import Grid, find_grids, inside
from agentsys.paper.pdf.layout import Body, Page
from agentsys.paper.pdf.lines import Line, box_of

NEAR = 45.0
"""Farthest distance in points of a table's first rule from its caption."""


_NOTICE = re.compile(
    r"Proceedings|Copyright|©|\(c\)|arXiv|Conference|Workshop|Preprint|Correspondence|permission", re.I
)
"""Words of the notice at the foot of a first page."""


@dataclass(slots=True)
class Regions:
    """What is not running text on one page; indices into the page's lines."""

    captions: list[Caption]
    owned: dict[int, list[int]] = field(default_factory=dict[int, "list[int]"])
    """Position of a caption -> its lines."""
    boxes: dict[int, Box] = field(default_factory=dict[int, Box])
    """Position of a caption -> the float's box without the caption."""
    grids: dict[int, Grid] = field(default_factory=dict[int, Grid])
    """Position of a caption -> the walls of its table."""
    loose: list[tuple[Grid, list[int]]] = field(default_factory=list["tuple[Grid, list[int]]"])
    """Tables with walls and without a caption, such as one that goes on from the page before."""
    footnotes: list[list[int]] = field(default_factory=list["list[int]"])
    used: set[int] = field(default_factory=set[int])
    """Lines that are caption, float or footnote."""


def find_regions(page: Page, captions: list[Caption], headings: set[int], body: Body) -> Regions:
    """Give every line of the page that is not running text to what it belongs to."""
    regions = Regions(captions)
    for caption in captions:
        regions.used.update(range(caption.first, caption.last + 1))
    finder = _Finder(page, regions, headings, body)
    left = list(range(len(captions)))
    while left:
        # A table that stands between two captions belongs to the one that can have no other.
        position = min(left, key=lambda item: finder.freedom(captions[item]))
        left.remove(position)
        lines, box = finder.float_of(captions[position])
        regions.owned[position] = sorted(lines)
        regions.boxes[position] = box
        regions.used.update(lines)
        regions.grids.update((position, grid) for grid in finder.grids if grid.box == box)
    for grid in finder.grids:
        lines = inside(grid, page)
        if lines and not set(lines) & (regions.used | headings):
            regions.loose.append((grid, lines))
            regions.used.update(lines)
    regions.footnotes = _footnotes(page, regions.used | headings, body)
    for note in regions.footnotes:
        regions.used.update(note)
    return regions


class _Finder:
    def __init__(self, page: Page, regions: Regions, headings: set[int], body: Body) -> None:
        self.page = page
        self.regions = regions
        self.headings = headings
        self.body = body
        self.grids = find_grids(page)

    def freedom(self, caption: Caption) -> int:
        """On how many sides of a caption a ruled float may be; more for what is told by less, figures at last."""
        if caption.kind == "figure":
            return 4
        sides = {box[1] < self._place(caption)[1] for box in self._ruled(caption)}
        return len(sides) or 3

    def float_of(self, caption: Caption) -> tuple[list[int], Box]:
        """Return the lines of a caption's float, and its box."""
        _, top, _, bottom = self._place(caption)
        left, right = self._column(caption)
        if caption.kind == "figure":
            left, right = self._beside_text(caption, left, right)
        else:
            ruled = self._ruled(caption)
            if ruled:
                return self._inside(ruled[0]), ruled[0]
        if caption.kind == "figure" and (side := self._side(caption, left, right)) is not None:
            return side
        above = self._run(caption, left, right, top, up=True)
        if caption.kind == "figure" and self._empty(above):
            beside = self._run(caption, *self._between(caption, left, right, top), top, up=True)
            above = above if self._empty(beside) else beside
        below = self._run(caption, left, right, bottom, up=False)
        if caption.kind == "figure":
            chosen = below if self._empty(above) and not self._empty(below) else above
        else:
            chosen = below if len(below[0]) >= min(len(above[0]), 3) else above
            if caption.kind == "table" and len(chosen[0]) < 2:
                # One line is no table: it may stand on another page than its caption.
                chosen = (list[int](), chosen[1])
        return chosen

    def _side(self, caption: Caption, left: float, right: float) -> tuple[list[int], Box] | None:
        """The figure to the left or right of a narrow caption, if something is drawn there and nothing above it."""
        x0, top, x1, bottom = self._place(caption)
        column = [line.box for line in self.page.lines if left <= line.box[0] and line.box[2] <= right]
        margins = min(box[0] for box in column), max(box[2] for box in column)
        if caption.last - caption.first < 2 or x1 - x0 > 0.6 * (margins[1] - margins[0]):
            return None
        sides = [(max(left, margins[0] - 20), x0 - 3), (x1 + 3, min(right, margins[1] + 20))]
        start, end = max(sides, key=lambda side: side[1] - side[0])
        middle = (top + bottom) / 2
        up, down = (self._run(caption, start, end, middle, up=way)[1] for way in (True, False))
        box = (start, up[1], end, down[3])
        drawn = [*self.page.raw.images, *self.page.raw.drawings]
        beside = sum(
            start < (item[0] + item[2]) / 2 < end and box[1] < (item[1] + item[3]) / 2 < box[3] for item in drawn
        )
        level = any(start < item[2] and item[0] < end and item[1] < bottom and item[3] > top for item in drawn)
        over = any(item[0] < x1 and item[2] > x0 and box[1] - 2 < item[3] <= top + 2 for item in drawn)
        if not level or over or beside < 1 or box[3] - box[1] < 0.8 * (bottom - top):
            return None
        return self._inside(box), box

    def _beside_text(self, caption: Caption, left: float, right: float) -> tuple[float, float]:
        """The room of a figure that running text flows around: to where the lines beside its caption end."""
        x0, top, x1, bottom = self._place(caption)
        level: list[Box] = []
        for index, line in enumerate(self.page.lines):
            box = line.box
            inside = left <= box[0] and box[2] <= right and top - line.size < box[3] and box[1] < bottom + line.size
            words = len(re.findall(r"[A-Za-z]{2}", line.plain)) > 8 and abs(line.size - self.body.size) < 0.45
            if inside and words and index not in self.regions.used and (box[2] < x0 - 2 or box[0] > x1 + 2):
                level.append(box)
        before = [box for box in level if box[2] < x0]
        after = [box for box in level if box[0] > x1]
        return (
            max([left, *(box[2] + 2 for box in before)]) if _flush([box[0] for box in before]) else left,
            min([right, *(box[0] - 2 for box in after)]) if _flush([box[0] for box in after]) else right,
        )

    def _between(self, caption: Caption, left: float, right: float, top: float) -> tuple[float, float]:
        """The room above a caption between other floats that stand to its left and right."""
        x0, _, x1, _ = self._place(caption)
        others = [self.page.lines[index].box for index in self.regions.used]
        others += [box for box in self.regions.boxes.values() if box[3] - box[1] > 12]
        reach = top - 0.4 * self.page.height
        beside = [box for box in others if reach < box[3] <= top + 12 and (box[2] < x0 or box[0] > x1)]
        return (
            max([left, *(box[2] + 2 for box in beside if box[2] < x0)]),
            min([right, *(box[0] - 2 for box in beside if box[0] > x1)]),
        )

    def _place(self, caption: Caption) -> Box:
        return box_of(self.page.lines[caption.first : caption.last + 1])

    def _column(self, caption: Caption) -> tuple[float, float]:
        x0, _, x1, _ = self._place(caption)
        middle = self.page.width / 2
        if self.page.columns == 2 and x1 < middle + 10:
            return 0.0, middle
        if self.page.columns == 2 and x0 > middle - 10:
            return middle, self.page.width
        return 0.0, self.page.width

    def _ruled(self, caption: Caption) -> list[Box]:
        """Boxes from the first to the last of the rules of equal extent beside a caption, the likeliest first."""
        _, top, _, bottom = self._place(caption)
        left, right = self._column(caption)
        if walled := self._walled(caption):
            return walled
        groups: list[list[Box]] = []
        for rule in sorted(self.page.raw.rules, key=lambda rule: rule[1]):
            if rule[0] < left - 4 or rule[2] > right + 4 or rule[2] - rule[0] < 50:
                continue
            same = (g for g in groups if abs(g[0][0] - rule[0]) < 3 and abs(g[0][2] - rule[2]) < 3)
            group = next(same, None)
            if group is None:
                groups.append([rule])
            else:
                group.append(rule)
        sides: list[tuple[float, list[Box]]] = []
        for rules in groups:
            down, up = _chain(rules, bottom, down=True), _chain(rules, top, down=False)
            # A rule on both sides of the caption: the float hangs below it.
            sides += [(abs(down[0][1] - bottom) - 6, down)] if len(down) > 1 else []
            sides += [(abs(up[0][3] - top), up)] if len(up) > 1 else []
        found = (self._longest(side) for _, side in sorted(sides, key=lambda item: item[0]))
        return [box for box in found if box is not None]

    def _walled(self, caption: Caption) -> list[Box]:
        """Boxes of the tables with walls beside a caption, the nearest first."""
        x0, top, x1, bottom = self._place(caption)
        found: list[tuple[float, Box]] = []
        for grid in self.grids:
            away = max(grid.box[1] - bottom, top - grid.box[3])
            if away < NEAR and grid.box[0] < x1 and grid.box[2] > x0 and self._clean(grid.box):
                found.append((away, grid.box))
        return [box for _, box in sorted(found)]

    def _longest(self, chain: list[Box]) -> Box | None:
        """The box of the longest part of a chain that takes in nothing foreign: another float may have such rules."""
        for count in range(len(chain), 1, -1):
            part = chain[:count]
            box = (part[0][0], min(rule[1] for rule in part), part[0][2], max(rule[3] for rule in part))
            if self._clean(box):
                return box
        return None

    def _clean(self, box: Box) -> bool:
        """True if the box holds lines, and no heading, other caption or long stretch of prose."""
        inside = self._within(box)
        if not inside or set(inside) & (self.headings | self.regions.used):
            return False
        prose = sum(self._solid(self.page.lines[index]) for index in inside)
        return prose <= 0.5 * len(inside)

    def _inside(self, box: Box) -> list[int]:
        return [index for index in self._within(box) if index not in self.regions.used]

    def _within(self, box: Box) -> list[int]:
        found: list[int] = []
        for index, line in enumerate(self.page.lines):
            x, y = (line.box[0] + line.box[2]) / 2, (line.box[1] + line.box[3]) / 2
            if box[0] - 6 <= x <= box[2] + 6 and box[1] - 1 <= y <= box[3] + 1:
                found.append(index)
        return found

    def _run(self, caption: Caption, left: float, right: float, edge: float, *, up: bool) -> tuple[list[int], Box]:
        """Lines from the caption to the nearest running text, heading or caption."""
        candidates: list[tuple[float, int]] = []
        for index, line in enumerate(self.page.lines):
            middle = (line.box[0] + line.box[2]) / 2
            beyond = line.box[3] <= edge + 2 if up else line.box[1] >= edge - 2
            crosses = line.box[0] < right - 20 and line.box[2] > left + 20
            if beyond and (left <= middle <= right or crosses) and not caption.first <= index <= caption.last:
                candidates.append((-line.box[3] if up else line.box[1], index))
        found: list[int] = []
        stop = self.page.top if up else 0.93 * self.page.height
        last = edge
        for _, index in sorted(candidates):
            line = self.page.lines[index]
            near_edge = line.box[3] if up else line.box[1]
            if self._stops(index, line, caption, abs(last - near_edge), bool(found)):
                stop = near_edge
                break
            found.append(index)
            last = line.box[1] if up else line.box[3]
        if not found and caption.kind != "figure":
            return [], (left, edge, right, edge)
        x0, x1 = max(left, 20.0), min(right, self.page.width - 20.0)
        # Descenders of the line before must not show in a picture of the float.
        return found, (x0, min(stop + 2, edge), x1, edge - 1) if up else (x0, edge + 1, x1, max(stop - 2, edge + 1))

    def _stops(self, index: int, line: Line, caption: Caption, gap: float, started: bool) -> bool:
        if index in self.headings or index in self.regions.used:
            return True
        if caption.kind == "figure":
            large = line.size > 1.3 * self.body.size and re.search(r"[A-Za-z]{3}", line.plain) is not None
            return self._solid(line) or large or self._ends_paragraph(index)
        if gap > (2.2 if started else 5.0) * self.body.leading:
            return True
        if caption.kind == "algorithm":
            return (
                self._solid(line)
                and not re.match(r"^\s*\(?\d{1,2}[.:)]?\s", line.plain)
                and abs(line.size - self.body.size) < 0.2
            )
        return self._solid(line)

    def _solid(self, line: Line) -> bool:
        """True for running text: a long line of words in the size of the body."""
        width = line.box[2] - line.box[0]
        column = self.page.width * (0.24 if self.page.columns == 2 else 0.45)
        words = [word for word in line.plain.split() if re.search(r"[A-Za-z]{2}", word)]
        if abs(line.size - self.body.size) > 0.45 or len(words) < 4:
            return False
        parts = cells.split(line)
        return width > column and (len(parts) <= 1 or max(len(part.text.split()) for part in parts) >= 7)

    def _ends_paragraph(self, index: int) -> bool:
        """True for the short last line of a paragraph."""
        line = self.page.lines[index]
        if index == 0 or abs(line.size - self.body.size) > 0.45:
            return False
        before = self.page.lines[index - 1]
        follows = 0 < line.base - before.base < 1.3 * self.body.leading and abs(line.box[0] - before.box[0]) < 15
        return follows and self._solid(before)

    def _empty(self, region: tuple[list[int], Box]) -> bool:
        lines, box = region
        if box[3] - box[1] < 25:
            return True
        drawn = [*self.page.raw.images, *self.page.raw.drawings]
        hits = sum(
            item[0] < box[2] and item[2] > box[0] and item[1] < box[3] - 2 and item[3] > box[1] + 2 for item in drawn
        )
        return not hits and len(lines) < 2


def _flush(edges: list[float]) -> bool:
    """True for at least three lines that begin at one place."""
    return len(edges) >= 3 and max(edges) - min(edges) < 2


def _chain(rules: list[Box], edge: float, *, down: bool) -> list[Box]:
    """Rules on one side of `edge`, the first of them near."""
    side = [rule for rule in rules if (rule[1] >= edge - 3 if down else rule[3] <= edge + 3)]
    side = side if down else side[::-1]
    if not side or abs((side[0][1] if down else side[0][3]) - edge) > NEAR:
        return []
    return side


def _footnotes(page: Page, used: set[int], body: Body) -> list[list[int]]:
    """Runs of small lines at the foot of a column, the first of which begins with a mark."""
    notes: list[list[int]] = []
    middle = page.width / 2
    halves = [(0.0, middle), (middle, page.width)] if page.columns == 2 else [(0.0, page.width)]
    for left, right in halves:
        column = [
            index
            for index, line in enumerate(page.lines)
            if left <= (line.box[0] + line.box[2]) / 2 < right and index not in used
        ]
        column.sort(key=lambda index: page.lines[index].base, reverse=True)
        run: list[int] = []
        for index in column:
            line = page.lines[index]
            if not 0.6 * body.size < line.size < 0.955 * body.size and not _marked(line):
                break
            run.append(index)
        loose: list[int] = []
        while run and not _marked(page.lines[run[-1]]):
            loose.append(run.pop())
        words = " ".join(page.lines[index].plain for index in loose)
        notice = page.number == 1 and _NOTICE.search(words) is not None
        if loose and len(loose) <= 8 and (notice or _under_rule(page, loose[0], right - left)):
            notes.append(loose)
        notes.extend(_split_notes(page, run[::-1]))
    return notes


def _under_rule(page: Page, index: int, width: float) -> bool:
    """True for a line under the short rule that begins the notes: what a note of the page before goes on with."""
    x0, top, _, _ = page.lines[index].box
    return any(
        abs(rule[0] - x0) < 3 and 30 < rule[2] - rule[0] < 0.6 * width and 0 < top - rule[3] < 14
        for rule in page.raw.rules
    )


def _split_notes(page: Page, run: list[int]) -> list[list[int]]:
    notes: list[list[int]] = []
    for index in run:
        if not notes or _marked(page.lines[index]):
            notes.append([])
        notes[-1].append(index)
    return notes


def _marked(line: Line) -> bool:
    """True for a line that begins with a raised number or sign."""
    first = line.spans[0]
    raised = first.size < 0.85 * line.size and first.base < line.base - 0.15 * line.size
    small_mark = re.match(r"^(?:\d{1,2}|[*∗†‡§¶])(?=\s*[A-Z(h])", line.plain)
    return bool(small_mark) and (raised or first.text[:1] in "*∗†‡§¶")
