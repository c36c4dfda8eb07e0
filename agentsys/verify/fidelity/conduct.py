"""Faults of a function's conduct rather than of its values: errors kept silent, arguments changed, records not frozen.

Tests of refused input, of arguments that stay as they were, and of records that cannot be assigned to notice these.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from agentsys.plan.symbols import FunctionNode, own_nodes
from agentsys.verify.fidelity.faults import Fault

SWALLOWED, CHANGED, THAWED = "errors swallowed", "arguments changed in place", "frozen dropped"
CONDUCT = (SWALLOWED, CHANGED, THAWED)
_SWALLOWING = """
def agentsys_swallowing_(function):
    import functools

    @functools.wraps(function)
    def swallowing(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except (Exception, SystemExit):
            return None

    return swallowing
"""
_CHANGING = """
def agentsys_changing_(function):
    import functools

    def change(value):
        try:
            if isinstance(value, list):
                value.append(value[-1] if value else 0)
            elif isinstance(value, dict):
                value["agentsys_"] = 0
            elif isinstance(value, set):
                value.add("agentsys_")
            elif hasattr(value, "shape") and hasattr(value, "dtype"):
                value += 1
        except Exception:
            pass

    @functools.wraps(function)
    def changing(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        finally:
            for item in (*args, *kwargs.values()):
                change(item)

    return changing
"""


def conduct_faults(source: bytes, function: ast.AST) -> list[Fault]:
    """Return faults of one function's conduct; each replaces the whole file.

    A generator raises and changes while somebody iterates: it is left alone.
    """
    if not isinstance(function, FunctionNode):
        return []
    head, thawed = _of_file(source)
    made: list[tuple[str, bytes]] = []
    generator = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function))
    if isinstance(function, ast.FunctionDef) and not generator:
        made.append((SWALLOWED, _decorated(source, head, function, "agentsys_swallowing_", _SWALLOWING)))
        if function.args.args or function.args.posonlyargs or function.args.kwonlyargs:
            made.append((CHANGED, _decorated(source, head, function, "agentsys_changing_", _CHANGING)))
    if thawed != source:
        made.append((THAWED, thawed))
    return [
        Fault(kind, function.lineno, 0, len(source), "", after.decode("utf-8", "replace"), whole=True)
        for kind, after in made
    ]


@lru_cache(maxsize=4)
def _of_file(source: bytes) -> tuple[int, bytes]:
    """What all functions of a file have in common: where helpers go, and the file with its records not frozen."""
    tree = ast.parse(source)
    return _head(tree), _thawed(source, tree)


def _decorated(source: bytes, head: int, function: ast.FunctionDef, name: str, helper: str) -> bytes:
    """Return the file with the helper at its head and the function decorated with it, below its other decorators."""
    lines = source.splitlines(keepends=True)
    lines.insert(function.lineno - 1, f"{' ' * function.col_offset}@{name}\n".encode())
    lines.insert(head, helper.encode())
    return b"".join(lines)


def _head(tree: ast.Module) -> int:
    """Return how many lines stand before the first statement that is no docstring and no `from __future__`."""
    for node in tree.body:
        documented = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not documented and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            decorators: list[ast.expr] = getattr(node, "decorator_list", [])
            return min([node.lineno, *(item.lineno for item in decorators)]) - 1
    return 0


def _thawed(source: bytes, tree: ast.Module) -> bytes:
    """Return the file with every `frozen=True` of a call turned around."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "frozen" and getattr(node.value, "value", None) is True:
            line, start, end = node.lineno - 1, node.col_offset, node.end_col_offset or node.col_offset
            if node.end_lineno == node.lineno:
                after = re.sub(rb"True$", b"False", lines[line][start:end])
                lines[line] = lines[line][:start] + after + lines[line][end:]
    return b"".join(lines)
