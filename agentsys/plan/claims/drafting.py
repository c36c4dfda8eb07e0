"""Asks for the contracts of claims. Words, place, kind and target of each come from the audited claim, never again from
the model; what it takes from the paper (grid, data sets, baselines, domain, named tests) is looked up there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

from pydantic import Field, ValidationError

from agentsys.core.artifacts import PaperPlace
from agentsys.core.errors import NoUsableAnswer
from agentsys.core.prompts import render
from agentsys.core.text import cut
from agentsys.llm.client import AnswerError, Model
from agentsys.llm.parse import extract_json
from agentsys.llm.types import Part, Prompt
from agentsys.paper.model import Paper
from agentsys.paper.query import find_section, letters
from agentsys.plan.answers import Answer
from agentsys.plan.claims.claim import Claim
from agentsys.plan.claims.contract import SHOWN_BY, Contract, Missing
from agentsys.plan.claims.extract import ROLE
from agentsys.plan.claims.numerals import states
from agentsys.plan.claims.passages import Passages
from agentsys.plan.claims.rule import TREND_POINTS, Test, Trend, parts
from agentsys.plan.prompt_text import fence_of, quoted

_OURS = ("claim", "text", "place", "kind")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?")
_MAX_FAULTS = 60
_LABELLED = ("Table", "Figure", "Eq.", "Algorithm", "Theorem", "Lemma", "Proposition", "Corollary")


class ContractsAnswer(Answer):
    """Contracts as a model drafts them; each is held to the form of `Contract` afterwards."""

    contracts: tuple[dict[str, object], ...] = Field(min_length=1)


@dataclass
class _Drafting:
    paper: Paper
    source: Passages
    claims: Sequence[Claim]
    told: bool = False
    made: dict[str, Contract] = field(default_factory=dict[str, Contract])
    """Claim -> the last contract of it that has the form."""
    faulty: dict[str, str] = field(default_factory=dict[str, str])
    """Claim -> why a contract of it had not."""

    def take(self, text: str) -> None:
        """Take an answer; contracts that are sound once need not be given again.

        Raises: AnswerError where a contract has not the form, or was not told yet what was found.
        """
        rows = {str(row.get("claim")): row for row in extract_json(text, ContractsAnswer).contracts}
        wanted = [claim.id for claim in self.claims]
        if rows.keys() - set(wanted) or set(wanted) - {*rows, *self.made}:
            raise AnswerError(f"give one contract for each of {', '.join(wanted)}, with its `claim`")
        faults = self._made(rows)
        if faults:
            raise self._refused(faults, set(self.made))
        odd = {name: [*_not_in_paper(one, self.source), *_undecidable(one)] for name, one in self.made.items()}
        found = [f"{name}: {words}" for name, rows in odd.items() for words in rows]
        if found and not self.told:
            self.told = True
            raise self._refused(found, {name for name, rows in odd.items() if not rows})

    def _made(self, rows: Mapping[str, dict[str, object]]) -> list[str]:
        """Take over what has the form, and return the faults of the rest."""
        faults: list[str] = []
        for claim in self.claims:
            if claim.id not in rows:
                continue
            self.made.pop(claim.id, None)
            try:
                self.made[claim.id] = self._contract(claim, rows[claim.id])
            except ValidationError as error:
                mine = [f"{claim.id}: {fault}" for fault in _faults(error)]
                self.faulty[claim.id], faults = mine[0], [*faults, *mine]
        return faults

    def _refused(self, faults: Sequence[str], sound: Collection[str]) -> AnswerError:
        told = "\n".join(f"- {fault}" for fault in faults[:_MAX_FAULTS])
        taken = ", ".join(claim.id for claim in self.claims if claim.id in sound)
        rest = f"The contracts of {taken} are taken as they are: leave them out of your next answer" if taken else ""
        return AnswerError(told, rest)

    def contract(self, claim: Claim) -> Contract:
        """Return the contract of a claim; one that says what is missing where there is none of use."""
        if claim.id in self.made:
            return _silent(self.made[claim.id], list(_not_in_paper(self.made[claim.id], self.source)))
        why = self.faulty.get(claim.id, "")
        return self._blocked(claim, f"a usable contract ({why})" if why else "the paper does not state this claim")

    def _contract(self, claim: Claim, row: dict[str, object]) -> Contract:
        drafted = {name: value for name, value in row.items() if name not in _OURS}
        drafted["target"] = self._target(claim, row.get("target"))
        return Contract.model_validate({**drafted, **self._given(claim)})

    def _given(self, claim: Claim) -> dict[str, object]:
        first = claim.places[0] if claim.places else None
        place = self._place(first.place, first.words) if first is not None else PaperPlace(section="-")
        return {"claim": claim.id, "text": claim.text[:1200], "place": place, "kind": claim.kind}

    def _target(self, claim: Claim, number: object) -> dict[str, object] | None:
        if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= len(claim.targets):
            row = claim.targets[number - 1]
            place = self._place(row.where, "")
            return {"value": row.value, "unit": row.unit, "spread": row.spread, "where": place}
        if claim.kind == "rate" and isinstance(number, dict):  # an exponent is read off a formula, not printed alone
            read = cast("dict[str, object]", number)
            return {"value": read.get("value"), "where": self._given(claim)["place"]}
        return None

    def _place(self, name: str, words: str) -> PaperPlace:
        there = self.source.at(name)
        section = find_section(self.paper, there[0].section) if there else None
        known = (section.number or section.title) if section is not None else name
        label = name if name.startswith(_LABELLED) else ""
        return PaperPlace(section=known, label=label, page=there[0].page if there else None, quote=words)

    def _blocked(self, claim: Claim, what: str) -> Contract:
        missing = (Missing(kind="detail", what=cut(what, 300)),)
        return Contract.model_validate({**self._given(claim), "missing": missing})


async def contracts_of(
    claims: Sequence[Claim], paper: Paper, model: Model, prefix: tuple[Part, ...], data: Sequence[str] = ()
) -> tuple[Contract, ...]:
    """Return a contract for each claim, in their order; one question to the model.

    A claim whose contract never has the form gets one that names the fault as what is missing; the others are kept.

    Args:
        prefix: what the prompts of the planner begin with: rules and paper.
        data: which of the paper's data programs can read, in lines.

    Raises: ProviderError (NoUsableAnswer among them), LimitReached.
    """
    found = [claim for claim in claims if claim.found]
    drafting = _Drafting(paper, Passages(paper), found)
    if found:
        kinds = "; ".join(f"`{kind}` {' or '.join(rules)}" for kind, rules in SHOWN_BY.items())
        shown = [_shown(claim, paper) for claim in found]
        fence = fence_of(paper)
        lines = [quoted(line, fence) for line in data]
        told = {"claims": shown, "shown_by": kinds, "trend_points": TREND_POINTS, "data": lines}
        task = render("plan/claims/contracts", **told, fence=fence)
        try:
            await model.ask(ROLE, "contracts", Prompt(prefix=prefix, body=(Part("task", task),)), drafting.take)
        except NoUsableAnswer:
            if not drafting.made:
                raise
    return tuple(drafting.contract(claim) for claim in claims)


def _shown(claim: Claim, paper: Paper) -> dict[str, object]:
    fence = fence_of(paper)
    quotes = [f"{row.place}: {row.words}" for row in claim.places]
    quotes += [f"assumes ({row.place}): {row.words}" for row in claim.assumptions]
    quotes += [f"contradicted ({row.second.place}): {row.second.words}" for row in claim.contradictions]
    targets = [
        f"{row.value:.10g} {row.unit}{'' if row.spread is None else f' ± {row.spread:g}'} ({row.where}) {row.quantity}"
        for row in claim.targets
    ]
    return {
        "id": claim.id,
        "kind": claim.kind,
        "text": quoted(claim.text, fence),
        "quotes": [quoted(row, fence) for row in quotes],
        "targets": [quoted(row, fence) for row in targets],
    }


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(map(str, fault["loc"]))
        yield f"`{where}`: {fault['msg']}" if where else fault["msg"]


def _not_in_paper(contract: Contract, source: Passages) -> Iterator[str]:
    """Yield a sentence for everything that should be the paper's and does not stand there."""
    numbers = [number for passage in source.all for number in passage.numerals]
    whole = "".join(passage.letters for passage in source.all)
    # `for all n` is too short to have one place, and is the paper's all the same.
    if contract.domain and letters(contract.domain) not in whole and not source.holding(contract.domain):
        yield f"the words of `domain` “{contract.domain[:80]}” stand nowhere in the paper: copy them"
    for key, values in contract.grid.items():
        for value in values:
            number = float(value) if _NUMBER.fullmatch(value) else None
            stands = letters(value) in whole if number is None else states(number, numbers) or _fraction(number, source)
            if not stands:
                yield f"{value} of the grid of `{key}` stands nowhere in the paper: an axis of your own is a `horizon`"
    for row in contract.datasets:
        if letters(row.name) not in whole:
            yield f"the data set `{row.name}` stands nowhere in the paper"
        elif row.size is not None and not states(float(row.size), numbers):
            yield f"the size {row.size} of `{row.name}` stands nowhere in the paper: leave it out"
    for row in contract.baselines:
        if row.value is not None and not states(row.value, numbers):
            yield f"the number {row.value:g} of the baseline `{row.method}` stands nowhere in the paper: give null"
    for rule in (part for one in (contract.accept, contract.falsify) if one is not None for part in parts(one)):
        if isinstance(rule, Test) and not source.holding(rule.quote):
            yield f"the words “{rule.quote[:80]}”, which should name the test, stand nowhere in the paper"


def _undecidable(contract: Contract) -> Iterator[str]:
    """Yield a sentence for every rule that stays undecided whatever is measured."""
    swept = contract.horizon.axis if contract.horizon is not None else ""
    rules = [part for one in (contract.accept, contract.falsify) if one is not None for part in parts(one)]
    for axis in dict.fromkeys(rule.axis for rule in rules if isinstance(rule, Trend) and rule.axis != swept):
        values = [value for value in contract.grid.get(axis, ()) if _NUMBER.fullmatch(value)]
        if len(values) < TREND_POINTS:
            yield (
                f"a trend along `{axis}` needs {TREND_POINTS} values, the grid has {len(values)}: nothing decides it; "
                "take all values that the paper has, or make each value a method and use `ordering`"
            )


def _silent(contract: Contract, found: Sequence[str]) -> Contract:
    """Return a contract that says what of it is not the paper's: where the paper is silent nothing is falsified."""
    if not found:
        return contract
    reasons = tuple(row.partition(":")[0][:300] for row in found)
    return contract.model_copy(update={"silent": (*contract.silent, *reasons)})


def _fraction(value: float, source: Passages) -> bool:
    """True where the paper prints a value as a fraction of small numbers, `1/2`."""
    near = Fraction(value).limit_denominator(50)
    printed = f"{abs(near.numerator)}/{near.denominator}", f"\\frac{{{abs(near.numerator)}}}{{{near.denominator}}}"
    return (
        near.denominator > 1
        and float(near) == value
        and any(form in row.text for row in source.all for form in printed)
    )
