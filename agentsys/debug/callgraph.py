"""Which definition of a repository uses which other, read from its syntax trees; nothing is executed.

A name counts as a use where the file itself defines it, or a file that it imports, directly or not, does. Methods are
found by their name alone, so the graph holds some uses too many and few too few.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agentsys.plan.symbols import Definition, definitions, imported_modules

_COMMON = frozenset({"get", "append", "items", "keys", "values", "copy", "update", "join", "split", "format", "close"})
"""Methods that everything has: their names say nothing about who is called."""


@dataclass(frozen=True)
class CallGraph:
    """Definitions by `path:name`, and what each uses."""

    nodes: Mapping[str, Definition] = field(default_factory=dict[str, Definition])
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def callers(self, key: str) -> list[str]:
        """Return what uses a definition, or the class that it belongs to."""
        wanted = {key, key.rpartition(".")[0]} if "." in key.rpartition(":")[2] else {key}
        return [name for name, used in self.uses.items() if wanted.intersection(used) and name != key]

    def reach(self, seeds: Iterable[str], depth: int) -> list[str]:
        """Return the seeds and what they use, nearest first."""
        ring = dict.fromkeys(key for key in seeds if key in self.nodes)
        found = dict(ring)
        while ring and depth:
            ring = dict.fromkeys(name for key in ring for name in self.uses.get(key, ()) if name not in found)
            found |= ring
            depth -= 1
        return list(found)

    def at(self, path: str, line: int | None) -> str:
        """Return the innermost function or class of a file around a line, or nothing."""
        best, start = "", 0
        for key, item in self.nodes.items():
            last = getattr(item.node, "end_lineno", 0)
            if key.startswith(f"{path}:") and item.line <= (line or 0) <= last and item.line > start:
                best, start = key, item.line
        return best


def call_graph(sources: Mapping[str, str]) -> CallGraph:
    """Return the graph of these Python files, path to text."""
    defined = {path: definitions(text) for path, text in sources.items()}
    nodes = {f"{path}:{name}": item for path, found in defined.items() for name, item in found.items()}
    by_name: dict[str, list[str]] = {}
    for key in nodes:
        by_name.setdefault(key.rpartition(":")[2].rpartition(".")[2], []).append(key)
    reach = _reachable(sources)
    uses: dict[str, tuple[str, ...]] = {}
    for key, item in nodes.items():
        path = key.partition(":")[0]
        names = _names(item.node) if item.kind != "class" else [*_class_names(item.node)]
        found = [other for name in names for other in by_name.get(name, ()) if other.partition(":")[0] in reach[path]]
        uses[key] = tuple(dict.fromkeys(_whole(nodes, other) for other in found if other != key))
    return CallGraph(nodes, uses)


def _whole(nodes: Mapping[str, Definition], key: str) -> str:
    """A constructor stands for its class, with fields and defaults."""
    owner = key.removesuffix(".__init__")
    return owner if owner in nodes else key


def _names(node: ast.AST) -> list[str]:
    """Return the names that a definition reads, in the order of the text."""
    found: list[tuple[int, int, str]] = []
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load):
            found.append((each.lineno, each.col_offset, each.id))
        elif isinstance(each, ast.Attribute) and each.attr not in _COMMON:
            found.append((each.lineno, each.end_col_offset or 0, each.attr))
    return list(dict.fromkeys(name for _, _, name in sorted(found)))


def _class_names(node: ast.AST) -> list[str]:
    """Return what a class uses besides its methods, which are definitions of their own: bases, fields, defaults."""
    if not isinstance(node, ast.ClassDef):
        return []
    rest: Sequence[ast.AST] = [*node.bases, *node.decorator_list]
    rest = [*rest, *(item for item in node.body if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef))]
    methods = [item.name for item in node.body if isinstance(item, ast.FunctionDef) and item.name.startswith("__")]
    return [*(name for part in rest for name in _names(part)), *methods]


def _reachable(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Return for each file itself and the files that it imports, directly or not."""
    modules = {
        path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
        for path in sources
    }
    direct = {
        path: {modules[name] for name in imported_modules(text) if name in modules} for path, text in sources.items()
    }
    found: dict[str, set[str]] = {}
    for path in sources:
        seen, rest = {path}, list(direct[path])
        while rest:
            other = rest.pop()
            if other not in seen:
                seen.add(other)
                rest += direct[other]
        found[path] = seen
    return found
