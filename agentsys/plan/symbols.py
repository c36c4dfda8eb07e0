"""What a Python file defines, read from its syntax tree; nothing is imported or executed."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

Kind = Literal["function", "class", "value"]
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Definition:
    """A function, method, class or module-level value."""

    name: str
    """`function`, `Class`, `Class.method`, `NAME`."""
    kind: Kind
    line: int
    node: ast.AST = field(repr=False, compare=False)
    bases: tuple[str, ...] = ()
    """Names of base classes as written."""


def own_nodes(function: FunctionNode) -> Iterator[ast.AST]:
    """Go through the body of a function, but not into functions, lambdas and classes in it."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, FunctionNode | ast.Lambda | ast.ClassDef):
            todo += ast.iter_child_nodes(node)


def parse(source: str) -> ast.Module | None:
    """Return the syntax tree; None where the text is no Python. Warnings about the text are not printed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


@lru_cache(maxsize=256)
def definitions(source: str) -> dict[str, Definition]:
    """Return what a file defines at module level and in its classes, by qualified name. Do not change the answer."""
    tree = parse(source)
    found: dict[str, Definition] = {}
    for item in _walk(tree.body if tree else [], ""):
        found[item.name] = item
    return found


def resolve(defined: dict[str, Definition], symbol: str) -> Definition | None:
    """Find a symbol; a method that a class has from a base class in the same file counts as its own."""
    if symbol in defined:
        return defined[symbol]
    owner, _, method = symbol.rpartition(".")
    seen: set[str] = set()
    queue = [owner] if owner in defined else []
    while queue:
        name = queue.pop(0)
        if name in seen or name not in defined:
            continue
        seen.add(name)
        if f"{name}.{method}" in defined:
            return defined[f"{name}.{method}"]
        queue += defined[name].bases
    return None


def public_functions(defined: dict[str, Definition]) -> list[str]:
    """Return the functions and methods that a reader of the file may call: no leading underscore, or a constructor."""
    return [item.name for item in defined.values() if item.kind == "function" and _is_public(item.name)]


def covers(symbol: str, executed: str) -> bool:
    """True if the executed function (its qualified name) is the symbol, lies in it, or is a method of that class."""
    return executed == symbol or executed.startswith((f"{symbol}.", f"{symbol}.<locals>."))


def clean_symbol(text: str) -> str:
    """Return a symbol as a plan may write it (`Class.method(x)`, backticks, a leading `def`) in plain form."""
    name = text.strip().strip("`").strip()
    for word in ("async def ", "def ", "class "):
        name = name.removeprefix(word)
    return name.partition("(")[0].strip()


def _is_public(name: str) -> bool:
    return all(not part.startswith("_") or part in ("__init__", "__call__") for part in name.split("."))


def _walk(body: list[ast.stmt], prefix: str) -> Iterator[Definition]:
    for node in body:
        if isinstance(node, FunctionNode):
            yield Definition(f"{prefix}{node.name}", "function", node.lineno, node)
        elif isinstance(node, ast.ClassDef):
            bases = tuple(base.id for base in node.bases if isinstance(base, ast.Name))
            yield Definition(f"{prefix}{node.name}", "class", node.lineno, node, bases)
            yield from _walk(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield Definition(f"{prefix}{target.id}", "value", node.lineno, node)
        elif isinstance(node, ast.If | ast.Try):  # version switches and optional imports
            yield from _walk(node.body, prefix)
            yield from _walk(node.orelse, prefix)
            if isinstance(node, ast.Try):
                for handler in node.handlers:
                    yield from _walk(handler.body, prefix)


def imported_modules(source: str) -> frozenset[str]:
    """Return the dotted names that a file imports anywhere: modules, and what is taken from them."""
    found: set[str] = set()
    for node in ast.walk(parse(source) or ast.Module([], [])):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)
