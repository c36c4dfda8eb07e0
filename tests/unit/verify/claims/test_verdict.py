"""The table of verdicts: every branch, and what no verdict may rest on."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from agentsys.verify.claims.standalone import verdict
from agentsys.verify.claims.standalone.reasons import REASONS
from agentsys.verify.claims.standalone.verdict import VERDICTS, Decision, Evidence, decide

FOR: dict[str, Any] = {
    "accept": "holds",
    "falsify": "fails",
    "control": "fails",
    "checker": "agrees",
    "reviewer": "clean",
}
AGAINST: dict[str, Any] = {**FOR, "accept": "fails", "falsify": "holds"}


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (FOR, ("verified", "supports")),
        ({**FOR, "falsify": "undecided"}, ("verified", "supports")),
        ({**FOR, "checker": "absent"}, ("verified", "supports", "checker_missing")),
        ({**FOR, "reviewer": "absent"}, ("verified", "supports", "review_missing")),
        ({**FOR, "silent": True}, ("verified", "supports", "paper_silent")),
        ({**FOR, "reviewer": "finding"}, ("inconclusive", "review_found")),
        ({**FOR, "control": "holds"}, ("inconclusive", "control_holds")),
        ({**FOR, "control": "undecided"}, ("inconclusive", "control_open")),
        ({**FOR, "control": "absent"}, ("inconclusive", "control_missing")),
        ({**FOR, "needs_degenerate": True}, ("inconclusive", "degenerate_missing")),
        ({**FOR, "needs_degenerate": True, "degenerate": "undecided"}, ("inconclusive", "degenerate_fails")),
        ({**FOR, "needs_degenerate": True, "degenerate": "holds"}, ("verified", "supports")),
        ({**FOR, "flaws": ("baseline_off",)}, ("inconclusive", "baseline_off")),
        ({**FOR, "small": ("below_scale",)}, ("toy", "supports", "below_scale")),
        ({**FOR, "missing": True}, ("toy", "supports", "missing")),
        ({**FOR, "missing": True, "has_rows": False}, ("blocked", "missing")),
        ({**FOR, "contradicted": True}, ("contested", "paper_contradicts_itself", "supports")),
        ({**AGAINST, "contradicted": True}, ("contested", "paper_contradicts_itself", "contradicts")),
        ({**FOR, "contradicted": True, "control": "holds"}, ("contested", "paper_contradicts_itself")),
        ({**FOR, "contradicted": True, "missing": True}, ("contested", "paper_contradicts_itself", "missing")),
        ({**FOR, "contradicted": True, "checker": "disagrees"}, ("contested", "paper_contradicts_itself")),
        ({**FOR, "contradicted": True, "small": ("below_scale",)}, ("contested", "paper_contradicts_itself")),
        ({**AGAINST, "contradicted": True, "checker": "absent"}, ("contested", "paper_contradicts_itself")),
        ({**FOR, "contradicted": True, "has_rows": False}, ("contested", "paper_contradicts_itself")),
        ({**FOR, "checker": "disagrees"}, ("contested", "checker_disagrees")),
        ({**FOR, "has_rules": False}, ("inconclusive", "no_rule")),
        ({**FOR, "has_rows": False}, ("inconclusive", "no_rows")),
        ({**FOR, "falsify": "holds"}, ("inconclusive", "rules_collide")),
        (AGAINST, ("falsified", "contradicts")),
        ({**AGAINST, "accept": "undecided", "undecided": ("interval_astride",)}, ("falsified", "contradicts")),
        ({**AGAINST, "checker": "absent"}, ("inconclusive", "checker_missing", "contradicts")),
        ({**AGAINST, "reviewer": "absent"}, ("inconclusive", "review_missing", "contradicts")),
        ({**AGAINST, "silent": True}, ("inconclusive", "paper_silent", "contradicts")),
        ({**AGAINST, "control": "holds"}, ("inconclusive", "control_holds")),
        ({**AGAINST, "small": ("grid_incomplete",)}, ("toy", "contradicts", "grid_incomplete")),
        ({**AGAINST, "falsify": "fails"}, ("inconclusive", "between_rules")),
        ({**AGAINST, "falsify": "undecided", "undecided": ("drift",)}, ("inconclusive", "drift")),
        ({**FOR, "accept": "undecided", "undecided": ("no_power",)}, ("inconclusive", "no_power")),
    ],
)
def test_each_branch(evidence: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert decide(Evidence(**evidence)) == Decision(expected[0], expected[1:])


def every() -> list[Evidence]:
    states = ("holds", "fails", "undecided", "absent")
    return [
        Evidence(
            accept=accept, falsify=falsify, control=control, degenerate=degenerate, needs_degenerate=needs,
            flaws=flaws, small=small, checker=checker, reviewer=reviewer, contradicted=contradicted, silent=silent,
        )
        for accept, falsify, control in itertools.product(states, repeat=3)
        for degenerate, needs in (("holds", True), ("fails", True), ("absent", False))
        for flaws, small in (((), ()), (("baseline_off",), ()), ((), ("below_scale",)))
        for checker in ("agrees", "disagrees", "absent")
        for reviewer in ("clean", "finding", "absent")
        for contradicted, silent in itertools.product((False, True), repeat=2)
    ]  # fmt: skip


def test_a_verified_claim_met_its_rule_failed_its_control_and_has_no_flaw() -> None:
    found = [each for each in every() if decide(each).verdict == "verified"]
    assert found
    for each in found:
        assert (each.accept, each.control) == ("holds", "fails")
        assert each.falsify != "holds"
        assert not each.flaws and not each.small and not each.contradicted
        assert each.checker != "disagrees" and each.reviewer != "finding"
        assert each.degenerate == "holds" or not each.needs_degenerate


def test_a_falsified_claim_has_all_that_and_checker_reviewer_and_a_paper_that_speaks() -> None:
    found = [each for each in every() if decide(each).verdict == "falsified"]
    assert found
    for each in found:
        assert (each.falsify, each.control, each.checker, each.reviewer) == ("holds", "fails", "agrees", "clean")
        assert each.accept != "holds"
        assert not each.flaws and not each.small and not each.contradicted and not each.silent
        assert each.degenerate == "holds" or not each.needs_degenerate


def test_every_evidence_gets_a_known_verdict_with_known_reasons() -> None:
    for each in every():
        found = decide(each)
        assert found.verdict in VERDICTS
        assert found.reasons and set(found.reasons) <= REASONS.keys()


def test_every_reason_that_the_code_gives_has_its_words() -> None:
    given: set[str] = set()
    for file in Path(verdict.__file__).parent.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        given |= set(re.findall(r'(?:Undecided\(|yield )"([a-z_]+)"', text))
        given |= set(re.findall(r'UNDECIDED, \("([a-z_]+)"', text))
    assert len(given) > 20
    assert given <= REASONS.keys()
