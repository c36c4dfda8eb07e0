"""Lines of an algorithm: what belongs to one step, and how deep it is nested."""

from __future__ import annotations

import re

from agentsys.paper.model import AlgorithmLine, Box
from agentsys.paper.pdf import equations
from agentsys.paper.pdf.lines import Line, items_of
from agentsys.paper.pdf.mathlayout import linear
from agentsys.paper.pdf.words import tidy

_NUMBER = re.compile(r"^(?P<number>\d{1,3})(?P<mark>[:.)]?)(?=\s|$)")
SAME = 4.0
"""Points within which two lines begin at one place."""
DEEPEST = 8


def indented(lines: list[Line], rules: list[Box]) -> tuple[AlgorithmLine, ...]:
    """Return the steps of an algorithm with their levels.

    A level is a place at which numbered lines begin, or several lines where none has a number.
    """
    if not lines:
        return ()
    numbered = _numbered(lines)
    steps = _steps(lines, numbered)
    starts = [_start(step[0], numbered) for step in steps]
    counted = [start for start, step in zip(starts, steps, strict=True) if id(step[0]) in numbered]
    # Where no line has a number, one that stands alone at its place may be a comment at the side.
    again = [start for start in starts if sum(abs(start - other) < SAME for other in starts) > 1]
    counted = counted or [min(starts), *again]
    levels: list[float] = []
    for start in sorted(counted):
        if not levels or start - levels[-1] > SAME:
            levels.append(start)
    return tuple(
        AlgorithmLine(indent=_level(start, levels), text=_text(step, rules))
        for start, step in zip(starts, steps, strict=True)
    )


def _level(start: float, levels: list[float]) -> int:
    return min(max(sum(level <= start + SAME for level in levels) - 1, 0), DEEPEST)


def _numbered(lines: list[Line]) -> set[int]:
    """Lines that begin with a number: with a mark, or at least three that run on."""
    found: set[int] = set()
    bare: list[int] = []
    last = 0
    for line in lines:
        match = _NUMBER.match(line.plain)
        if match is None or len(line.spans) < 2:
            continue
        if match["mark"]:
            found.add(id(line))
        elif int(match["number"]) - last in (1, 2) or not bare:
            bare.append(id(line))
            last = int(match["number"])
    return found | set(bare) if found or len(bare) >= 3 else found


def _start(line: Line, numbered: set[int]) -> float:
    """Where the words of a line begin, after its number."""
    return line.spans[1].x0 if id(line) in numbered else line.box[0]


def _steps(lines: list[Line], numbered: set[int]) -> list[list[Line]]:
    """Pieces of mathematics that overlap a line in height, and scripts that hang below it, belong to it."""
    steps: list[list[Line]] = []
    for line in lines:
        bottom = max((part.box[3] for part in steps[-1]), default=0.0) if steps else 0.0
        own = id(line) in numbered
        small = bool(steps) and line.spans[0].size < 0.86 * steps[-1][0].size
        piece = small or equations.is_fragment(line)
        if steps and piece and not own and line.box[1] < bottom - 1 and line.box[0] > steps[-1][0].box[0]:
            steps[-1].append(line)
        else:
            steps.append([line])
    return steps


def _text(step: list[Line], rules: list[Box]) -> str:
    if len(step) == 1:
        return tidy(step[0].text)
    spans = [span for line in step for span in line.spans]
    return tidy(linear(items_of(spans), rules).replace("\n", " "))
