"""What a repository hides from the type checker: branches, marks, stubs, shadowing modules, comments."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath

from agentsys.core.artifacts import Diagnostic
from agentsys.plan.distributions import distribution_of, normal_name
from agentsys.plan.symbols import FunctionNode, parse

_NO_CHECK = ("no_type_check", "no_type_check_decorator")
_FLAG = "TYPE_CHECKING"
_SILENCING = re.compile(r"type:\s*ignore|pyright:|mypy:")
_LINE = re.compile(r"#[^#\n]*?(?:type:\s*ignore|pyright:|mypy:).*")
_COMPILED = (".pyc", ".pyo", ".so", ".pyd")
_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break, ast.Assert)


def unseen_findings(
    files: Mapping[str, bytes], installed: Collection[str] = (), own: Collection[str] = ()
) -> list[Diagnostic]:
    """Return a finding of the check `pyright` for each part of a repository that pyright cannot judge.

    Args:
        files: POSIX path to content.
        installed: normal names of the installed distributions.
        own: names of the repository itself, which is installed too where it has a build.
    """
    found: list[Diagnostic] = []
    mine = {normal_name(name) for name in own}
    for path in sorted(files):
        if path.endswith(".pyi"):
            found.append(_finding(path, f"`{path}` is a stub: the type checker would see it instead of the code"))
        elif path.endswith(_COMPILED):
            found.append(_finding(path, f"`{path}` is compiled code, which the type checker does not see"))
        elif path.endswith(".py"):
            distribution = normal_name(distribution_of(_top(path, files)))
            if distribution in installed and distribution not in mine:
                message = f"`{path}` stands in for a module of the installed `{distribution}`; give it another name"
                found.append(_finding(path, message))
            tree = parse(files[path].decode("utf-8", "replace"))
            found += _in_code(path, tree) if tree else []
    return found


def without_silencing(text: str) -> tuple[str, int]:
    """Blank the comments that tell a type checker to look away; lines and columns stay as they are.

    Returns: the text, and how many comments were blanked.
    """
    lines = list(io.StringIO(text, newline=""))
    comments = _comments(text, lines)
    for row, start, length in comments:
        line = lines[row]
        lines[row] = f"{line[:start]}#{' ' * (length - 1)}{line[start + length :]}"
    return "".join(lines), len(comments)


def _comments(text: str, lines: list[str]) -> list[tuple[int, int, int]]:
    """Return row (from 0), column and length of each silencing comment."""
    found: list[tuple[int, int, int]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
            if token.type == tokenize.COMMENT and _SILENCING.search(token.string):
                found.append((token.start[0] - 1, token.start[1], len(token.string)))
    except (tokenize.TokenError, SyntaxError):  # not this Python's syntax: whatever looks like one
        return [(row, m.start(), len(m[0].rstrip())) for row, line in enumerate(lines) for m in _LINE.finditer(line)]
    return found


def _finding(path: str, message: str, line: int | None = None) -> Diagnostic:
    return Diagnostic(kind="type", check="pyright", message=message, path=path, line=line)


def _top(path: str, files: Mapping[str, bytes]) -> str:
    """Return the name under which the top of a file's package is imported, for the file that makes it importable."""
    place = PurePosixPath(path)
    if place.name == "__init__.py":
        place = place.parent
    in_package = f"{place.parent}/__init__.py" in files
    return "" if in_package else place.stem


def _in_code(path: str, tree: ast.Module) -> Iterator[Diagnostic]:
    for node in ast.walk(tree):
        line = getattr(node, "lineno", None)
        if _names(node) & {*_NO_CHECK}:
            yield _finding(path, "`no_type_check` switches the type checker off; remove it", line)
        elif hidden := _hidden(node):
            message = "code that the type checker does not see: `TYPE_CHECKING` is never true when it runs"
            yield _finding(path, message, getattr(hidden, "lineno", line))


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {alias.name for alias in node.names}
    return {node.attr} if isinstance(node, ast.Attribute) else {node.id} if isinstance(node, ast.Name) else set()


def _mentions(test: ast.expr) -> bool:
    return any(_FLAG in _names(node) for node in ast.walk(test))


def _hidden(node: ast.AST) -> ast.AST | None:
    """Return the first thing that runs and is not checked; None where only imports differ."""
    if not isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert) or not _mentions(node.test):
        return None
    value = _static(node.test)
    if isinstance(node, ast.IfExp | ast.Assert):
        return None if value is None else node
    if value is None:
        return None
    dead, live = (node.orelse, node.body) if value else (node.body, node.orelse)
    for item in dead:
        if not _only_imports(item):
            return item
    for item in live:  # what leaves here makes the checker take all that follows for unreachable
        if any(isinstance(inner, (*_LEAVING, ast.Call)) for inner in _statements(item)):
            return item
    return None


def _only_imports(item: ast.stmt) -> bool:
    if isinstance(item, ast.Try):
        blocks = [*item.body, *item.orelse, *item.finalbody, *(each for row in item.handlers for each in row.body)]
        return all(_only_imports(each) for each in blocks)
    return isinstance(item, ast.Import | ast.ImportFrom | ast.Pass)


def _statements(item: ast.stmt) -> Iterator[ast.AST]:
    """Walk what is executed at once: statements and bare calls, but no bodies of functions and classes."""
    queue: list[ast.AST] = [item]
    while queue:
        node = queue.pop()
        if isinstance(node, FunctionNode | ast.ClassDef):
            continue
        yield node.value if isinstance(node, ast.Expr) else node
        queue += [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt | ast.ExceptHandler)]


def _static(test: ast.expr) -> bool | None:
    """Return what a type checker takes a condition for; None where it depends on the run."""
    if _FLAG in _names(test):
        return True
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _static(test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        deciding = isinstance(test.op, ast.Or)
        values = [_static(each) for each in test.values]
        return deciding if deciding in values else None if None in values else not deciding
    return None
