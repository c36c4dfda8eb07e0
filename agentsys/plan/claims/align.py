"""A misquotation beside the words that were meant: which line of the paper, and which number stands for which."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from agentsys.plan.claims.numerals import Numeral, numerals, same
from agentsys.plan.claims.passages import Line, Passage

_TOKEN = re.compile(r"\d[\d.,]*\d|\w+|%")
_ENOUGH = 0.75
"""Share of a quotation's words that a line must have, in their order and numbers aside, to be what was meant."""
_LONGEST = 4000
"""Characters of a line that is no sentence any more."""


@dataclass(frozen=True)
class Meant:
    """What a misquotation must have meant."""

    passage: Passage
    words: str
    swaps: tuple[tuple[Numeral, Numeral], ...]
    """Numbers as said, and those that stand in their place."""


@dataclass(frozen=True)
class _Match:
    score: float
    passage: Passage
    line: Line
    span: tuple[int, int]


def nearest(words: str, passages: Sequence[Passage]) -> Meant | None:
    """Return the line that a quotation comes closest to; None where none is close, or where two are as close."""
    wanted = _tokens(words)
    if sum(text != "#" for text, _ in wanted) < 1 or len(wanted) < 3:
        return None
    found = [match for passage in passages for line in passage.lines if (match := _match(wanted, passage, line))]
    found.sort(key=lambda match: -match.score)
    if not found or (len(found) > 1 and found[1].score > found[0].score - 0.05 and _differ(found[0], found[1])):
        return None
    best = found[0]
    meant = best.line.text[slice(*best.span)]
    return Meant(best.passage, meant, swapped(words, meant))


def swapped(said: str, meant: str) -> tuple[tuple[Numeral, Numeral], ...]:
    """Return the pairs of numbers that stand at the same place of two wordings and differ."""
    one, other = _by_token(said), _by_token(meant)
    matcher = SequenceMatcher(None, [token for token, _ in one], [token for token, _ in other], autojunk=False)
    pairs: list[tuple[Numeral, Numeral]] = []
    for start, there, size in matcher.get_matching_blocks():
        for (_, a), (_, b) in zip(one[start : start + size], other[there : there + size], strict=True):
            if a is not None and b is not None and not same(a, b):
                pairs.append((a, b))
    return tuple(pairs)


def _match(wanted: list[tuple[str, str]], passage: Passage, line: Line) -> _Match | None:
    if len(line.text) > _LONGEST:
        return None
    there = [(_mask(match[0]), match[0], match.span()) for match in _TOKEN.finditer(line.text)]
    common = Counter(token for token, _ in wanted) & Counter(token for token, _, _ in there)
    if common.total() < _ENOUGH * len(wanted):
        return None
    matcher = SequenceMatcher(None, [token for token, _ in wanted], [token for token, _, _ in there], autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    pairs = [(wanted[b.a + i], there[b.b + i]) for b in blocks for i in range(b.size)]
    if len(pairs) < _ENOUGH * len(wanted) or all(mask == "#" for (mask, _), _ in pairs):
        return None
    equal = sum(text == other for (_, text), (_, other, _) in pairs)
    span = pairs[0][1][2][0], pairs[-1][1][2][1]
    return _Match((len(pairs) + equal) / (2 * len(wanted)), passage, line, span)


def _differ(one: _Match, other: _Match) -> bool:
    return one.line.text[slice(*one.span)] != other.line.text[slice(*other.span)]


def _tokens(text: str) -> list[tuple[str, str]]:
    return [(_mask(match[0]), match[0]) for match in _TOKEN.finditer(text)]


def _mask(token: str) -> str:
    return "#" if token[0].isdigit() else token.casefold()


def _by_token(text: str) -> list[tuple[str, Numeral | None]]:
    at = {number.end: number for number in numerals(text)}
    starts = {match.end(): match for match in _TOKEN.finditer(text)}
    return [(_mask(match[0]), at.get(end)) for end, match in starts.items()]
