"""A test file as a reviewer is shown it: what no planted fault has shown to compare anything.

A test that noticed a changed line of code compares something with a value of its own: of such a test the name is told.
With the others stands all that they use, and whatever could make a test look right: what a module does when it is
loaded, and helpers that replace something.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from agentsys.core.text import cut
from agentsys.plan.symbols import FunctionNode, parse

REPLACING = frozenset(
    {
        *("monkeypatch", "setattr", "delattr", "patch", "mock", "Mock", "MagicMock", "sys", "modules", "importlib"),
        *(
            "skip",
            "skipif",
            "xfail",
            "importorskip",
            "exec",
            "eval",
            "globals",
            "vars",
            "__dict__",
            "environ",
            "autouse",
        ),
    }
)
"""Words of code that may put something else in the place of what is tested, or take a test out."""

NOTICED = "noticed a fault planted in the code"
HIDDEN = "not shown here, and did not notice one yet"


def unproven(text: str, proven: Collection[str], limit: int) -> str:
    """Return a test file without what proven tests do; of unproven ones beyond the limit the names stand too.

    Args:
        proven: names of tests that noticed a planted fault (`test`, `Class.test`).
        limit: characters, about; what may replace something is shown beyond it, up to twice as many.
    """
    tree = parse(text)
    if tree is None:
        return cut(text, limit)
    lines = text.splitlines()
    kept, spent, hidden = set[ast.stmt](), 0, list[str]()
    wanted = [node for node in tree.body if _is_shown(node, proven)]
    for node in sorted(wanted, key=_is_test):  # what may replace something goes before all tests
        more = _with_used(node, tree, proven) - kept
        size = sum(len(line) + 1 for each in more for line in _lines_of(each, lines, proven))
        if _is_test(node) and not _replaces(node) and kept and spent + size > limit:
            hidden += _names(node) or ["..."]
            continue
        kept |= more
        spent += size
    shown = "\n".join(line for node in tree.body if node in kept for line in _lines_of(node, lines, proven))
    there = [name for name in proven if _is_there(tree, name)]
    return (
        "\n".join([cut(shown, 2 * limit), *_said("noticed a fault planted in the code", there), *_said(HIDDEN, hidden)])
        + "\n"
    )


def _said(what: str, names: Sequence[str]) -> list[str]:
    return [f"# {what}: {', '.join(names)}"] if names else []


def _with_used(node: ast.stmt, tree: ast.Module, proven: Collection[str]) -> set[ast.stmt]:
    """Return a statement with those of its file that it uses, and these."""
    named = {name: each for each in tree.body for name in _names(each)}
    found, todo = {node}, [node]
    while todo:
        for name in _used(todo.pop(), proven):
            other = named.get(name)
            if other is not None and other not in found:
                found.add(other)
                todo.append(other)
    return found


def _is_test(node: ast.stmt) -> bool:
    return any(name.lower().startswith("test") for name in _names(node))


def _is_shown(node: ast.stmt, proven: Collection[str]) -> bool:
    if isinstance(node, FunctionNode):
        return _replaces(node) or (node.name.startswith("test") and node.name not in proven)
    if isinstance(node, ast.ClassDef):
        return any(isinstance(item, FunctionNode) and not _is_hidden(item, node.name, proven) for item in node.body)
    return not (_names(node) or _is_docstring(node)) or _replaces(node)


def _replaces(node: ast.stmt) -> bool:
    """True where something is put in the place of something else, in a proven test as well."""
    return not (_words(node) - set(_names(node))).isdisjoint(REPLACING)


def _is_hidden(item: ast.stmt, owner: str, proven: Collection[str]) -> bool:
    return isinstance(item, FunctionNode) and f"{owner}.{item.name}" in proven and not _replaces(item)


def _names(node: ast.stmt) -> list[str]:
    """Return the names that a statement of a module gives a meaning; none where it does something else as well."""
    if isinstance(node, FunctionNode | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(row.asname or row.name).partition(".")[0] for row in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    found = [item.id for item in targets if isinstance(item, ast.Name)]
    return found if len(found) == len(targets) else []


def _words(node: ast.AST) -> set[str]:
    """Return the names, attributes, parameters and keywords in a piece of code."""
    found: set[str] = set()
    for each in ast.walk(node):
        for name in ("id", "attr", "arg", "name", "module"):
            value = getattr(each, name, None)
            found |= set(value.split(".")) if isinstance(value, str) else set()
    return found


def _used(node: ast.stmt, proven: Collection[str]) -> set[str]:
    """Return the words of what is shown of a statement."""
    if not isinstance(node, ast.ClassDef):
        return _words(node)
    shown = [item for item in node.body if not _is_hidden(item, node.name, proven)]
    parts = [*node.bases, *node.decorator_list, *shown]
    return {word for part in parts for word in _words(part)}


def _lines_of(node: ast.stmt, lines: Sequence[str], proven: Collection[str]) -> list[str]:
    """Return the lines of a statement; of a class without its proven tests."""
    first, last = _span(node)
    hidden: set[int] = set()
    for item in node.body if isinstance(node, ast.ClassDef) else ():
        if _is_hidden(item, getattr(node, "name", ""), proven):
            hidden.update(range(_span(item)[0], _span(item)[1] + 1))
    space = [] if isinstance(node, ast.Import | ast.ImportFrom) else [""]
    return [*(lines[number - 1] for number in range(first, last + 1) if number not in hidden), *space]


def _span(node: ast.stmt) -> tuple[int, int]:
    decorators = node.decorator_list if isinstance(node, FunctionNode | ast.ClassDef) else []
    return min([node.lineno, *(item.lineno for item in decorators)]), node.end_lineno or node.lineno


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_there(tree: ast.Module, name: str) -> bool:
    owner, _, method = name.rpartition(".")
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner]
    body = [item for node in classes for item in node.body] if owner else tree.body
    return any(isinstance(node, FunctionNode) and node.name == method for node in body)
