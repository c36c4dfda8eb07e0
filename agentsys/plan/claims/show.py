"""The claims of a paper as lines for a person. Every text of them is a paper's or a model's: made harmless here."""

from __future__ import annotations

from collections.abc import Iterator

from agentsys.core.numbers import plural
from agentsys.core.text import clean_line
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.claims.claim import Claim, Claims, Quote, Target
from agentsys.plan.claims.contract import Contract
from agentsys.plan.claims.words import rule_words

_LONG = 2000


def lines(found: Claims, contracts: Contracts | None = None) -> Iterator[str]:
    """Yield the list: a summary, then each claim with its places, numbers, corrections, contradictions and contract."""
    corrected = sum(bool(claim.corrections) for claim in found.claims)
    against = sum(bool(claim.contradictions) for claim in found.claims)
    silent = sum(not claim.found for claim in found.claims)
    yield (
        f"{plural(len(found.claims), 'claim')} of “{clean_line(found.title, 120)}”: {corrected} corrected, "
        f"{against} contradicted elsewhere in the paper, {silent} not found in it"
    )
    for claim in found.claims:
        yield ""
        yield from _claim(claim)
        if contracts is not None:
            yield from _contract(contracts.current(claim.id))
    yield ""
    for row in found.left_out:
        reason = clean_line(row.why, 200) or "no reason given"
        yield f"not in a claim: {clean_line(row.number, 40)} of the abstract (“{clean_line(row.words)}”): {reason}"
    for claim in found.unfounded:
        yield f"not used, its words stand nowhere in the paper: {clean_line(claim.text, 300)}"
    held = plural(found.examined, "passage")
    yield f"{held} of like things held against the claims; {_dropped(found.dropped)}"


def _claim(claim: Claim) -> Iterator[str]:
    marks = [
        claim.kind,
        *(["headline"] if claim.headline else []),
        *([] if claim.found else ["NOT FOUND in the paper"]),
    ]
    yield f"{claim.id} ({', '.join(marks)}) {clean_line(claim.text, _LONG)}"
    if claim.given and claim.given != claim.text:
        yield f"    given as: {clean_line(claim.given, _LONG)}"
    for quote in claim.places:
        yield f"    {_quote(quote)}"
    for target in claim.targets:
        yield f"    {_target(target)}"
    for quote in claim.assumptions:
        yield f"    assumes: {_quote(quote)}"
    for row in claim.corrections:
        where = f" ({clean_line(row.where, 60)})" if row.where and row.where != row.paper else ""
        yield f"    CORRECTED {row.what}: said “{clean_line(row.said)}”, the paper has “{clean_line(row.paper)}”{where}"
    for row in claim.contradictions:
        yield f"    CONTRADICTED: {clean_line(row.what, 400)}"
        yield f"        {_quote(row.first)}"
        yield f"        {_quote(row.second)}"
    for doubt in claim.doubts:
        yield f"    in doubt: {clean_line(doubt, 400)}"


def _contract(contract: Contract) -> Iterator[str]:
    for name, rule in (("accept", contract.accept), ("falsify", contract.falsify)):
        if rule is not None:
            yield f"    {name}: {clean_line(rule_words(rule), 400)}"
    if contract.control is not None:
        yield f"    control: {clean_line(contract.control.what, 300)}"
    for missing in contract.missing:
        yield f"    missing {missing.kind}: {clean_line(missing.what, 300)}"
    for silent in contract.silent:
        yield f"    the paper does not say: {clean_line(silent, 300)}"
    for choice in contract.choices:
        yield f"    fixed here: {clean_line(choice, 300)}"
    yield f"    contract {contract.hash[:12]}"


def _quote(quote: Quote) -> str:
    page = f", p. {quote.page}" if quote.page else ""
    return f"{clean_line(quote.place, 80)}{page}: “{clean_line(quote.words, 400)}”"


def _target(target: Target) -> str:
    spread = f" ± {target.spread:g}" if target.spread is not None else ""
    unit = f" {clean_line(target.unit, 40)}" if target.unit else ""
    quantity = f": {clean_line(target.quantity, 160)}" if target.quantity else ""
    return f"= {target.value:.10g}{spread}{unit} ({clean_line(target.where, 80)}){quantity}"


def _dropped(number: int) -> str:
    said = plural(number, "contradiction")
    return f"{said} of the model dropped, since its quotations do not show it" if number else "none was dropped"
