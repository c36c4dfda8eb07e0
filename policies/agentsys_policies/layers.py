"""A user's own policy file on top of the shipped rules, and what a policy allows that the shipped one does not.

The file names what it adds and which severities it changes; everything else stays as shipped. Loosening is possible,
but it is listed in every decision, and rules that nobody may override cannot be loosened at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, TypeVar

from pydantic import BaseModel, Field

from agentsys_policies.decide import rank
from agentsys_policies.errors import PolicyError
from agentsys_policies.rulebook import CodeRule, Label, PatternRule, Program, Rule, Strict
from agentsys_policies.ruleset import RuleSet
from agentsys_policies.schema import Severity

_Rule = TypeVar("_Rule", bound=Rule)


class UserPackages(Strict):
    """Names on top of packages.yaml."""

    known: tuple[str, ...] = ()
    malicious: dict[str, str] = Field(default_factory=dict)
    hosts: tuple[str, ...] = ()


class UserHosts(Strict):
    """Hosts on top of hosts.yaml."""

    data: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()


class UserPolicy(Strict):
    """A user's policy file."""

    extends: Literal["default"]
    severities: dict[str, Severity] = Field(default_factory=dict, description="rule id -> severity")
    packages: UserPackages = Field(default_factory=UserPackages)
    hosts: UserHosts = Field(default_factory=UserHosts)
    labels: dict[str, Label] = Field(default_factory=dict, description="more labels for code rules")
    code: tuple[CodeRule, ...] = ()
    text: tuple[PatternRule, ...] = ()
    purpose: tuple[PatternRule, ...] = ()
    programs: tuple[Program, ...] = ()


def apply(rules: RuleSet, user: UserPolicy) -> RuleSet:
    """Return the rules as changed by a user's file. Raises: PolicyError if the file names an unknown rule."""
    unknown = sorted(set(user.severities) - set(rules.by_id))
    if unknown:
        raise PolicyError(f"there is no rule `{unknown[0]}`", "`agentsys policy explain` lists the rules")
    doubled = sorted({name for program in user.programs for name in program.names} & set(rules.commands.blocked))
    if doubled:
        raise PolicyError(f"`{doubled[0]}` is a refused program and cannot be permitted", "leave it out")
    new, packages, hosts, code = user.severities, rules.packages, rules.hosts, rules.code
    labels = {**code.labels, **user.labels}
    known = packages.known + user.packages.known
    malicious = {**packages.malicious, **user.packages.malicious}
    locations = packages.hosts + user.packages.hosts
    programs = rules.commands.programs + user.programs
    return replace(
        rules,
        intake=_with(rules.intake, rules=_severe(rules.intake.rules, new)),
        purpose=_with(
            rules.purpose,
            rules=_severe(rules.purpose.rules, new) + user.purpose,
            judged=_severe(rules.purpose.judged, new),
        ),
        code=_with(code, labels=labels, rules=_severe(code.rules, new) + user.code),
        text=_with(rules.text, rules=_severe(rules.text.rules, new) + user.text),
        files=_with(rules.files, rules=_severe(rules.files.rules, new)),
        integrity=_with(rules.integrity, rules=_severe(rules.integrity.rules, new)),
        commands=_with(rules.commands, programs=programs, rules=_severe(rules.commands.rules, new)),
        packages=_with(packages, known=known, malicious=malicious, hosts=locations, rules=_severe(packages.rules, new)),
        hosts=_with(hosts, data=hosts.data + user.hosts.data, indexes=hosts.indexes + user.hosts.indexes),
    )


_Model = TypeVar("_Model", bound=BaseModel)


def _with(model: _Model, **changes: object) -> _Model:
    """A copy with other values, validated again."""
    values = {name: getattr(model, name) for name in type(model).model_fields}
    return type(model).model_validate({**values, **changes})


def _severe(rules: tuple[_Rule, ...], severities: dict[str, Severity]) -> tuple[_Rule, ...]:
    return tuple(
        rule.model_copy(update={"severity": severities[rule.id]}) if rule.id in severities else rule for rule in rules
    )


def loosened(mine: RuleSet, shipped: RuleSet) -> tuple[str, ...]:
    """Return, one sentence each, what `mine` lets pass that the shipped policy does not.

    Raises: PolicyError if a rule is loosened that nobody may override.
    """
    return tuple(sorted({*_rules(mine, shipped), *_lists(mine, shipped), *_labels(mine, shipped)}))


def _rules(mine: RuleSet, shipped: RuleSet) -> Iterator[str]:
    for rule in shipped.by_id.values():
        own = mine.by_id.get(rule.id)
        change = _loosening(own, rule)
        if change and rule.never_override:
            raise PolicyError(f"the rule `{rule.id}` cannot be loosened", "leave it as it is shipped")
        if change:
            yield f"rule {rule.id}: {change}"
    for name in ("block_at", "review_at"):
        old, new = getattr(shipped.meta, name), getattr(mine.meta, name)
        if rank(new) > rank(old):
            yield f"{name}: {old} -> {new}"


def _loosening(own: Rule | None, shipped: Rule) -> str:
    if own is None:
        return f"{shipped.severity} -> removed"
    if _condition(own) != _condition(shipped):
        return "another condition"
    if rank(own.severity) < rank(shipped.severity):
        return f"{shipped.severity} -> {own.severity}"
    if (own.stops, shipped.stops) == ("verification", "execution"):
        return "stops execution -> stops verification"
    return ""


def _condition(rule: Rule) -> object:
    """What decides whether a rule matches."""
    match rule:
        case CodeRule():
            return rule.label, rule.flow, rule.together, rule.scope
        case PatternRule():
            return rule.patterns
        case _:
            return None


def _labels(mine: RuleSet, shipped: RuleSet) -> Iterator[str]:
    """Labels of code rules that no longer hold everything that the shipped ones hold."""
    for name, theirs in shipped.code.labels.items():
        own = mine.code.labels.get(name, Label())
        pairs = (
            (own.calls, theirs.calls),
            (own.attributes, theirs.attributes),
            (own.imports, theirs.imports),
            (own.strings, theirs.strings),
        )
        if any(set(old) - set(new) for new, old in pairs):
            yield f"label {name}: holds less"


def _lists(mine: RuleSet, shipped: RuleSet) -> Iterator[str]:
    pairs = (
        ("known package", mine.packages.known, shipped.packages.known),
        ("direct location", mine.packages.hosts, shipped.packages.hosts),
        ("data host", mine.hosts.data, shipped.hosts.data),
        ("package index", mine.hosts.indexes, shipped.hosts.indexes),
    )
    for name, own, theirs in pairs:
        yield from (f"{name} {item}" for item in set(own) - set(theirs))
    known = {name: program for program in shipped.commands.programs for name in program.names}
    own = {name: program for program in mine.commands.programs for name in program.names}
    yield from (f"program {name}" for name in set(own) - set(known))
    changed = (name for name in set(own) & set(known) if _without_names(own[name]) != _without_names(known[name]))
    yield from (f"program {name}: other arguments" for name in changed)
    backends = set(mine.files.build_backends) - set(shipped.files.build_backends)
    yield from (f"build backend {name}" for name in backends)
    yield from (f"program {name}" for name in set(shipped.commands.blocked) - set(mine.commands.blocked))
    yield from (f"malicious package {name}" for name in set(shipped.packages.malicious) - set(mine.packages.malicious))


def _without_names(program: Program) -> Program:
    return program.model_copy(update={"names": ("",)})
