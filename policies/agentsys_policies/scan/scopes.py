"""One walk over a parsed file: every node of it, its imports, its functions, and the names that each function binds."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Names:
    """Names that a function binds, and those among them that belong to an outer scope."""

    bound: set[str]
    shared: set[str] = field(default_factory=set[str])


class Scopes:
    """What the names of a file stand for. Functions of one name are not told apart."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.nodes: list[ast.AST] = []
        """Every statement and expression; contexts and operators are left out."""
        self.aliases: dict[str, str] = {}
        self.changed: set[str] = set()
        """Names that are bound, and names of objects of which an attribute is set."""
        self.renamed: dict[str, str] = {}
        """Name bound to an attribute of an object -> name of that object."""
        self.functions: dict[str, Function] = {}
        self.texts: set[str] = set()
        """Constant texts that occur."""
        self.words: set[str] = set()
        """Names that occur, attributes with a dot before them, and names of keyword arguments with `=` behind them."""
        self._locals: dict[str, Names] = {}
        visitors = self._visitors()
        stack: list[tuple[ast.AST, tuple[Names, ...]]] = [(tree, ())]
        while stack:
            node, inside = stack.pop()
            kind = type(node)
            self.nodes.append(node)
            visit = visitors.get(kind)
            if visit is not None:
                inside = visit(node, inside) or inside
            if kind in _LEAVES:
                continue
            for name in _fields(kind):
                value: object = getattr(node, name, None)
                if isinstance(value, ast.AST):
                    stack.append((value, inside))
                elif isinstance(value, list):
                    stack.extend([(item, inside) for item in cast("list[object]", value) if isinstance(item, ast.AST)])

    def is_local(self, function: str, name: str) -> bool:
        """True if a function binds this name itself."""
        names = self._locals.get(function)
        return names is not None and name in names.bound and name not in names.shared

    def _visitors(self) -> dict[type[ast.AST], Callable[[Any, tuple[Names, ...]], tuple[Names, ...] | None]]:
        """By type of node: a chain of `isinstance` for every node would cost a tenth of the whole scan."""
        return {
            ast.Constant: self._constant,
            ast.Attribute: self._attribute,
            ast.Name: self._name,
            ast.keyword: self._keyword,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Assign: self._assign,
            ast.Global: self._outer,
            ast.Nonlocal: self._outer,
        }

    def _constant(self, node: ast.Constant, inside: tuple[Names, ...]) -> None:
        if isinstance(node.value, str):
            self.texts.add(node.value)
        elif isinstance(node.value, bytes):
            self.texts.add(node.value.decode("latin-1"))

    def _attribute(self, node: ast.Attribute, inside: tuple[Names, ...]) -> None:
        self.words.add(f".{node.attr}")
        if isinstance(node.ctx, ast.Store):
            self.changed.add(_root(node))

    def _keyword(self, node: ast.keyword, inside: tuple[Names, ...]) -> None:
        self.words.add(f"{node.arg}=")

    def _name(self, node: ast.Name, inside: tuple[Names, ...]) -> None:
        self.words.add(node.id)
        if isinstance(node.ctx, ast.Store):
            self.changed.add(node.id)
            for names in inside:
                names.bound.add(node.id)

    def _function(self, node: Function, inside: tuple[Names, ...]) -> tuple[Names, ...]:
        self.functions[node.name] = node
        names = self._locals.setdefault(node.name, Names(set()))
        names.bound |= _parameters(node)
        return (*inside, names)

    def _import(self, node: ast.Import, inside: tuple[Names, ...]) -> None:
        for item in node.names:
            head = item.name.partition(".")[0]
            self.aliases[item.asname or head] = item.name if item.asname else head

    def _import_from(self, node: ast.ImportFrom, inside: tuple[Names, ...]) -> None:
        for item in node.names if not node.level else ():
            self.aliases[item.asname or item.name] = f"{node.module}.{item.name}"

    def _assign(self, node: ast.Assign, inside: tuple[Names, ...]) -> None:
        root = _root(node.value)
        self.renamed.update({item.id: root for item in node.targets if root and isinstance(item, ast.Name)})

    def _outer(self, node: ast.Global | ast.Nonlocal, inside: tuple[Names, ...]) -> None:
        for names in inside:
            names.shared.update(node.names)


_LEAVES = frozenset({ast.Name, ast.Constant, ast.Pass, ast.Break, ast.Continue, ast.alias, ast.Import, ast.ImportFrom})
_SILENT = frozenset(
    {"ctx", "op", "ops", "id", "attr", "kind", "type_comment", "is_async", "conversion", "simple", "level", "module"}
)
"""Fields that hold no statement and no expression."""


@cache
def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    return tuple(name for name in kind._fields if name not in _SILENT)


def children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the direct children of a node; contexts and operators are left out, for they say nothing here."""
    for name in _fields(type(node)):
        value: object = getattr(node, name, None)
        if isinstance(value, ast.AST):
            yield value
        elif isinstance(value, list):
            yield from (item for item in cast("list[object]", value) if isinstance(item, ast.AST))


def _parameters(function: Function) -> set[str]:
    arguments = function.args
    names = {item.arg for item in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
    return names | {item.arg for item in (arguments.vararg, arguments.kwarg) if item is not None}


def _root(node: ast.expr) -> str:
    """The name at the beginning of `a.b.c`, or an empty string."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
