"""Functions that are only promised: bodies of `pass`, `...`, NotImplementedError, or a note that it is still to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass

from agentsys.core.tree import is_test_path
from agentsys.plan.symbols import FunctionNode, definitions
from agentsys.report.evaluate.subject import text_of

_TO_DO = re.compile(r"#.*\b(TODO|FIXME|XXX|placeholder|not implemented|implement (?:this|me|here))\b", re.IGNORECASE)
_SHORT = 3
"""Statements of a body that a note of what is to do makes a stub; longer ones do something beside the note."""
_PROMISES = frozenset({"abstractmethod", "overload"})


@dataclass(frozen=True)
class Function:
    """One function or method of the method's files."""

    path: str
    name: str
    line: int
    stub: str
    """Why it is one, or nothing."""


def functions(files: Mapping[str, bytes]) -> list[Function]:
    """Return the functions and methods of all Python files that are no tests; those that only declare are left out."""
    found: list[Function] = []
    for path, data in sorted(files.items()):
        text = text_of(data) if path.endswith(".py") and not is_test_path(path) else None
        if text is None:
            continue
        defined = definitions(text)
        lines = text.splitlines()
        for item in defined.values():
            if isinstance(item.node, FunctionNode) and not _declares(item.node, item.name, defined):
                found.append(Function(path, item.name, item.line, _stub(item.node, lines)))
    return found


def _declares(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str, defined: Mapping[str, object]) -> bool:
    """True for abstract methods, overloads and methods of protocols: others must fill them."""
    marks = {ast.unparse(item).rpartition(".")[2] for item in node.decorator_list}
    owner = getattr(defined.get(name.rpartition(".")[0]), "bases", ())
    return bool(marks & _PROMISES) or "Protocol" in owner


def _stub(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> str:
    body = node.body[1:] if _is_text(node.body[0]) else node.body
    if all(isinstance(item, ast.Pass) or _is_text(item) or _is_ellipsis(item) for item in body):
        return "empty body"
    if len(body) <= _SHORT and any(_raises_not_implemented(item) for item in body):
        return "raises NotImplementedError"
    own = "\n".join(lines[node.lineno - 1 : node.end_lineno])
    if len(body) <= _SHORT and sum(1 for _ in ast.walk(ast.Module(body, []))) < 40 and _TO_DO.search(own):
        return "marked as still to do"
    return ""


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_ellipsis(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


def _raises_not_implemented(node: ast.stmt) -> bool:
    return isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc)
