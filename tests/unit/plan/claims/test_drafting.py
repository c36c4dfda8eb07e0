"""The asking for contracts, with scripted answers: whose words they hold, what is looked up, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.errors import NoUsableAnswer
from agentsys.core.events import EventLog
from agentsys.llm.client import Model
from agentsys.llm.ledger import Ledger
from agentsys.llm.limits import Limits
from agentsys.llm.pool import Pool
from agentsys.llm.source import LiveSource
from agentsys.llm.store import Store
from agentsys.plan.claims.claim import Claim, Quote, Target
from agentsys.plan.claims.contract import Contract
from agentsys.plan.claims.drafting import contracts_of
from agentsys.plan.claims.rule import TREND_POINTS
from agentsys.verify.claims.standalone import orders
from unit.llm.scripted import ScriptedProvider
from unit.plan.claims.papers import markdown_paper

CLAIM = Claim(
    id="C1",
    text="Averaged gradients reach 69.86 % (Table 1).",
    kind="number",
    places=(Quote(place="Table 1", words="Averaged gradients | 69.86 | 0.35"),),
    targets=(Target(quantity="accuracy", value=69.86, unit="percent", spread=0.35, where="Table 1"),),
)
RATE = CLAIM.model_copy(update={"id": "C2", "kind": "rate", "targets": (), "text": "The error falls like 1/n."})
SILENT = Claim(id="C2", text="The method needs no memory.", kind="qualitative", given="The method needs no memory.")
MEAN = {"type": "mean", "method": "ours", "quantity": "accuracy", "unit": "percent"}
DRAFT: dict[str, Any] = {
    "claim": "C1",
    "target": 1,
    "domain": "We compare on 11 data sets of the collection",
    "grid": {"k": ["5"]},
    "seeds": 20,
    "accept": {**MEAN, "low": 68.8, "high": 70.9},
    "falsify": {**MEAN, "high": 68.1},
    "control": {"what": "the average of a single gradient"},
    "toy_below": {"seeds": 5},
    "baselines": [{"method": "plain", "quantity": "accuracy", "value": 66.2, "unit": "percent"}],
}


class Asked:
    """Claims of one paper, and a model whose answers are written down (scripted)."""

    def __init__(self, folder: Path, *script: str) -> None:
        self.folder = folder
        self.paper = markdown_paper(folder)
        self.provider = ScriptedProvider(script)

    async def contracts(self, *claims: Claim) -> tuple[Contract, ...]:
        store = Store(self.folder / "llm")
        ledger = Ledger(self.folder / "llm" / "ledger.jsonl", store)
        limits, events = Limits(None, None, None), EventLog(None, "test")
        source = LiveSource({"": self.provider}, limits, ledger, events, attempts=1, turns=Pool(1), backoff=0.0)
        return await contracts_of(claims, self.paper, Model(source, store, ledger, limits, events), ())

    @property
    def feedback(self) -> list[str]:
        return [fault for _, rounds in self.provider.asked for _, fault in rounds]


def answer(*contracts: dict[str, Any]) -> str:
    return json.dumps({"contracts": contracts})


async def test_words_place_kind_and_target_are_those_of_the_audited_claim(tmp_path: Path) -> None:
    theirs = {**DRAFT, "text": "Something weaker is claimed.", "kind": "qualitative", "place": {"section": "9"}}
    (made,) = await Asked(tmp_path, answer(theirs)).contracts(CLAIM)
    assert (made.text, made.kind) == (CLAIM.text, "number")
    assert (made.place.section, made.place.label, made.place.quote) == ("3", "Table 1", CLAIM.places[0].words)
    assert made.target is not None
    assert (made.target.value, made.target.spread, made.target.where.label) == (69.86, 0.35, "Table 1")


async def test_a_target_that_the_model_writes_itself_is_not_taken(tmp_path: Path) -> None:
    theirs = {**DRAFT, "target": {"value": 60.0}}
    with pytest.raises(NoUsableAnswer, match="needs `target`"):
        await Asked(tmp_path, *[answer(theirs)] * 3).contracts(CLAIM)


async def test_the_exponent_of_a_rate_may_be_read_off_its_formula(tmp_path: Path) -> None:
    (made,) = await Asked(tmp_path, answer(DRAFTED_RATE)).contracts(RATE)
    assert made.target is not None and made.target.value == -1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"grid": {"k": ["5", "7"]}}, "7 of the grid of `k`"),
        ({"datasets": [{"name": "IMAGENET"}]}, "the data set `IMAGENET`"),
        ({"baselines": [{**DRAFT["baselines"][0], "value": 61.5}]}, "the number 61.5 of the baseline `plain`"),
        ({"domain": "for every function on every space"}, "the words of `domain`"),
    ],
    ids=["grid", "data set", "baseline", "domain"],
)
async def test_what_is_not_the_papers_is_told_once_and_then_stands_as_silence(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    theirs = answer({**DRAFT, **change})
    asked = Asked(tmp_path, theirs, theirs)
    (made,) = await asked.contracts(CLAIM)
    assert words in asked.feedback[0]
    assert len(made.silent) == 1 and words in made.silent[0]


TREND = {"type": "trend", "method": "ours", "quantity": "accuracy", "unit": "percent", "axis": "k", "min_tau": 0.9}
RISES = CLAIM.model_copy(update={"kind": "trend"})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"grid": {"k": ["5", "10"]}}, True),
        ({"grid": {"k": ["5", "10"]}, "horizon": {"axis": "k", "at_least": 640}}, False),
        ({"grid": {"k": ["5", "10", "20", "32", "11"]}}, False),
    ],
)
async def test_a_trend_over_too_few_values_to_be_decided_is_told_before_it_is_frozen(
    tmp_path: Path, change: dict[str, Any], told: bool
) -> None:
    rules = {"accept": {**TREND, "direction": "increasing"}, "falsify": {**TREND, "direction": "decreasing"}}
    theirs = answer({**DRAFT, **rules, **change})
    asked = Asked(tmp_path, theirs, theirs)
    (made,) = await asked.contracts(RISES)
    assert ("a trend along `k` needs 5 values, the grid has 2" in "".join(asked.feedback)) is told
    assert made.silent == (), "what cannot be decided is no silence of the paper"


def test_as_many_values_are_asked_for_as_the_statistic_needs() -> None:
    assert orders._FEWEST_POINTS == TREND_POINTS


async def test_a_fraction_that_the_paper_prints_is_a_value_of_its_grid(tmp_path: Path) -> None:
    asked = Asked(tmp_path, answer({**DRAFT, "grid": {"k": ["0.5"]}}))
    asked.paper = asked.paper.model_copy(update={"footnotes": ("We also tried k = 1/2.",)})
    (made,) = await asked.contracts(CLAIM)
    assert made.silent == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"accept": {**MEAN, "low": 0.0}}, "overlap"),
        ({"control": None}, "`control` is missing"),
        ({"accept": {**MEAN, "low": 75.0}}, "lies outside `accept`"),
        ({"accept": {"type": "looks good"}}, "accept"),
        ({"code": "import os"}, "code"),
        ({"claim": "C7"}, "give one contract for each of C1"),
    ],
    ids=["overlap", "no control", "own value outside", "no rule", "another key", "another claim"],
)
async def test_a_contract_that_cannot_be_used_is_refused_with_its_fault(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    asked = Asked(tmp_path, *[answer({**DRAFT, **change})] * 3)
    with pytest.raises(NoUsableAnswer):
        await asked.contracts(CLAIM)
    assert words in asked.feedback[0]


async def test_a_claim_that_the_paper_does_not_state_is_blocked_without_a_question(tmp_path: Path) -> None:
    asked = Asked(tmp_path, answer(DRAFT))
    first, second = await asked.contracts(CLAIM, SILENT)
    assert (first.claim, second.claim) == ("C1", "C2")
    assert [row.kind for row in second.missing] == ["detail"]
    assert (await Asked(tmp_path / "none").contracts(SILENT.model_copy(update={"id": "C1"})))[0].missing


SLOPE: dict[str, Any] = {"type": "slope", "method": "ours", "quantity": "error", "axis": "n", "settle": 0.1}
DRAFTED_RATE = {
    **DRAFT,
    "claim": "C2",
    "target": {"value": -1},
    "horizon": {"axis": "n", "at_least": 1000},
    "accept": {**SLOPE, "low": -1.1, "high": -0.9},
    "falsify": {**SLOPE, "low": -0.7},
}


async def test_one_contract_without_its_form_costs_the_others_nothing(tmp_path: Path) -> None:
    bad = {**DRAFTED_RATE, "control": None}
    asked = Asked(tmp_path, answer(DRAFT, bad), answer(bad), answer(bad))
    first, second = await asked.contracts(CLAIM, RATE)
    assert first.accept is not None and not first.missing
    assert second.accept is None and "`control` is missing" in second.missing[0].what
    assert "The contracts of C1 are taken as they are" in asked.feedback[0]


async def test_only_the_faulty_contract_needs_to_be_given_again(tmp_path: Path) -> None:
    asked = Asked(tmp_path, answer(DRAFT, {**DRAFTED_RATE, "control": None}), answer(DRAFTED_RATE))
    first, second = await asked.contracts(CLAIM, RATE)
    assert first.accept is not None and second.accept is not None and not second.missing


async def test_contracts_without_fault_are_asked_for_only_once(tmp_path: Path) -> None:
    odd = {**DRAFTED_RATE, "domain": "for every function on every space"}
    asked = Asked(tmp_path, answer(DRAFT, odd), answer(DRAFTED_RATE))
    first, second = await asked.contracts(CLAIM, RATE)
    assert first.silent == second.silent == ()
    assert "leave them out of your next answer, and answer for the others" in asked.feedback[0]
    assert "whole question" not in asked.feedback[0]


async def test_every_fault_of_an_answer_is_told_at_once(tmp_path: Path) -> None:
    grid = {f"k{number}": ["a b"] for number in range(20)}
    asked = Asked(tmp_path, answer({**DRAFT, "grid": grid}), answer(DRAFT))
    await asked.contracts(CLAIM)
    assert all(f"grid.{key}.0" in asked.feedback[0] for key in grid)


async def test_numbers_of_a_grid_are_taken_as_they_are_printed(tmp_path: Path) -> None:
    asked = Asked(
        tmp_path, answer({**DRAFT, "grid": {"k": [5, 0.35]}, "accept": {**DRAFT["accept"], "where": {"k": 5}}})
    )
    (made,) = await asked.contracts(CLAIM)
    assert made.grid == {"k": ("5", "0.35")} and made.silent == ()


async def test_what_is_merely_fixed_is_no_silence_of_the_paper(tmp_path: Path) -> None:
    (made,) = await Asked(tmp_path, answer({**DRAFT, "choices": ["each seed averages 200 runs"]})).contracts(CLAIM)
    assert made.choices == ("each seed averages 200 runs",) and made.silent == ()


@pytest.mark.parametrize("domain", ["for every n", "Theorem 1 Let f be convex ... for every n at least 1"])
async def test_a_domain_may_be_a_few_words_of_the_paper(tmp_path: Path, domain: str) -> None:
    (made,) = await Asked(tmp_path, answer({**DRAFT, "domain": domain})).contracts(CLAIM)
    assert (made.domain, made.silent) == (domain, ())
