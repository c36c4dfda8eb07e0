"""The rules' own examples: every rule proves that it matches what it should, and only that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentsys_policies.advisories import Advisories
from agentsys_policies.engine import Policy
from agentsys_policies.errors import PolicyError
from agentsys_policies.rulebook import CodeRule, PatternRule, Rule
from agentsys_policies.scan.numbers.texts import MOST_NUMBERS
from agentsys_policies.schema import Finding, IntakeFacts

REPORTED = 94.37
"""The number that the examples of `integrity.reported-number` take for one that the paper reports."""
_MANY = "many numbers"
"""Stands for a text with more numbers than are looked at."""
_FACTS: dict[str, object] = {
    "path": "p.pdf",
    "sha256": "0",
    "format": "pdf",
    "size": 1,
    "pages": 1,
    "pages_examined": 1,
}


@dataclass(frozen=True)
class Example:
    """One example of a rule, and whether it should match."""

    rule: str
    text: str
    matches: bool


def examples(policy: Policy) -> list[Example]:
    """Return every example of every rule that has a condition; what judges say has none."""
    judged = {rule.id for rule in policy.set.purpose.judged}
    rules = [rule for rule in policy.rules.values() if rule.id not in judged]
    good = [Example(rule.id, text, True) for rule in rules for text in rule.positive]
    return good + [Example(rule.id, text, False) for rule in rules for text in rule.negative]


def failures(policy: Policy) -> Iterator[str]:
    """Yield one sentence for each example that does not do what it should."""
    for example in examples(policy):
        fault = fault_of(policy, example)
        if fault:
            yield fault


def fault_of(policy: Policy, example: Example) -> str:
    """Return what is wrong with one example, or an empty string."""
    try:
        found = {item.rule for item in _findings(policy, policy.rules[example.rule], example.text)}
    except (SyntaxError, ValueError) as error:
        return f"`{example.rule}`: its example cannot be examined ({error}): {example.text!r}"
    if (example.rule in found) is example.matches:
        return ""
    return f"`{example.rule}` {'does not match' if example.matches else 'matches'} {example.text!r}"


def _findings(policy: Policy, rule: Rule, text: str) -> list[Finding]:
    gate = rule.id.partition(".")[0]
    if isinstance(rule, CodeRule):
        return policy.examine_python(text)
    if isinstance(rule, PatternRule):
        return policy.examine_text(rule, text)
    if gate in {"file", "integrity"}:
        name, _, body = text.partition(": ")
        body = "1\n" * (MOST_NUMBERS + 1) if body == _MANY else body
        return policy.examine_source(name, body, reported=[REPORTED])
    if gate == "command":
        return policy.examine_shell(text)
    if gate == "intake":
        return list(policy.screen_intake(_facts(text)).findings)
    if gate == "dependency":
        data = Advisories("example", "2024-01-01", {"requests": {"PYSEC-0": frozenset({"2.19.0"})}})
        line, without, _ = text.partition(" (no advisory data)")
        return list(policy.check_dependencies([line], advisories=None if without else data).findings)
    raise PolicyError(f"the rule `{rule.id}` belongs to no gate")


def _facts(text: str) -> IntakeFacts:
    """`pages=900` and the like; `hidden=kept` and `hidden=removed` stand for a run of hidden text."""
    key, _, value = text.partition("=")
    changed: object = value
    if key == "hidden":
        run = {"page": 1, "reason": "noink", "text": "x", "removed": value == "removed"}
        changed = [run] if value else []
    elif key == "active_content":
        changed = [value] if value else []
    facts = {**_FACTS, key: changed}
    facts["pages_examined"] = facts["pages"]
    return IntakeFacts.model_validate(facts)
