"""Every rule's own examples: the positive ones match it, the negative ones do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys_policies.engine import Policy
from agentsys_policies.examples import Example, examples, failures, fault_of

POLICY = Policy.load()


@pytest.mark.parametrize("example", examples(POLICY), ids=lambda example: f"{example.rule}-{example.matches}")
def test_a_rules_examples_match_it_or_not_as_the_rule_says(example: Example) -> None:
    assert fault_of(POLICY, example) == ""


def test_every_rule_has_examples_of_both_kinds_and_a_remedy() -> None:
    assert all(rule.positive and rule.negative and rule.remedy for rule in POLICY.rules.values())
    tested = {example.rule for example in examples(POLICY)}
    assert len(tested) > 90
    assert set(POLICY.rules) - tested == {"purpose.harm", "purpose.doubt", "purpose.cleared"}


def test_a_wrong_example_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "extends: default\n"
        "text:\n"
        "  - {id: text.own, category: own, severity: low, message: m, remedy: r, patterns: [abc],"
        " positive: [xyz], negative: [abcd]}\n"
    )
    assert list(failures(Policy.load(str(file)))) == ["`text.own` does not match 'xyz'", "`text.own` matches 'abcd'"]
