"""One walk over a parsed file: every node of it, its imports, its functions, and the names that each function binds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

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
        """Names that occur, and attributes with a dot before them."""
        self._locals: dict[str, Names] = {}
        stack: list[tuple[ast.AST, tuple[Names, ...]]] = [(tree, ())]
        while stack:
            node, inside = stack.pop()
            self.nodes.append(node)
            inside = self._visit(node, inside)
            if not isinstance(node, ast.Name | ast.Constant):
                stack.extend([(child, inside) for child in children(node)])

    def is_local(self, function: str, name: str) -> bool:
        """True if a function binds this name itself."""
        names = self._locals.get(function)
        return names is not None and name in names.bound and name not in names.shared

    def _visit(self, node: ast.AST, inside: tuple[Names, ...]) -> tuple[Names, ...]:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str | bytes):
                self.texts.add(node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
        elif isinstance(node, ast.Attribute):
            self.words.add(f".{node.attr}")
            if isinstance(node.ctx, ast.Store):
                self.changed.add(_root(node))
        elif isinstance(node, ast.Name):
            self.words.add(node.id)
            if isinstance(node.ctx, ast.Store):
                self.changed.add(node.id)
                for names in inside:
                    names.bound.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self.functions[node.name] = node
            names = self._locals.setdefault(node.name, Names(set()))
            names.bound |= _parameters(node)
            return (*inside, names)
        elif isinstance(node, ast.Import):
            for item in node.names:
                head = item.name.partition(".")[0]
                self.aliases[item.asname or head] = item.name if item.asname else head
        elif isinstance(node, ast.ImportFrom):
            for item in node.names if not node.level else ():
                self.aliases[item.asname or item.name] = f"{node.module}.{item.name}"
        elif isinstance(node, ast.Assign):
            root = _root(node.value)
            self.renamed.update({item.id: root for item in node.targets if root and isinstance(item, ast.Name)})
        elif isinstance(node, ast.Global | ast.Nonlocal):
            for names in inside:
                names.shared.update(node.names)
        return inside


def children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the direct children of a node; contexts and operators are left out, for they say nothing here."""
    for name in node._fields:
        value: object = getattr(node, name, None)
        if isinstance(value, ast.AST):
            if not isinstance(value, ast.expr_context | ast.operator):
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
