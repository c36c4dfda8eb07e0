"""Rules of code.yaml applied to the hits of one program."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from agentsys_policies.rulebook import CodeRule
from agentsys_policies.scan.labels import LabelTable
from agentsys_policies.scan.values import Hit


def matches(rules: Sequence[CodeRule], hits: Sequence[Hit], table: LabelTable) -> Iterator[tuple[CodeRule, Hit]]:
    """Yield each rule that fits with the first place where it does; flows yield every place."""
    by_label: dict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        by_label[hit.label].append(hit)
    for rule in rules:
        for hit in _places(rule, by_label, table):
            yield rule, hit


def _places(rule: CodeRule, by_label: dict[str, list[Hit]], table: LabelTable) -> Iterator[Hit]:
    if rule.flow is not None:
        source = frozenset(rule.flow.source)
        sinks = [hit for label in rule.flow.sink for hit in by_label.get(label, ())]
        reaches = _said if rule.flow.texts else _carried
        yield from {(hit.line, hit.column): hit for hit in sinks if reaches(hit, source, table)}.values()
    elif rule.label:
        yield from {(hit.line, hit.column): hit for name in rule.label for hit in by_label.get(name, ())}.values()
    else:
        hit = _together(rule, by_label)
        if hit is not None:
            yield hit


def _carried(hit: Hit, source: frozenset[str], table: LabelTable) -> bool:
    return bool(hit.carried & source)


def _said(hit: Hit, source: frozenset[str], table: LabelTable) -> bool:
    return any(table.string(text) & source for text in hit.words)


def _together(rule: CodeRule, by_label: dict[str, list[Hit]]) -> Hit | None:
    groups = [[hit for name in group for hit in by_label.get(name, ())] for group in rule.together]
    if not all(groups):
        return None
    if rule.scope == "file":
        return groups[-1][0]
    scopes = set[str].intersection(*({hit.scope for hit in group} for group in groups))
    return next((hit for hit in groups[-1] if hit.scope in scopes), None)
