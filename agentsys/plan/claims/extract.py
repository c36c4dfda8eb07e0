"""Asks for the claims of a paper, and holds the answers against it before anything else sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agentsys.core.prompts import render
from agentsys.llm.client import AnswerError, Model
from agentsys.llm.parse import extract_json
from agentsys.llm.types import Part, Prompt
from agentsys.paper.model import Paper
from agentsys.plan.claims.answers import ClaimAnswer, ClaimsAnswer, ConflictAnswer, ConflictsAnswer
from agentsys.plan.claims.check import audit
from agentsys.plan.claims.claim import MIN_TEXT, Claim, Claims, Contradiction, LeftOut, Quote, Target
from agentsys.plan.claims.conflicts import Doubtful, doubtful, kept
from agentsys.plan.claims.numerals import Numeral, numerals, same, states
from agentsys.plan.claims.passages import Passages
from agentsys.plan.prompt_text import fence_of, quoted

ROLE = "planner"
LEAST, MOST = 3, 8
"""Claims that are asked for where none are given."""
_MAX_FINDINGS = 20
_CONTEXT = 40
"""Characters around a number of the abstract that are shown."""


@dataclass
class _Reading:
    """Claims on their way from an answer to the file."""

    source: Passages
    given: Sequence[str]
    told: bool = False
    """The findings of an audit went back to the model: that is done once."""
    claims: list[Claim] = field(default_factory=list[Claim])
    unfounded: list[Claim] = field(default_factory=list[Claim])
    left_out: tuple[LeftOut, ...] = ()
    dropped: int = 0

    def take(self, text: str) -> None:
        """Take an answer. Raises: AnswerError where it cannot be used, or was not told yet what the audit found."""
        answer = extract_json(text, ClaimsAnswer)
        self._check_number(answer)
        self.claims, self.unfounded, self.dropped = [], [], 0
        findings: list[str] = []
        for number, row in enumerate(answer.claims, 1):
            claim, found = self._audited(f"C{number}", row, self.given[number - 1] if self.given else "")
            findings += [f"C{number}: {finding}" for finding in found]
            (self.claims if claim.found or self.given else self.unfounded).append(claim)
        if not self.given:
            findings += self._cover(answer)
        if findings and not self.told:
            self.told = True
            raise AnswerError("\n".join(f"- {finding}" for finding in findings[:_MAX_FINDINGS]))
        if not self.claims:
            raise AnswerError("none of the claims quotes words that stand in the paper")
        self.claims = [claim.model_copy(update={"id": f"C{n}"}) for n, claim in enumerate(self.claims, 1)]

    def _check_number(self, answer: ClaimsAnswer) -> None:
        if not self.given:
            if len(answer.claims) > MOST:
                raise AnswerError(f"{len(answer.claims)} claims are too many: give the {MOST} that carry the paper")
            if missing := [n for n, row in enumerate(answer.claims, 1) if len(row.text.strip()) < MIN_TEXT]:
                raise AnswerError(f"claim {missing[0]} has no `text`")
        elif [row.id for row in answer.claims] != [f"C{n}" for n in range(1, len(self.given) + 1)]:
            raise AnswerError(f"give one entry for each claim C1 to C{len(self.given)}, in this order, with its `id`")

    def _audited(self, name: str, row: ClaimAnswer, given: str) -> tuple[Claim, list[str]]:
        draft = Claim(
            id=name,
            text=given or " ".join(row.text.split()),
            kind=row.kind,
            headline=row.headline,
            places=tuple(_plain(quote) for quote in row.places if quote.words),
            targets=tuple(Target.model_validate(target.model_dump()) for target in row.targets),
            assumptions=tuple(_plain(quote) for quote in row.assumptions if quote.words),
            given=given,
        )
        if not draft.places and not given:
            return draft, ["it quotes no words of the paper"]
        if not draft.places:
            return draft.model_copy(update={"targets": (), "doubts": ("the paper does not state it",)}), []
        claim, findings = audit(draft, self.source, [(item.said, item.paper) for item in row.misquotes])
        both = [kept(_plain(item.first), _plain(item.second), item.what, self.source) for item in row.contradictions]
        true = [item for item in both if item is not None]
        self.dropped += len(both) - len(true)
        return claim.model_copy(update={"contradictions": _once(true)}), findings

    def _cover(self, answer: ClaimsAnswer) -> list[str]:
        """Note which numbers of the abstract are in no claim, and return a finding for each without a reason."""
        rows: list[LeftOut] = []
        for number, words in headline_numbers(self.source):
            if any(_says(claim, number) for claim in self.claims):
                continue
            reasons = (row.why for row in answer.left_out if any(same(number, other) for other in numerals(row.number)))
            rows.append(LeftOut(number=number.text, words=words, why=next(reasons, "")))
        self.left_out = tuple(rows)
        few = (
            [f"{len(answer.claims)} claims are few: at least {LEAST} carry a paper"]
            if len(answer.claims) < LEAST
            else []
        )
        return few + [
            f"the abstract states {row.number} (“{row.words}”): put it into a claim, or into `left_out` with the reason"
            for row in rows
            if not row.why
        ]


async def claims_of(
    paper: Paper, model: Model, prefix: tuple[Part, ...], *, given: Sequence[str] = (), request: str = ""
) -> Claims:
    """Return the claims of a paper, each held against the paper's words; two questions to the model at most.

    Args:
        prefix: what the prompts of the planner begin with: rules and paper.
        given: claims that were handed in; without, the model reads them from the paper.
        request: what the user wants in particular.

    Raises: ProviderError (NoUsableAnswer among them), LimitReached.
    """
    fence = fence_of(paper)
    reading = _Reading(Passages(paper), given)
    if given:
        task = render("plan/claims/given", given=[quoted(text, fence) for text in given], fence=fence)
    else:
        task = render("plan/claims/claims", least=LEAST, most=MOST, request=request)
    await model.ask(ROLE, "claims", Prompt(prefix=prefix, body=(Part("task", task),)), reading.take)
    passages = doubtful([claim for claim in reading.claims if claim.found], reading.source)
    if passages:
        prompt = Prompt(prefix=(), body=(Part("task", _conflict_task(paper, reading.claims, passages, fence)),))
        await model.ask(ROLE, "contradictions", prompt, _compared(reading, passages))
    return Claims(
        paper=paper.sha256,
        title=paper.title,
        claims=tuple(reading.claims),
        unfounded=tuple(reading.unfounded),
        left_out=reading.left_out,
        examined=len(passages),
        dropped=reading.dropped,
    )


def headline_numbers(source: Passages) -> list[tuple[Numeral, str]]:
    """Return the numbers of title and abstract that may be results, each with the words around it.

    Years and small counts are none: a share, a decimal, a factor or a number of two digits may be one.
    """
    found: dict[float, tuple[Numeral, str]] = {}
    for passage in source.all:
        if passage.place not in ("Title", "Abstract"):
            continue
        for row in passage.numerals:
            year = not row.decimals and 1900 <= row.value <= 2100
            if not year and (row.percent or row.decimals or abs(row.value) >= 10):
                around = passage.text[max(row.start - _CONTEXT, 0) : row.end + _CONTEXT]
                found.setdefault(row.value, (row, " ".join(around.split())))
    return list(found.values())


def _conflict_task(paper: Paper, claims: Sequence[Claim], passages: Sequence[Doubtful], fence: str) -> str:
    concerned = {row.claim for row in passages}
    shown = [
        {
            "id": claim.id,
            "text": quoted(claim.text, fence),
            "quotes": [quoted(f"{row.place}: {row.words}", fence) for row in (*claim.places, *claim.assumptions)],
        }
        for claim in claims
        if claim.id in concerned
    ]
    rows = [
        {"id": row.id, "claim": row.claim, "place": quoted(row.passage.place, fence), "text": quoted(row.shown, fence)}
        for row in passages
    ]
    title = quoted(paper.title, fence)
    return render("plan/claims/contradictions", title=title, claims=shown, passages=rows, fence=fence)


def _compared(reading: _Reading, passages: Sequence[Doubtful]) -> Callable[[str], None]:
    by_id = {row.id: row for row in passages}
    before = list(reading.claims), reading.dropped

    def take(text: str) -> None:
        answer = extract_json(text, ConflictsAnswer)
        reading.claims, reading.dropped = list(before[0]), before[1]
        for row in answer.contradictions:
            found = _kept(row, by_id, reading)
            at = next((n for n, claim in enumerate(reading.claims) if claim.id == row.claim), None)
            if found is None or at is None:
                reading.dropped += 1
                continue
            claim = reading.claims[at]
            both = _once([*claim.contradictions, found])
            reading.claims[at] = claim.model_copy(update={"contradictions": both})

    return take


def _kept(row: ConflictAnswer, passages: dict[str, Doubtful], reading: _Reading) -> Contradiction | None:
    """Return a contradiction whose quotations stand at a place of the claim and in the passage that was shown."""
    shown = passages.get(row.passage)
    if shown is None or not reading.source.holding(row.second, (shown.passage,)):
        return None
    claim = next((claim for claim in reading.claims if claim.id == row.claim), None)
    own = (*claim.places, *claim.assumptions) if claim is not None else ()
    place = next(
        (quote.place for quote in own if reading.source.holding(row.first, reading.source.at(quote.place))), ""
    )
    if not place:
        return None
    second = Quote(place=shown.passage.place, words=row.second)
    return kept(Quote(place=place, words=row.first), second, row.what, reading.source)


def _says(claim: Claim, number: Numeral) -> bool:
    if any(states(target.value, [number]) for target in claim.targets):
        return True
    texts = [claim.text, *(quote.words for quote in (*claim.places, *claim.assumptions))]
    return any(same(row, number, rounded=True) or same(number, row, rounded=True) for t in texts for row in numerals(t))


def _plain(quote: Quote) -> Quote:
    return Quote(place=quote.place, words=quote.words)


def _once(rows: Sequence[Contradiction]) -> tuple[Contradiction, ...]:
    return tuple({(row.first.words, row.second.words): row for row in rows}.values())
