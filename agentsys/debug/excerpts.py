"""Files as a debugger is shown them: the definitions that matter word for word, of the others one line each."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence

from agentsys.plan.symbols import FunctionNode, parse

SMALL = 800
"""Characters up to which a file is shown whole."""
_SHORT = 4
"""Lines up to which a definition is not worth leaving out."""


def pack(sources: Mapping[str, str], order: Sequence[str], budget: int) -> dict[str, str]:
    """Return texts by path, in the order in which they matter, within about `budget` characters.

    Args:
        order: `path:name` or `path`, the most telling first; what no longer fits is left out, smaller things after it
            may still fit.
    """
    kept: dict[str, list[str]] = {}
    spent = 0
    for key in order:
        path, _, name = key.partition(":")
        if path not in sources:
            continue
        before = len(_text(sources[path], kept[path])) if path in kept else 0
        wanted = [*kept.get(path, ()), name]
        more = len(_text(sources[path], wanted)) - before
        if kept and spent + more > budget:
            continue
        kept[path] = wanted
        spent += more
    return {path: _text(sources[path], names) for path, names in kept.items()}


def _text(source: str, names: Collection[str]) -> str:
    return source if "" in names or len(source) <= SMALL else excerpt(source, names)


def excerpt(source: str, names: Collection[str]) -> str:
    """Return a Python file with only these definitions in full (`function`, `Class`, `Class.method`).

    Imports, constants, class fields and signatures stay; a line says how much of a body was left out. What is no
    Python comes back whole.
    """
    tree = parse(source)
    if tree is None:
        return source
    lines = source.splitlines()
    for start, end, indent in reversed(_left_out(tree.body, "", names)):
        lines[start - 1 : end] = [f"{' ' * indent}# ... {end - start + 1} lines are left out here ..."]
    return "\n".join(lines) + "\n"


def _left_out(body: Sequence[ast.stmt], prefix: str, names: Collection[str]) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for node in body:
        if isinstance(node, FunctionNode):
            name = f"{prefix}{node.name}"
            inner = [item for item in names if item.startswith(f"{name}.")]
            first, last = node.body[0].lineno, node.end_lineno or node.lineno
            if name not in names and not inner and last - first >= _SHORT and first > node.lineno:
                found.append((first, last, node.body[0].col_offset))
        elif isinstance(node, ast.ClassDef) and f"{prefix}{node.name}" not in names:
            found += _left_out(node.body, f"{prefix}{node.name}.", names)
        elif isinstance(node, ast.If | ast.Try):
            found += _left_out(node.body, prefix, names)
            found += _left_out(node.orelse, prefix, names)
    return found
