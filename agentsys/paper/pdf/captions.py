"""Captions of figures, tables and algorithms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from agentsys.paper.pdf.layout import Body, Page
from agentsys.paper.pdf.lines import Line

CAPTION = re.compile(
    r"(?P<kind>Figure|Fig\.|Table|Algorithm|Listing|Scheme|FIGURE|FIG\.|TABLE|ALGORITHM)\s*"
    r"(?P<label>\d{1,3}(?:\.\d{1,2})?|[IVX]{1,6}|[A-Z]\.?\d{1,2})(?P<mark>\s*[:.|—–-]|\s*$|\s+(?=[A-Z(]))(?P<rest>.*)"
)
Kind = Literal["figure", "table", "algorithm"]
PUSHED, TOUCHING = 2.2, 0.2
"""Distance of baselines and white room between two lines that a formula pushes apart, at most, in units of the size."""


@dataclass(slots=True)
class Caption:
    """A caption and the lines it takes up (indices into the page's lines)."""

    kind: Kind
    label: str
    first: int
    last: int
    page: int


def find_captions(page: Page, body: Body, taken: set[int]) -> list[Caption]:
    """Return the captions of a page; `taken` are indices of headings."""
    found: list[Caption] = []
    for index, line in enumerate(page.lines):
        if index in taken or (found and index <= found[-1].last):
            continue
        match = CAPTION.match(line.plain)
        if match is None or not _looks_like_caption(page, index, match, body):
            continue
        kind = _kind(match["kind"])
        last = _extent(page, index, body, taken, kind)
        found.append(Caption(kind, match["label"], index, last, page.number))
    return found


def _kind(word: str) -> Kind:
    lower = word.lower()
    return "table" if lower == "table" else "algorithm" if lower in ("algorithm", "listing") else "figure"


def _looks_like_caption(page: Page, index: int, match: re.Match[str], body: Body) -> bool:
    line = page.lines[index]
    mark = match["mark"].strip()
    first = line.spans[0]
    own_look = first.font.bold or first.font.italic or abs(first.size - body.size) > 0.4
    before = page.lines[index - 1] if index else None
    starts = before is None or _apart(before, line, body)
    if mark in (":", "|", "—", "–", "-"):
        # Below a table there may be no more room than between two lines of it.
        return starts or own_look or not _runs_on(before)
    if mark == ".":
        # `Figure 3. Samples from` is a caption; `... in` / `Figure 3. We then` is the end of a sentence.
        return own_look or (starts and not _runs_on(before))
    if not match["rest"].strip():
        return starts and (own_look or line.plain.isupper() or not _runs_on(before)) and _short(line, page)
    return own_look and (starts or first.font.bold)


def _runs_on(before: Line | None) -> bool:
    return before is not None and bool(re.search(r"[a-z,]$", before.plain))


def _short(line: Line, page: Page) -> bool:
    return line.box[2] - line.box[0] < 0.35 * page.width


def _apart(before: Line, line: Line, body: Body) -> bool:
    """True where a line does not simply continue the line before it."""
    gap = line.base - before.base
    return (
        not 0 < gap < 1.25 * body.leading or abs(line.size - before.size) > 0.4 or abs(line.box[0] - before.box[0]) > 40
    )


def _extent(page: Page, index: int, body: Body, taken: set[int], kind: Kind) -> int:
    line = page.lines[index]
    limit = 2 if kind == "algorithm" else 40
    last = index
    tight = 0.0
    for position in range(index + 1, min(index + limit, len(page.lines))):
        after = page.lines[position]
        gap = after.base - page.lines[last].base
        if _ruled_off(page, page.lines[last], after) or position in taken or CAPTION.match(after.plain) or after.angle:
            break
        # Lines of high formulas are far apart by their baselines, and all the same nearly touch.
        room = after.box[1] - page.lines[last].box[3]
        pushed = gap < PUSHED * line.size and room < TOUCHING * line.size
        if not 0 < gap < 1.45 * max(line.size, after.size) + 1 and not (gap > 0 and pushed):
            break
        if tight and gap > 1.12 * tight + 0.5 and not pushed:
            break
        if abs(after.size - line.size) > 0.4 or after.box[0] > line.box[2] or after.box[2] < line.box[0]:
            break
        short = page.lines[last].box[2] < _right(page, index, last) - 0.06 * page.width
        if short and last > index and re.search(r"[.!?)]$", page.lines[last].plain):
            break
        much = _right(page, index, position) - page.lines[last].box[2] > 0.1 * page.width
        if last == index and short and much and re.search(r"[.!?]$", line.plain):
            # A one-line caption ends well before the next line does: what follows is something else.
            break
        tight = min(tight, gap) if tight else gap
        last = position
    return last


def _ruled_off(page: Page, line: Line, after: Line) -> bool:
    """True where a rule stands between two lines: the head of an algorithm ends there."""
    between = (rule for rule in page.raw.rules if line.base - 1 < rule[1] < after.base - 0.5 * after.size)
    return any(rule[2] - rule[0] > 60 and rule[0] < line.box[2] and rule[2] > line.box[0] for rule in between)


def _right(page: Page, first: int, last: int) -> float:
    return max(line.box[2] for line in page.lines[first : last + 1])
