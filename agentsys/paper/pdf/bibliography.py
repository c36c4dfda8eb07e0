"""Entries of the bibliography from the lines of its section: by their keys, by hanging indents, or by room between."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from agentsys.paper.model import Reference
from agentsys.paper.pdf.lines import Line
from agentsys.paper.pdf.words import Vocabulary, join_lines
from agentsys.paper.references import make_reference

_BRACKETS = re.compile(r"^\[(?P<key>\d{1,3}|[A-Za-z][A-Za-z+]{1,7}\d{2}[a-z]?)\]")
_NUMBER = re.compile(r"^\(?(?P<key>\d{1,3})[.)]\s*(?=\D)")
LEAST = 3
"""Entries that must begin in one way before it is taken for the way they are told apart."""


def entries(lines: Sequence[Line], vocabulary: Vocabulary) -> list[Reference]:
    """Return the entries, or nothing where no way of telling them apart was found."""
    starts = _keyed(lines) or _hanging(lines) or _spaced(lines)
    found: list[Reference] = []
    for start, end in pairwise([*starts, len(lines)]):
        text = join_lines(lines[start:end], vocabulary)
        number = None if _BRACKETS.match(text) else _NUMBER.match(text)
        text = text[number.end() :] if number else text
        if text.strip():
            found.append(make_reference(text, number["key"] if number else ""))
    return found


def begins(lines: Sequence[Line]) -> int | None:
    """Index of the line that begins a bibliography without a heading: `[1]`, and `[2]` and `[3]` at lines after it."""
    firsts = [index for index, line in enumerate(lines) if line.plain.startswith("[1]")]
    if not firsts:
        return None
    rest = [line.plain for line in lines[firsts[-1] :]]
    follow = all(any(text.startswith(f"[{number}]") for text in rest) for number in (2, 3))
    return firsts[-1] if follow else None


def _keyed(lines: Sequence[Line]) -> list[int]:
    for pattern in (_BRACKETS, _NUMBER):
        matches = [(index, match["key"]) for index, line in enumerate(lines) if (match := pattern.match(line.plain))]
        starts: list[int] = []
        last = 0
        for index, key in matches:
            # A volume that begins a line is no key: numbers run on.
            if key.isdecimal() and not 0 < int(key) - last <= 2:
                continue
            last = int(key) if key.isdecimal() else last
            starts.append(index)
        if len(starts) >= LEAST:
            return starts
    return []


def _hanging(lines: Sequence[Line]) -> list[int]:
    """Lines with no edge of other lines a little to their left: what hangs below an entry is set in."""
    edges = Counter((line.page, round(line.box[0] / 2)) for line in lines)
    outer: list[int] = []
    inner = 0
    for index, line in enumerate(lines):
        place = round(line.box[0] / 2)
        left = any(edges[line.page, at] > 1 for at in range(place - 15, place - 1))
        inner += left
        if not left:
            outer.append(index)
    return outer if len(outer) >= LEAST and inner >= 0.15 * len(lines) else []


def _spaced(lines: Sequence[Line]) -> list[int]:
    gaps = [after.base - before.base for before, after in pairwise(lines)]
    usual = median([gap for gap in gaps if gap > 0] or [0.0])
    # The first line of a column goes on with the entry before it unless that one has ended.
    starts = [
        index + 1
        for index, gap in enumerate(gaps)
        if gap > 1.2 * usual or (gap < 0 and lines[index].plain.endswith("."))
    ]
    return [0, *starts] if len(starts) >= LEAST else []
