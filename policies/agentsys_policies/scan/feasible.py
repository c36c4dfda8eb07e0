"""Which rules can match a file at all, by the names that occur in it: most files need no closer reading.

Nothing is missed by it: a rule is left out only if one of the names that it needs cannot be there. Where names are put
together at run time, every rule is possible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentsys_policies.rulebook import CodeRule, Label
from agentsys_policies.scan.labels import LabelTable, forms
from agentsys_policies.scan.literals import Candidates
from agentsys_policies.scan.scopes import Scopes

_DYNAMIC = frozenset(
    {"__import__", "importlib", "import_module", "__builtins__", "builtins", "globals", ".modules", "__loader__"}
)
_HIDES_ATTRIBUTES = frozenset({"getattr", "operator", "attrgetter", "methodcaller", ".__dict__", "__getattribute__"})
_DERIVED: Mapping[str, frozenset[str]] = {
    "file.read": frozenset({"open", ".open"}),
    "file.write": frozenset({"open", ".open"}),
    "file.executable": frozenset({".chmod", "chmod"}),
    "loop.fork": frozenset({".fork", "fork", ".forkpty", "forkpty"}),
    "text.codes": frozenset({"chr"}),
    "hook.remote": frozenset({"trust_remote_code="}),
    "net.unverified": frozenset(
        {"verify=", "ssl=", "verify_ssl=", "check_hostname=", ".verify", ".check_hostname", ".verify_ssl"}
    ),
}
"""What labels that the scanner derives need."""


class Feasibility:
    """Answers which of the rules can match a file."""

    def __init__(self, rules: Sequence[CodeRule], labels: Mapping[str, Label], table: LabelTable) -> None:
        self._rules = rules
        self._labels = labels
        self._table = table
        written = {name for name, label in labels.items() if label.strings}
        self._about_texts = [rule for rule in rules if rule.label and written.issuperset(rule.label)]
        self._others = [rule for rule in rules if not (rule.label and written.issuperset(rule.label))]
        told = {name for rule in self._about_texts for name in rule.label}
        self._candidates = Candidates.of([text for name in sorted(told) for text in labels[name].strings])

    def rules(self, scopes: Scopes) -> list[CodeRule]:
        """Return the rules that can match; none means that the file need not be read closely.

        Rules about what a text names alone count if a text of the file names it, or if the file is read closely anyhow:
        in a program that can do nothing, a text put together from pieces does no harm.
        """
        targets = {part for target in scopes.aliases.values() for part in target.split(".")}
        words = scopes.words | set(scopes.aliases) | targets | {text for text in scopes.texts if text.isidentifier()}
        imported = {target.partition(".")[0] for target in scopes.aliases.values()}
        if words & _DYNAMIC:
            return list(self._rules)
        there = self._labels_there(scopes, words, imported)
        rules = [rule for rule in self._others if _feasible(rule, there)]
        if rules or there & {"exec.process", "exec.code"}:
            return [*rules, *self._about_texts]
        if not self._candidates.possible(form for text in scopes.texts for form in forms(text)):
            return []
        named = frozenset[str]().union(*(self._table.string(text) for text in scopes.texts))
        return [rule for rule in self._about_texts if named.intersection(rule.label)]

    def _labels_there(self, scopes: Scopes, words: set[str], imported: set[str]) -> set[str]:
        hidden = bool(words & _HIDES_ATTRIBUTES) or "operator" in imported
        changed = _changed(scopes)
        there = {name for name, label in self._labels.items() if _can_occur(label, words, imported, changed, hidden)}
        there |= {name for name, needs in _DERIVED.items() if words & needs}
        if "exec.process" in there:
            there |= {"proc.shell", "name.computed", "exec.unexamined"}
        if there & {"exec.code", "exec.path"}:
            there.add("exec.unexamined")
        if "__reduce__" in scopes.functions or "__reduce_ex__" in scopes.functions:
            there.add("pickle.command")
        return there


def _feasible(rule: CodeRule, there: set[str]) -> bool:
    if rule.flow is not None:
        return bool(there.intersection(rule.flow.source)) and bool(there.intersection(rule.flow.sink))
    if rule.label:
        return bool(there.intersection(rule.label))
    return all(there.intersection(group) for group in rule.together)


def _changed(scopes: Scopes) -> set[str]:
    """Names that are bound, and modules of which an attribute may be set."""
    found: set[str] = set()
    for name in scopes.changed:
        for _ in range(5):
            found.add(scopes.aliases.get(name, name).partition(".")[0])
            name = scopes.renamed.get(name, "")
    return found


def _can_occur(label: Label, words: set[str], imported: set[str], changed: set[str], hidden: bool) -> bool:
    if label.strings or any(name.partition(".")[0] in imported for name in label.imports):
        return True
    set_names = (name[1:].partition(".")[0] for name in label.attributes if name.startswith("="))
    used = (*label.calls, *(name for name in label.attributes if not name.startswith("=")))
    return any(root in changed for root in set_names) or any(
        _name_occurs(name, words, imported, hidden) for name in used
    )


def _name_occurs(name: str, words: set[str], imported: set[str], hidden: bool) -> bool:
    root, dot, rest = name.partition(".")
    if root == "*":
        return f".{rest}" in words or rest in words
    if not dot:
        return name in words
    if root in imported or root in words:
        last = rest.rpartition(".")[2].removesuffix("()")
        return hidden or last == "*" or f".{last}" in words or last in words
    return False
