"""Contracts over time: nothing is lost, nothing is altered unnoticed, nothing gets looser once results were seen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from agentsys.core.errors import UsageError
from agentsys.plan.claims.amendment import Contracts, LoosenedRule, freeze, loosened_rule
from agentsys.plan.claims.contract import Contract
from agentsys.plan.claims.rule import Rule
from unit.plan.claims.test_contract import DIFFERENCE, GOOD, NONE, SLOPE

BASE: dict[str, Any] = {**GOOD, "grid": {"n": ["100"]}, "horizon": {"axis": "n", "at_least": 100}}


def made(**change: Any) -> Contract:
    return Contract.model_validate({**BASE, **change})


def test_an_amendment_keeps_what_was_before_it() -> None:
    frozen = freeze((made(),))
    after = frozen.amended(made(seeds=20), "more seeds for a narrower interval", results_seen=True)
    assert [each.contract.seeds for each in after.claims["C1"]] == [5, 20]
    assert after.claims["C1"][1].reason == "more seeds for a narrower interval"
    assert after.current("C1").seeds == 20
    assert frozen.current("C1").seeds == 5


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": 20},
        {"horizon": {"axis": "n", "at_least": 1e5}},
        {"grid": {"n": ["100", "200"], "d": ["3"]}},
        {"toy_below": {"n": 100, "seeds": 5}},
        {"accept": {**DIFFERENCE, "low": 0.6, "high": 3.0}},
        {"accept": {**DIFFERENCE, "low": 0.5, "level": 0.99}},
        {"padded": True},
        {"cost": {"cpu_hours": 3}},
        {"baselines": [*GOOD["baselines"], {"method": "c", "quantity": "v", "value": 3.0}]},
    ],
)
def test_asking_for_more_is_allowed_after_results(change: dict[str, Any]) -> None:
    freeze((made(),)).amended(made(**change), "asks for more", results_seen=True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seeds": 4}, "seeds"),
        ({"horizon": {"axis": "n", "at_least": 50}}, "horizon"),
        ({"horizon": None}, "horizon"),
        ({"grid": {"n": ["200"]}}, "grid"),
        ({"toy_below": {"n": 99}}, "toy_below"),
        ({"toy_below": {"d": 3}}, "toy_below"),
        ({"accept": {**DIFFERENCE, "low": 0.4}}, "low"),
        ({"accept": {**DIFFERENCE, "low": 0.5, "level": 0.9}}, "level"),
        ({"accept": {**DIFFERENCE, "low": 0.5, "where": {"n": "100"}}}, "where"),
        ({"accept": {**DIFFERENCE, "low": 0.5, "quantity": "w"}}, "quantity"),
        ({"accept": {**DIFFERENCE, "type": "ratio", "low": 0.5}}, "ratio"),
        ({"falsify": {**DIFFERENCE, "high": -5.0}}, "falsify"),
        ({"falsify": {**DIFFERENCE, "high": 0.1}}, "falsify"),
        ({"control": {"what": "another control that breaks"}}, "control"),
        ({"target": {**GOOD["target"], "value": 0.7}}, "target"),
        ({"deterministic": True}, "deterministic"),
        ({"silent": ["the step size"]}, "silent"),
        ({"domain": "some inputs"}, "domain"),
        ({"baselines": [{"method": "b", "quantity": "v", "value": 3.0}]}, "baselines"),
        ({"count_units": {"batch": "50 step"}}, "count_units"),
    ],
)
def test_what_is_looser_or_only_different_is_refused_after_results(change: dict[str, Any], named: str) -> None:
    frozen = freeze((made(),))
    with pytest.raises(LoosenedRule, match=named):
        frozen.amended(made(**change), "we would like it", results_seen=True)
    assert frozen.amended(made(**change), "before any run", results_seen=False).current("C1") == made(**change)


def test_results_once_seen_stay_seen() -> None:
    seen = freeze((made(),)).amended(made(seeds=20), "more seeds", results_seen=True)
    with pytest.raises(LoosenedRule):
        seen.amended(made(seeds=5), "back", results_seen=False)


@pytest.mark.parametrize(
    ("old", "new", "looser"),
    [
        (SLOPE, {**SLOPE, "settle": 0.05}, False),
        (SLOPE, {**SLOPE, "settle": 0.2}, True),
        (SLOPE, {**SLOPE, "high": None}, True),
        (NONE, {**NONE, "tried": 99}, False),
        (NONE, {**NONE, "bound": 0.5}, True),
        ({"type": "fails", "rule": NONE}, {"type": "fails", "rule": {**NONE, "tried": 99}}, True),
    ],
)
def test_each_number_of_a_rule_has_its_own_direction(old: dict[str, Any], new: dict[str, Any], looser: bool) -> None:
    adapter: TypeAdapter[Rule] = TypeAdapter(Rule)
    one, other = adapter.validate_python(old), adapter.validate_python(new)
    assert bool(loosened_rule(one, other)) is looser


def test_taking_a_part_of_a_rule_out_is_looser() -> None:
    adapter: TypeAdapter[Rule] = TypeAdapter(Rule)
    three = adapter.validate_python({"type": "all_of", "rules": [SLOPE, NONE, SLOPE]})
    two = adapter.validate_python({"type": "all_of", "rules": [SLOPE, NONE]})
    assert loosened_rule(three, two)
    assert not loosened_rule(two, three)


@pytest.mark.parametrize("change", ["contract", "reason", "order", "cut"])
def test_a_record_that_was_altered_is_not_read(change: str) -> None:
    frozen = freeze((made(),)).amended(made(seeds=20), "one", results_seen=True)
    data = json.loads(frozen.amended(made(seeds=30), "two", results_seen=True).model_dump_json())
    entries = data["claims"]["C1"]
    if change == "contract":
        entries[0]["contract"]["accept"]["low"] = 0.1
    elif change == "reason":
        entries[1]["reason"] = "another"
    elif change == "order":
        entries[1], entries[2] = entries[2], entries[1]
    else:
        del entries[1]
    with pytest.raises(ValidationError, match="altered after it was frozen"):
        Contracts.model_validate(data)


def test_an_amendment_without_reason_or_of_an_unknown_claim_is_refused() -> None:
    frozen = freeze((made(),))
    with pytest.raises(UsageError, match="needs its reason"):
        frozen.amended(made(seeds=9), "  ", results_seen=False)
    with pytest.raises(UsageError, match="no claim `C2`"):
        frozen.amended(made(claim="C2"), "new", results_seen=False)
