"""The source audit of a claim: what it quotes stands in the paper where it says, and so does every number of it.

No model takes part. What the paper corrects is corrected and said; what it does not decide is a finding, one sentence
that who stated the claim is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agentsys.paper.query import SHORTEST_QUOTE, letters
from agentsys.plan.claims.align import nearest
from agentsys.plan.claims.claim import Claim, Correction, Quote, Target
from agentsys.plan.claims.numerals import Numeral, numerals, same, size, states
from agentsys.plan.claims.passages import Passage, Passages

Misquote = tuple[str, str]
"""A number as a claim says it, and as the model read it in the paper."""
_PLACE = re.compile(
    r"\(((?:Tables?|Figures?|Fig\.|Eqs?\.|Equations?|Algorithms?|Theorems?|Lemmas?|Propositions?|Sections?|Appendix)\s[^()]*"
    r"(?:\([^()]*\)[^()]*)?)\)\s*\.?$"
)
_NEAR = 1.25
"""Times by which a misquoted number may differ from what it is taken for."""


@dataclass
class _Audit:
    """What is known while one claim is held against the paper."""

    claim: Claim
    source: Passages
    misquotes: Sequence[Misquote]
    places: list[Quote] = field(default_factory=list[Quote])
    there: list[Numeral] = field(default_factory=list[Numeral])
    """Numbers of the passages that the claim rests on."""
    quoted: list[Numeral] = field(default_factory=list[Numeral])
    """Numbers of the quotations themselves."""
    swaps: list[tuple[Numeral, Numeral]] = field(default_factory=list[tuple[Numeral, Numeral]])
    corrections: list[Correction] = field(default_factory=list[Correction])
    findings: list[str] = field(default_factory=list[str])


def audit(claim: Claim, source: Passages, misquotes: Sequence[Misquote] = ()) -> tuple[Claim, list[str]]:
    """Return a claim as the paper has it, and what stays open.

    Quotations that stand nowhere and targets that the paper does not state are not kept.

    Args:
        misquotes: numbers that a model holds for misquoted; taken only where the paper's quoted words say so too.
    """
    work = _Audit(claim, source, misquotes)
    for quote in claim.places:
        _check_quote(work, quote)
    work.there += _numbers(_named(work))
    targets = tuple(kept for target in claim.targets if (kept := _target(work, target)) is not None)
    text = _with_place(work, _text(work, targets))
    assumptions = tuple(kept for quote in claim.assumptions if (kept := _assumption(work, quote)) is not None)
    checked = claim.model_copy(
        update={
            "text": text,
            "places": tuple(work.places),
            "targets": targets,
            "assumptions": assumptions,
            "corrections": (*claim.corrections, *dict.fromkeys(work.corrections)),
            "doubts": (*claim.doubts, *work.findings),
        }
    )
    return checked, work.findings


def _check_quote(work: _Audit, quote: Quote) -> None:
    found = work.source.quote(quote.place, quote.words)
    if found is None:
        meant = nearest(quote.words, work.source.at(quote.place)) or nearest(quote.words, work.source.all)
        if meant is None:
            work.findings.append(f"the words “{quote.words}” {_absent(quote.words)}")
            return
        found = Quote(place=meant.passage.place, words=meant.words, page=meant.passage.page)
        if work.source.holding(meant.words, work.source.at(quote.place)):
            found = found.model_copy(update={"place": quote.place})
        work.swaps += meant.swaps
        work.corrections.append(Correction(what="words", said=quote.words, paper=found.words, where=found.place))
    if found.place != quote.place:
        work.corrections.append(Correction(what="place", said=quote.place, paper=found.place, where=found.place))
    work.places.append(found)
    work.quoted += numerals(found.words)
    for passage in work.source.holding(found.words, work.source.at(found.place)) or work.source.holding(found.words):
        work.there += passage.numerals


def _named(work: _Audit) -> tuple[Passage, ...]:
    """Return the tables, figures, formulas and theorems that the claim names."""
    names = [work.claim.text, *(target.where for target in work.claim.targets)]
    found = (passage for name in names for passage in work.source.at(name, sections=False))
    return tuple(dict.fromkeys(found))


def _target(work: _Audit, target: Target) -> Target | None:
    here = _numbers(work.source.at(target.where))
    if not states(target.value, here):
        if states(target.value, work.there):
            place = next((row.place for row in work.places if states(target.value, numerals(row.words))), "")
            place = place or next(row.place for row in work.source.all if states(target.value, row.numerals))
            work.corrections.append(Correction(what="place", said=target.where, paper=place, where=place))
            target = target.model_copy(update={"where": place})
        elif meant := _meant(work, Numeral(target.value, f"{target.value:g}", 0, 0)):
            change = Correction(what="number", said=f"{target.value:g}", paper=meant.text, where=target.where)
            work.corrections.append(change)
            target = target.model_copy(update={"value": meant.value})
        else:
            work.findings.append(f"the number {target.value:g} of its targets does not stand in {target.where}")
            return None
    if target.spread is not None and not states(target.spread, [*here, *work.there]):
        work.findings.append(f"the spread {target.spread:g} does not stand in {target.where}")
        target = target.model_copy(update={"spread": None})
    return target


def _text(work: _Audit, targets: Sequence[Target]) -> str:
    """Return the claim's sentence with misquoted numbers put right."""
    text = work.claim.text
    for number in reversed(numerals(text)):
        meant = _told(work, number)
        if meant is None:
            if _stated(work, number, targets):
                continue
            meant = _meant(work, number)
        if meant is None:
            work.findings.append(f"the number {number.text} of the claim stands at none of the places it names")
            continue
        where = next((row.place for row in work.places if states(meant.value, numerals(row.words))), "")
        work.corrections.append(Correction(what="number", said=number.text, paper=meant.text, where=where))
        text = text[: number.start] + meant.text + text[number.end :]
    return text


def _with_place(work: _Audit, text: str) -> str:
    """Return the sentence with the place at its end put right, where none of its quotations stands there."""
    found = _PLACE.search(text)
    if found is None or not work.places:
        return text
    named = work.source.at(found[1])
    if any(work.source.holding(quote.words, named) or _speaks_of(work, quote, named) for quote in work.places):
        return text
    kind = found[1].split()[0]
    places = [quote.place for quote in work.places]
    place = next((row for row in places if row.startswith(kind)), places[0])
    work.corrections.append(Correction(what="place", said=found[1], paper=place, where=place))
    return f"{text[: found.start(1)]}{place}{text[found.end(1) :]}"


def _speaks_of(work: _Audit, quote: Quote, named: Sequence[Passage]) -> bool:
    """True where the passage that is quoted refers to a place, as the text about a table does."""
    around = work.source.holding(quote.words, work.source.at(quote.place)) or work.source.holding(quote.words)
    return any(row in named for passage in around for row in work.source.at(passage.text, sections=False))


def _told(work: _Audit, number: Numeral) -> Numeral | None:
    """Return what the model read instead of a number, where a quotation has that number and not the claim's."""
    if any(same(number, other) for other in work.quoted):
        return None
    for said, paper in work.misquotes:
        if any(same(number, other) for other in numerals(said)):
            read = numerals(paper)
            return next((row for row in work.quoted if any(same(row, other) for other in read)), None)
    return None


def _stated(work: _Audit, number: Numeral, targets: Iterable[Target]) -> bool:
    # `falls by 0.13` stands in a table as -0.13.
    if any(same(size(number), size(other), rounded=True) for other in work.there):
        return True
    return any(states(abs(row.value), [size(number)]) for row in targets) or _named_so(work, number)


def _named_so(work: _Audit, number: Numeral) -> bool:
    """True where a number belongs to a name that the paper uses (`WMT 2014`): it stands there behind the same word."""
    before = re.search(r"([^\W\d_]{2,})[\s-]*$", work.claim.text[: number.start])
    wanted = letters(before[1] + number.text) if before else ""
    return bool(wanted) and any(
        wanted in row.letters and any(same(number, other) for other in row.numerals) for row in work.source.all
    )


def _meant(work: _Audit, number: Numeral) -> Numeral | None:
    """Return the number that the paper has in the place of a misquoted one; None where that is not plain."""
    for said, paper in work.swaps:
        if same(said, number):
            return paper
    own = numerals(work.claim.text)
    candidates = {
        row.value: row
        for row in work.quoted
        if not any(same(row, other, rounded=True) for other in own)
        and row.percent == number.percent
        and bool(row.decimals) == bool(number.decimals)
        and number.value * row.value > 0
        and 1 / _NEAR <= row.value / number.value <= _NEAR
    }
    return next(iter(candidates.values())) if len(candidates) == 1 else None


def _assumption(work: _Audit, quote: Quote) -> Quote | None:
    found = work.source.quote(quote.place, quote.words)
    if found is None:
        work.findings.append(f"the words “{quote.words}” of an assumption {_absent(quote.words)}")
    elif found.place != quote.place:
        work.corrections.append(Correction(what="place", said=quote.place, paper=found.place, where=found.place))
    return found


def _absent(words: str) -> str:
    if len(letters(words)) < SHORTEST_QUOTE:
        return "are too few to be found again: quote more of the sentence"
    return "stand nowhere in the paper"


def _numbers(passages: Iterable[Passage]) -> list[Numeral]:
    return [number for passage in passages for number in passage.numerals]
