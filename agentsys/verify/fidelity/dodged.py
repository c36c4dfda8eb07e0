"""What a repository does not do, or hides from whoever checks it, as its source says: for the report's first lines."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from typing import Literal

from agentsys.core.artifacts import Artifact
from agentsys.core.tree import is_test_path
from agentsys.plan.symbols import parse
from agentsys.verify.fidelity.evidence import Evidence

DodgeKind = Literal["swallowed", "unchecked"]

_IGNORE = re.compile(r"#\s*(type:\s*ignore|pyright:|mypy:|pyre-)")
_ENDS = frozenset({"exit", "_exit", "quit", "abort", "SystemExit", "fail"})


class Dodge(Artifact):
    """One place where a fault would go unseen."""

    kind: DodgeKind
    path: str
    line: int
    words: str


def find_dodges(files: Mapping[str, bytes], evidence: Evidence) -> tuple[Dodge, ...]:
    """Return exceptions swallowed around a call of a required function, and lines that the type checker is to ignore.

    Args:
        files: the repository, POSIX path to content.
        evidence: which functions carry its requirements.
    """
    required = {
        item.symbol.rpartition(".")[2]: row.id
        for row in evidence.requirements
        for item in row.symbols
        if item.found and item.kind in ("function", "class")
    }
    found: list[Dodge] = []
    for path in sorted(path for path in files if path.endswith(".py")):
        text = files[path].decode("utf-8", "replace")
        tree = parse(text)
        if tree is None:
            continue
        if not is_test_path(path):
            found += _swallowed(path, tree, required)
        found += [Dodge(kind="unchecked", path=path, line=line, words=words) for line, words in _unchecked(text, tree)]
    return tuple(found)


def _swallowed(path: str, tree: ast.Module, required: Mapping[str, str]) -> Iterator[Dodge]:
    for owner, node in _inside(tree, ""):
        if isinstance(node, ast.Try | ast.TryStar):
            silent = [row for row in node.handlers if not _passes_on(row, owner)]
            names = _called(node.body, required) if silent else []
            line = silent[0].lineno if silent else 0
        elif isinstance(node, ast.With | ast.AsyncWith) and any(_is_suppress(row.context_expr) for row in node.items):
            names, line = _called(node.body, required), node.lineno
        else:
            continue
        for name in names:
            words = f"what `{name}` ({required[name]}) raises is caught, and the program goes on"
            yield Dodge(kind="swallowed", path=path, line=line, words=words)


def _inside(node: ast.AST, owner: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node with the name of the function that it stands in."""
    for child in ast.iter_child_nodes(node):
        inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else owner
        yield inner, child
        yield from _inside(child, inner)


def _called(body: list[ast.stmt], required: Mapping[str, str]) -> list[str]:
    calls = [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return sorted({name for call in calls if (name := _last_name(call.func)) in required})


def _passes_on(handler: ast.ExceptHandler, owner: str) -> bool:
    """True where a handler raises, ends the program, or lets `main` return a code that says that it failed."""
    for node in ast.walk(handler):
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and _last_name(node.func) in _ENDS):
            return True
        if isinstance(node, ast.Return) and owner == "main" and isinstance(node.value, ast.Constant):
            return isinstance(node.value.value, int) and bool(node.value.value)
    return False


def _is_suppress(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _last_name(node.func) == "suppress"


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _unchecked(text: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and (found := _IGNORE.match(token.string)):
                yield token.start[0], f"`{found[0].lstrip('# ')}`"
    except (tokenize.TokenError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for mark in node.decorator_list:
                if _last_name(mark) == "no_type_check":
                    yield node.lineno, "`no_type_check`"
