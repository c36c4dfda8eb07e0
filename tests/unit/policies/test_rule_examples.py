"""Every rule's own examples: the positive ones match it, the negative ones do not."""

from __future__ import annotations

import pytest

from agentsys_policies.engine import Policy
from agentsys_policies.rulebook import CodeRule, PatternRule, Rule
from agentsys_policies.schema import Finding

POLICY = Policy.load()


def _findings(rule: Rule, example: str) -> list[Finding]:
    if isinstance(rule, CodeRule):
        return POLICY.examine_python(example)
    if isinstance(rule, PatternRule):
        return POLICY.examine_text(rule, example)
    if rule.id.startswith(("file.", "integrity.")):
        name, _, text = example.partition(": ")
        return POLICY.examine_source(name, text, reported=[94.37])
    if rule.id.startswith("command."):
        return POLICY.examine_shell(example)
    return list(POLICY.check_dependencies([example]).findings)


def _cases() -> list[tuple[str, str, bool]]:
    tested = [
        rule
        for rule in POLICY.rules.values()
        if rule.id.split(".")[0] in {"code", "text", "command", "dependency", "file", "integrity"}
    ]
    tested += [
        rule for rule in POLICY.rules.values() if isinstance(rule, PatternRule) and rule.id.startswith("purpose")
    ]
    tested = [rule for rule in tested if rule.id not in {"dependency.vulnerable", "dependency.no-vulnerability-data"}]
    good = [(rule.id, text, True) for rule in tested for text in rule.positive]
    return good + [(rule.id, text, False) for rule in tested for text in rule.negative]


@pytest.mark.parametrize(("rule", "example", "matches"), _cases())
def test_a_rules_examples_match_it_or_not_as_the_rule_says(rule: str, example: str, matches: bool) -> None:
    found = {item.rule for item in _findings(POLICY.rules[rule], example)}
    assert (rule in found) is matches, f"{sorted(found)} on {example!r}"
