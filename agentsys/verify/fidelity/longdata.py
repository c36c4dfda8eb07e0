"""Source as a reviewer is shown it: of long tables of data the ends, and how many lines they have."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from agentsys.plan.symbols import parse

LONG = 40
"""Lines from which a table is shortened."""
FIRST, LAST = 10, 4
"""Lines of its beginning and its end that stay."""


def shortened(source: str) -> str:
    """Return a Python file with a line in the middle of each long literal that says how many lines are not shown."""
    tree = parse(source)
    if tree is None:
        return source
    lines = source.splitlines()
    spans = sorted(_tables(tree), reverse=True)
    for start, end in spans:
        rows = lines[start - 1 : end]
        hidden = len(rows) - FIRST - LAST
        alike = len(rows) - len({row.strip().casefold() for row in rows})
        twice = f"{alike} of them repeat another" if alike else "no two are alike"
        said = f"... {hidden} lines of {len(rows)} are not shown here; {twice} ..."
        lines[start - 1 + FIRST : end - LAST] = [said]
    return "\n".join(lines) + "\n"


def _tables(node: ast.AST) -> Iterator[tuple[int, int]]:
    """Yield the lines of the outermost long literals; a documentation string is none."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        start, end = getattr(child, "lineno", 0), getattr(child, "end_lineno", 0)
        if isinstance(child, ast.expr) and end - start + 1 >= LONG and _is_data(child):
            yield start, end
        else:
            yield from _tables(child)


def _is_data(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
