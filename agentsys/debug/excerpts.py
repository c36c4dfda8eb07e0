"""Files as a debugger is shown them: the definitions that matter word for word, of the others one line each."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile

from agentsys.plan.symbols import FunctionNode, parse

_SHORT = 60
"""Characters up to which a part is not worth leaving out: the line that says so is as long."""


def pack(sources: Mapping[str, str], order: Sequence[str], budget: int, heads: Collection[str] = ()) -> dict[str, str]:
    """Return texts by path, in the order in which they matter, within about `budget` characters.

    Args:
        order: `path:name` or `path`, the most telling first; what no longer fits is left out, smaller things after it
            may still fit.
        heads: files whose imports are shown too.
    """

    def text(path: str, names: Collection[str]) -> str:
        return sources[path] if "" in names else excerpt(sources[path], names, head=path in heads)

    kept: dict[str, list[str]] = {}
    spent = 0
    for key in order:
        path, _, name = key.partition(":")
        if path not in sources:
            continue
        before = len(text(path, kept[path])) if path in kept else 0
        wanted = [*kept.get(path, ()), name]
        more = len(text(path, wanted)) - before
        if kept and spent + more > budget:
            continue
        kept[path] = wanted
        spent += more
    return {path: text(path, names) for path, names in kept.items()}


def excerpt(source: str, names: Collection[str], *, head: bool = True) -> str:
    """Return a Python file with only these definitions in full (`function`, `Class`, `Class.method`).

    Constants and signatures stay, and the fields of a class of which a method is wanted; a line says how much was left
    out. What is no Python comes back whole.

    Args:
        head: the module's docstring and imports stay as well.
    """
    tree = parse(source)
    if tree is None:
        return source
    lines = source.splitlines()
    left_out = [*_head(tree.body if not head else ()), *_left_out(tree.body, "", names)]
    for start, end, indent in reversed(left_out):
        if sum(map(len, lines[start - 1 : end])) <= _SHORT:
            continue
        lines[start - 1 : end] = [f"{' ' * indent}# ... {end - start + 1} lines are left out here ..."]
    return "\n".join(lines) + "\n"


def defined(source: str) -> list[str]:
    """Return the names under which `excerpt` finds the definitions of a file, in its order."""
    tree = parse(source)
    return [] if tree is None else list(_defined(tree.body, ""))


def _defined(body: Sequence[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, FunctionNode | ast.ClassDef):
            yield f"{prefix}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from _defined(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.If | ast.Try):
            yield from _defined([*node.body, *node.orelse], prefix)


def _head(body: Sequence[ast.stmt]) -> list[tuple[int, int, int]]:
    """Return the lines of the docstring and the imports that a module begins with."""
    rows = list(takewhile(lambda node: isinstance(node, ast.Expr | ast.Import | ast.ImportFrom), body))
    return [(1, rows[-1].end_lineno or 1, 0)] if rows else []


def _left_out(body: Sequence[ast.stmt], prefix: str, names: Collection[str]) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for node in body:
        if isinstance(node, FunctionNode):
            name = f"{prefix}{node.name}"
            inner = [item for item in names if item.startswith(f"{name}.")]
            first, last = node.body[0].lineno, node.end_lineno or node.lineno
            if name not in names and not inner and first > node.lineno:
                found.append((first, last, node.body[0].col_offset))
        elif isinstance(node, ast.ClassDef) and (name := f"{prefix}{node.name}") not in names:
            if any(item.startswith(f"{name}.") for item in names):
                found += _left_out(node.body, f"{name}.", names)
            elif (first := node.body[0].lineno) > node.lineno:
                found.append((first, node.end_lineno or first, node.body[0].col_offset))
        elif isinstance(node, ast.If | ast.Try):
            found += _left_out(node.body, prefix, names)
            found += _left_out(node.orelse, prefix, names)
    return found
