"""Files as a debugger is shown them: the definitions that matter word for word, of the others one line each."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from agentsys.plan.symbols import FunctionNode, parse

_SHORT = 60
"""Characters up to which a part is not worth leaving out: the line that says so is as long."""
_FEW = 3
"""Lines up to which a constant is always shown."""
_PARTS = 12
"""Fields and methods of a class that are named where it is left out."""


@dataclass(frozen=True)
class _Gap:
    """Lines that are not shown, both counted, from 1."""

    start: int
    end: int
    indent: int
    said: tuple[str, ...]


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

    Of the others one line tells the names. Constants stay, long ones only where something shown reads them; so do the
    fields of a class of which a method is wanted. What is no Python comes back whole.

    Args:
        head: the module's docstring and imports stay as well.
    """
    tree = parse(source)
    if tree is None:
        return source
    lines = source.splitlines()
    read = {each.id for node in _shown(tree.body, "", names) for each in ast.walk(node) if isinstance(each, ast.Name)}
    gaps = [*_head(tree.body if not head else ()), *_left_out(tree.body, "", names, read)]
    for gap in reversed(list(_joined(gaps, lines))):
        if sum(map(len, lines[gap.start - 1 : gap.end])) > _SHORT:
            lines[gap.start - 1 : gap.end] = [f"{' ' * gap.indent}# ... left out here: {', '.join(gap.said)} ..."]
    return "\n".join(lines) + "\n"


def outline(source: str) -> str:
    """Return the public definitions of a file in a line: names, and what they take or hold."""
    tree = parse(source)
    rows = [node for node in (tree.body if tree else ()) if isinstance(node, FunctionNode | ast.ClassDef)]
    values = [name for node in (tree.body if tree else ()) if (name := _value(node))]
    said = [*values, *(_said(node) for node in rows if not node.name.startswith("_"))]
    return ", ".join(name for name in said if not name.startswith("_"))


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


def _head(body: Sequence[ast.stmt]) -> list[_Gap]:
    """Return the lines of the docstring and the imports that a module begins with."""
    rows = list(takewhile(lambda node: isinstance(node, ast.Expr | ast.Import | ast.ImportFrom), body))
    return [_Gap(1, rows[-1].end_lineno or 1, 0, ("imports",))] if rows else []


def _wanted(name: str, names: Collection[str]) -> bool:
    """True for a definition that is shown, or of which a part is."""
    return name in names or any(item.startswith(f"{name}.") for item in names)


def _shown(body: Sequence[ast.stmt], prefix: str, names: Collection[str]) -> Iterator[ast.stmt]:
    """Yield what stands word for word: definitions that are wanted, and all that is no definition."""
    for node in body:
        name = f"{prefix}{node.name}" if isinstance(node, FunctionNode | ast.ClassDef) else ""
        if isinstance(node, ast.If | ast.Try):
            yield from _shown([*node.body, *node.orelse], prefix, names)
        elif isinstance(node, ast.ClassDef) and name not in names and _wanted(name, names):
            yield from _shown(node.body, f"{name}.", names)
        elif (name and _wanted(name, names)) or not (name or _value(node)):
            yield node


def _left_out(body: Sequence[ast.stmt], prefix: str, names: Collection[str], read: Collection[str]) -> Iterator[_Gap]:
    """Yield what is not shown, in the order of the file.

    Args:
        read: names that something shown reads.
    """
    for node in body:
        name = f"{prefix}{node.name}" if isinstance(node, FunctionNode | ast.ClassDef) else ""
        if isinstance(node, ast.If | ast.Try):
            yield from _left_out([*node.body, *node.orelse], prefix, names, read)
        elif isinstance(node, ast.ClassDef) and name not in names and _wanted(name, names):
            yield from _left_out(node.body, f"{name}.", names, read)
        elif name and not _wanted(name, names):
            yield _gap(node, _said(node))
        elif not prefix and (value := _value(node)) and value not in read and _lines(node) > _FEW:
            yield _gap(node, value)


def _gap(node: ast.stmt, said: str) -> _Gap:
    decorators = node.decorator_list if isinstance(node, FunctionNode | ast.ClassDef) else ()
    start = min([node.lineno, *(item.lineno for item in decorators)])
    return _Gap(start, node.end_lineno or node.lineno, node.col_offset, (said,))


def _said(node: ast.stmt) -> str:
    """Return how a definition that is left out is called: its name, and what it takes or holds."""
    if isinstance(node, FunctionNode):
        given = node.args
        rows = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        rows += [row for row in (given.vararg, given.kwarg) if row is not None]
        return f"{node.name}({', '.join(row.arg for row in rows if row.arg not in ('self', 'cls'))})"
    body = node.body if isinstance(node, ast.ClassDef) else ()
    parts = [item.name if isinstance(item, FunctionNode) else _value(item) for item in body]
    held = [part for part in parts if part and not part.startswith("__")]
    return f"class {getattr(node, 'name', '')}({', '.join(held[:_PARTS])})"


def _value(node: ast.stmt) -> str:
    """Return the name that a statement gives a value; empty where it does anything else."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _joined(gaps: Iterable[_Gap], lines: Sequence[str]) -> Iterator[_Gap]:
    """Yield the gaps with those as one between which nothing stands but comments."""
    last: _Gap | None = None
    for gap in gaps:
        between: Sequence[str] = lines[last.end : gap.start - 1] if last is not None else ()
        if last is not None and last.indent == gap.indent and all(row.strip()[:1] in ("", "#") for row in between):
            last = _Gap(last.start, gap.end, gap.indent, (*last.said, *gap.said))
            continue
        if last is not None:
            yield last
        last = gap
    if last is not None:
        yield last
