"""Passages that state something else than a claim: found by words and numbers, shown to a model, kept by quotation."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import nlargest
from itertools import islice

from agentsys.paper.query import letters
from agentsys.plan.claims.claim import Claim, Contradiction, Quote
from agentsys.plan.claims.numerals import Numeral, numerals, same
from agentsys.plan.claims.passages import Line, Passage, Passages

PER_CLAIM = 5
"""Passages that are shown for one claim."""
IN_ALL = 30
_LOOKED_AT = 200
"""Lines whose numbers are compared with one statement, those with most words in common."""
_SHOWN = 600
"""Characters of one passage that are shown."""
_ALIKE = 0.45
"""Share of a statement's words, weighed by how rare they are, that a passage about the same thing has."""
_SAME_QUANTITY = 0.15
"""The same, where the passage gives the same unit, noun or symbol another number."""
_SHARES = 0.3
"""The same, where both give a share in per cent."""
_FEWEST = 3
"""Stems that must be shared where no number is of the same kind."""
_STEM = 6
"""Letters by which two words count as one: `dataset`, `datasets`."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_COUNTED = re.compile(r"\s{0,2}[-\u2013]?\s?([^\W\d_]{2,})")
_MEASURED = re.compile(r"([^\W\d_]{3,})\s(?:of|is|was|are|were|at|to|by|reaches)\s(?:about\s|only\s|over\s)?$")
_COMMAND = re.compile(r"\\[A-Za-z]+")
# The index of a sum (`\sum_{i=1}`) is no quantity.
_SYMBOL = re.compile(r"(?<![_{\w\\])([^\W\d_]\w*(?:_\{?\w+\}?)?)\s*(?:=|\\in|≤|≥|<|>|\\leq?|\\geq?)\s*$")
_DENIES = re.compile(r"(?i)\b(?:not?|non|without|never|cannot|neither|nor|violat\w+|unlike|except)\b")
_OPPOSITES = (
    ("increas", "decreas"),
    ("faster", "slower"),
    ("higher", "lower"),
    ("better", "worse"),
    ("outper", "underp"),
    ("larger", "smalle"),
    ("convex", "noncon"),
    ("linear", "sublin"),
    ("upper", "lower"),
    ("best", "worst"),
    ("forwar", "revers"),
    ("positi", "negati"),
    ("maximi", "minimi"),
)
_FORMULA = re.compile(r"[=^_\\<>≤≥]")
_LINKS = frozenset({"and", "or", "of", "in", "on", "for", "to", "the", "with", "is", "are", "at", "by", "as", "times"})
"""Words behind a number that are not what it counts."""


@dataclass(frozen=True)
class Doubtful:
    """A passage that is held against a claim."""

    id: str
    claim: str
    passage: Passage
    line: Line

    @property
    def shown(self) -> str:
        """The line as a model sees it: a row of a table with the head."""
        head = f"{self.line.head}: " if self.line.head else ""
        return f"{head}{self.line.text}"[:_SHOWN]


@dataclass(frozen=True)
class _Text:
    """A statement or a line, with what it is compared by."""

    text: str
    about: str = ""

    @cached_property
    def stems(self) -> frozenset[str]:
        return _stems(f"{self.about} {self.text}")

    @cached_property
    def own(self) -> frozenset[str]:
        return _stems(self.text)

    @cached_property
    def numbers(self) -> list[Numeral]:
        return numerals(self.text)

    @cached_property
    def counted(self) -> dict[str, list[Numeral]]:
        return _counted(self.text, self.numbers)


class _Lines:
    """Every line of a paper, found by the words in it."""

    def __init__(self, source: Passages) -> None:
        self.rows = [(passage, line, _Text(line.text, line.about)) for passage, line in source.lines()]
        self._holding: dict[str, list[int]] = {}
        for number, (_, _, text) in enumerate(self.rows):
            for stem in text.stems:
                self._holding.setdefault(stem, []).append(number)

    def alike(self, statement: _Text) -> dict[int, float]:
        """Return the share of a statement's words, weighed by how rare they are, that lines have; by their numbers."""
        rare = {
            stem: math.log(1 + len(self.rows) / len(self._holding[stem]))
            for stem in statement.stems
            if stem in self._holding
        }
        total = sum(rare.values())
        found: dict[int, float] = {}
        for stem, weight in rare.items():
            for number in self._holding[stem]:
                found[number] = found.get(number, 0.0) + weight / total
        return found


def doubtful(claims: Sequence[Claim], source: Passages) -> list[Doubtful]:
    """Return the passages of the whole paper that may say something else than the claims and their assumptions do."""
    lines = _Lines(source)
    found = [row for claim in claims for row in enumerate(_against(claim, lines))]
    # Where there are too many, each claim loses its least likely ones.
    chosen = sorted(found, key=lambda row: row[0])[:IN_ALL]
    order = {claim.id: number for number, claim in enumerate(claims)}
    rows = sorted((row for _, row in chosen), key=lambda row: order[row.claim])
    return [replace(row, id=f"P{number}") for number, row in enumerate(rows, 1)]


def _against(claim: Claim, lines: _Lines) -> list[Doubtful]:
    scored: dict[int, float] = {}
    for words in _statements(claim):
        statement = _Text(words)
        for number, alike in nlargest(_LOOKED_AT, lines.alike(statement).items(), key=lambda row: row[1]):
            if alike >= _SAME_QUANTITY:
                score = _score(statement, lines.rows[number][2], alike)
                scored[number] = max(score, scored.get(number, 0.0))
    best = sorted((number for number, score in scored.items() if score), key=lambda number: -scored[number])
    rows = (lines.rows[number] for number in best)
    other = (Doubtful("", claim.id, passage, line) for passage, line, _ in rows if not _is_own(claim, passage, line))
    return list(islice(other, PER_CLAIM))


def kept(first: Quote, second: Quote, what: str, source: Passages) -> Contradiction | None:
    """Return a contradiction whose two quotations stand in the paper, at two places, and do not say the same."""
    one, other = source.quote(first.place, first.words), source.quote(second.place, second.words)
    if one is None or other is None or not what.strip():
        return None
    a, b = letters(one.words), letters(other.words)
    if a in b or b in a:
        return None
    if _one_line(one, other, source):
        return None
    numbers = numerals(one.words), numerals(other.words)
    alike = all(numbers) and not (_new(numbers[0], numbers[1]) or _new(numbers[1], numbers[0]))
    if alike and not _FORMULA.search(one.words + other.words) and not _opposed(one.words, other.words):
        return None
    return Contradiction(what=" ".join(what.split())[:600], first=one, second=other)


def against(claim: Claim, claims: Iterable[Claim]) -> tuple[str, ...]:
    """Return the other claims whose own words contradict a claim; none where some contradiction is of no claim's words.

    A row of a table states many things, so that it is no claim's own.
    """
    others = [other for other in claims if other.id != claim.id]
    found: set[str] = set()
    for row in claim.contradictions:
        foreign = [quote for quote in (row.first, row.second) if not _quotes(claim, quote)]
        rivals = {other.id for quote in foreign for other in others if _quotes(other, quote)}
        if not rivals or any(quote.place.startswith(("Table", "Figure")) for quote in foreign):
            return ()
        found |= rivals
    return tuple(sorted(found))


def _quotes(claim: Claim, quote: Quote) -> bool:
    words = letters(quote.words)
    own = [letters(place.words) for place in claim.places]
    return any(words in text or text in words for text in own)


def _one_line(one: Quote, other: Quote, source: Passages) -> bool:
    """True where both quotations are parts of one sentence or row."""
    a, b = letters(one.words), letters(other.words)
    return any(a in text and b in text for _, line in source.lines() if (text := letters(line.text)))


def _new(numbers: Iterable[Numeral], others: Sequence[Numeral]) -> bool:
    return any(not any(_alike(number, other) for other in others) for number in numbers)


def _alike(one: Numeral, other: Numeral) -> bool:
    """True for one number in two ways to print it; 43 % is no other number than 43.1 %."""
    return same(one, other, rounded=True) or same(other, one, rounded=True)


def _statements(claim: Claim) -> Iterator[str]:
    yield claim.text
    for quote in (*claim.places, *claim.assumptions):
        yield quote.words


def _is_own(claim: Claim, passage: Passage, line: Line) -> bool:
    """True for what the claim quotes, and for the other rows of a table of which it quotes one."""
    if passage.place.startswith("Table") and any(quote.place == passage.place for quote in claim.places):
        return True
    text = letters(line.text)
    own = [letters(quote.words) for quote in (*claim.places, *claim.assumptions)]
    return any(words in text or (len(text) > 20 and text in words) for words in own)


def _score(statement: _Text, line: _Text, alike: float) -> float:
    """Return how likely a line speaks of a statement's quantity and says another thing; 0 where it does not."""
    if not statement.stems & line.own:  # a caption alone says nothing about its rows
        return 0.0
    mine, theirs = statement.numbers, line.numbers
    other = _new(theirs, mine) and _new(mine, theirs)
    if other and _same_quantity(statement.counted, line.counted):
        return alike + 0.5
    if other and alike >= _SHARES and any(row.percent for row in mine) and any(row.percent for row in theirs):
        return alike + 0.1
    if alike < _ALIKE or len(statement.stems & line.stems) < _FEWEST:
        return 0.0
    if other:
        return alike
    return alike + 0.2 if _opposed(statement.text, line.text, denied=not (mine and theirs)) else 0.0


def _same_quantity(first: dict[str, list[Numeral]], second: dict[str, list[Numeral]]) -> bool:
    """True where one noun or symbol has a number in each text, and not the same."""
    return any(
        name in second and not any(_alike(number, row) for number in numbers for row in second[name])
        for name, numbers in first.items()
    )


def _counted(text: str, numbers: Sequence[Numeral]) -> dict[str, list[Numeral]]:
    found: dict[str, list[Numeral]] = {}
    for number in numbers:
        behind = _COUNTED.match(text, number.end)
        before = text[max(number.start - 30, 0) : number.start]
        for match in (behind, _SYMBOL.search(before), _MEASURED.search(before)):
            if match is not None and match[1].casefold() not in _LINKS:
                found.setdefault(match[1].casefold()[:_STEM], []).append(number)
    return found


def _opposed(one: str, other: str, *, denied: bool = True) -> bool:
    """True where one text has the opposite of a word of the other, or, with `denied`, only one of them denies."""
    if denied and bool(_DENIES.search(one)) != bool(_DENIES.search(other)):
        return True
    first, second = _stems(one), _stems(other)
    return any((a in first and b in second) or (b in first and a in second) for a, b in _OPPOSITES)


def _stems(text: str) -> frozenset[str]:
    return frozenset(word[:_STEM] for word in _WORD.findall(_COMMAND.sub(" ", text).casefold()))
