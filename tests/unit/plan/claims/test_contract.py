"""Contracts: what is refused, in words that say what to change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from agentsys.plan.claims.contract import Contract, canonical_hash
from agentsys.plan.claims.rule import Rule
from agentsys.verify.claims.standalone import again

DIFFERENCE = {"type": "difference", "quantity": "v", "method": "a", "baseline": "b"}
GOOD: dict[str, Any] = {
    "claim": "C1",
    "text": "a is larger than b by about one.",
    "place": {"section": "4"},
    "kind": "comparison",
    "target": {"value": 1.0, "where": {"section": "4", "label": "Table 1"}},
    "domain": "all inputs",
    "seeds": 5,
    "accept": {**DIFFERENCE, "low": 0.5},
    "falsify": {**DIFFERENCE, "high": 0.0},
    "control": {"what": "a runs with its step switched off"},
    "baselines": [{"method": "b", "quantity": "v", "value": None}],
    "toy_below": {"n": 100},
}
SLOPE = {"type": "slope", "quantity": "v", "method": "a", "axis": "n", "settle": 0.1, "low": -1.1, "high": -0.9}
NONE = {"type": "no_counterexample", "quantity": "v", "method": "a", "relation": "at_most", "bound": 1.0, "tried": 9}
TEST = {**DIFFERENCE, "type": "test", "test": "wilcoxon", "alternative": "less", "p": 0.05}


def test_a_whole_contract_is_accepted_and_read_back_the_same() -> None:
    contract = Contract.model_validate(GOOD)
    again_ = Contract.model_validate_json(contract.model_dump_json())
    assert again_ == contract
    assert again_.hash == contract.hash


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"falsify": None}, "give both `accept` and `falsify`"),
        ({"accept": None, "falsify": None}, "say under `missing` what keeps the claim from a test"),
        ({"control": None}, "`control` is missing"),
        ({"count_units": {"batch": "fifty runs"}}, "count_units.batch"),
        ({"toy_below": {}}, "`toy_below` is empty"),
        ({"seeds": 2}, "`seeds` is below 3"),
        ({"kind": "number", "target": None}, "needs `target`"),
        ({"kind": "rate"}, "`accept` of a claim of kind rate needs one of: slope"),
        ({"kind": "identity", "domain": ""}, "needs `domain`"),
        ({"accept": {**DIFFERENCE, "low": 1.5}}, "the paper's own value 1 lies outside `accept`"),
        ({"falsify": {**DIFFERENCE, "low": 0.9}}, "the paper's own value 1 would meet `falsify`"),
        ({"falsify": {**DIFFERENCE, "high": 0.6}}, "`accept` and `falsify` overlap"),
        ({"falsify": {"type": "fails", "rule": {**DIFFERENCE, "low": 0.9}}}, "must cover the bounds of `accept`"),
        ({"toy_below": {"seeds": 6}}, "`toy_below` asks seeds >= 6 and the contract reaches 5"),
        ({"grid": {"n": ["10", "50"]}}, "`toy_below` asks n >= 100 and the contract reaches 50"),
        ({"baselines": []}, "baseline 'b' is not in `baselines`"),
        ({"accept": SLOPE}, "axis 'n' stands neither in `grid` nor in `horizon`"),
        ({"accept": {**DIFFERENCE, "low": 0.5, "where": {"case": "control"}}}, "`where` may not name 'case'"),
        ({"grid": {"case": ["control"]}}, "`grid` may not hold 'case'"),
        ({"falsify": {"type": "fails", "rule": NONE}}, "use a `witness` of the opposite relation"),
        ({"falsify": {"type": "fails", "rule": {**TEST, "quote": "a Wilcoxon test"}}}, "refutes nothing"),
        ({"accept": DIFFERENCE}, "without a bound the rule holds for every result"),
        ({"accept": {**DIFFERENCE, "low": 2, "high": 1}}, "exchange them"),
        ({"accept": {**DIFFERENCE, "low": 0.5, "baseline": "a"}}, "name two methods"),
        ({"accept": {**DIFFERENCE, "low": float("nan")}}, "finite"),
        ({"accept": {**TEST, "quote": "as our tests show"}}, "does not name the wilcoxon test"),
        ({"accept": {**SLOPE, "settle": 0.5}}, "`settle` (0.5) is wider than [low, high]"),
        ({"accept": {"type": "python", "code": "True"}}, "does not match any of the expected tags"),
        ({"surprise": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_faulty_contract_is_refused_with_its_remedy(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        Contract.model_validate({**GOOD, **change})
    assert said in str(error.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as error:
        Contract.model_validate({**GOOD, "control": None, "toy_below": {}})
    assert "`control`" in str(error.value)
    assert "`toy_below`" in str(error.value)


@pytest.mark.parametrize("lack", [{"kind": "qualitative"}, {"missing": [{"kind": "data", "what": "the recordings"}]}])
def test_a_claim_that_cannot_be_tested_needs_no_rules(lack: dict[str, Any]) -> None:
    bare = {**GOOD, "accept": None, "falsify": None, "control": None, "toy_below": {}, **lack}
    assert Contract.model_validate(bare).accept is None


def test_the_hash_is_the_records_own_and_sees_every_field() -> None:
    contract = Contract.model_validate(GOOD)
    document = contract.model_dump(mode="json")
    turned = dict(reversed(json.loads(json.dumps(document)).items()))
    assert canonical_hash(turned) == again.canonical_hash(document) == contract.hash
    assert Contract.model_validate({**GOOD, "domain": "some inputs"}).hash != contract.hash


def test_every_kind_of_rule_round_trips_as_plain_json() -> None:
    adapter: TypeAdapter[Rule] = TypeAdapter(Rule)
    for rule in (DIFFERENCE | {"low": 0.0}, SLOPE, NONE, {"type": "fails", "rule": NONE}):
        once = adapter.validate_python(rule)
        assert adapter.validate_json(adapter.dump_json(once)) == once


def test_contracts_from_before_there_were_choices_keep_their_hash() -> None:
    document = Contract.model_validate(GOOD).model_dump(mode="json")
    assert "choices" not in document
    chosen = Contract.model_validate({**GOOD, "choices": ["five runs a seed"]})
    assert chosen.model_dump(mode="json") == {**document, "choices": ["five runs a seed"]}
    assert chosen.hash != Contract.model_validate(GOOD).hash


LESS = {**DIFFERENCE, "low": -1.2, "high": -0.8}


@pytest.mark.parametrize(("text", "taken"), [("a leaves 1.0 less than b.", True), ("a is larger by 1.0.", False)])
def test_only_what_the_paper_calls_less_may_be_a_difference_below_zero(text: str, taken: bool) -> None:
    document = {**GOOD, "text": text, "accept": LESS, "falsify": {**DIFFERENCE, "low": 0.0}}
    if taken:
        assert Contract.model_validate(document).target is not None
    else:
        with pytest.raises(ValidationError, match="a difference is `method` minus `baseline`"):
            Contract.model_validate(document)


def test_what_the_paper_calls_less_may_not_meet_the_falsification_with_its_sign() -> None:
    document = {**GOOD, "text": "a leaves 1.0 less.", "accept": LESS, "falsify": {**DIFFERENCE, "high": -0.9}}
    with pytest.raises(ValidationError, match="own value -1 would meet `falsify`"):
        Contract.model_validate(document)
