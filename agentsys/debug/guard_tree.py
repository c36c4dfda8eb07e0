"""A Python file as the guard sees it: its functions by qualified name, and the names that it defines."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from agentsys.plan.symbols import parse

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A parsed file; an absent or unparsable one is empty."""

    tree: ast.Module = field(default_factory=lambda: ast.Module(body=[], type_ignores=[]))
    functions: dict[str, Function] = field(default_factory=dict[str, Function])
    names: frozenset[str] = frozenset()
    """Functions, classes, methods (`Class.method`) and module variables, imports included."""


def parse_module(text: str | None) -> Module:
    """Parse a file's text."""
    tree = parse(text) if text is not None else None
    if tree is None:
        return Module()
    functions: dict[str, Function] = {}
    names: set[str] = set()
    _collect(tree.body, "", functions, names)
    return Module(tree, functions, frozenset(names))


def _collect(body: list[ast.stmt], prefix: str, functions: dict[str, Function], names: set[str]) -> None:
    for item in body:
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
            functions[prefix + item.name] = item
            names.add(prefix + item.name)
        elif isinstance(item, ast.ClassDef):
            names.add(prefix + item.name)
            _collect(item.body, f"{prefix}{item.name}.", functions, names)
        elif isinstance(item, ast.Assign | ast.AnnAssign):
            targets = item.targets if isinstance(item, ast.Assign) else [item.target]
            names.update(
                prefix + name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
            )
        elif isinstance(item, ast.Import | ast.ImportFrom):
            names.update(prefix + (alias.asname or alias.name.partition(".")[0]) for alias in item.names)
        elif isinstance(item, ast.If | ast.Try):
            for part in _branches(item):
                _collect(part, prefix, functions, names)


def _branches(item: ast.If | ast.Try) -> list[list[ast.stmt]]:
    if isinstance(item, ast.If):
        return [item.body, item.orelse]
    return [item.body, item.orelse, item.finalbody, *[handler.body for handler in item.handlers]]


def body_of(function: Function) -> list[ast.stmt]:
    """Return the statements of a function without its docstring."""
    body = function.body
    first = body[0] if body else None
    is_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return body[1:] if is_docstring else body


def is_constant(node: ast.expr | None) -> bool:
    """True for an expression that holds no name, call or subscript: a literal, or a display of literals."""
    if node is None:
        return True
    constant = (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop)
    return all(isinstance(part, (*constant, ast.expr_context)) for part in ast.walk(node))


def dotted(node: ast.expr) -> str:
    """Return `a.b.c` for a name or attribute, otherwise ``."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else node.attr
    return ""
