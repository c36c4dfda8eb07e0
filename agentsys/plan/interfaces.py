"""The public face of finished files: signatures and first docstring lines, read from the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

MAX_LINES_A_FILE = 60


def interface_digest(repo: Path, paths: Iterable[str]) -> str:
    """Return the interfaces of the Python files among `paths`, a comment with the path before each."""
    blocks: list[str] = []
    for path in sorted(paths):
        file = repo / path
        if path.endswith(".py") and file.is_file():
            lines = interface_of(file.read_text(encoding="utf-8"))
            if lines:
                blocks.append("\n".join([f"# {path}", *lines[:MAX_LINES_A_FILE]]))
    return "\n\n".join(blocks) or "# none yet"


def interface_of(source: str) -> list[str]:
    """Return one line for each public constant, function, class and method."""
    try:
        return _lines(ast.parse(source))
    except (SyntaxError, RecursionError, ValueError):
        return ["# does not parse"]


def _lines(tree: ast.Module) -> list[str]:
    lines: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _public(node.name):
            lines += [*_decorators(node), _signature(node)]
        elif isinstance(node, ast.ClassDef) and _public(node.name):
            lines += _class(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and (name := _constant(node)):
            lines.append(name)
    return lines


def _class(node: ast.ClassDef) -> list[str]:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    doc = _first_line(node)
    lines = [*_decorators(node), (f"class {node.name}({bases}):" if bases else f"class {node.name}:") + doc]
    for item in node.body:
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and (_public(item.name) or item.name == "__init__"):
            lines += ["    " + line for line in (*_decorators(item), _signature(item))]
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and _public(item.target.id):
            default = f" = {ast.unparse(item.value)[:80]}" if item.value is not None else ""
            lines.append(f"    {item.target.id}: {ast.unparse(item.annotation)}{default}")
    return lines


def _decorators(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Whether a name is a property, a class method or a dataclass decides how others use it."""
    return [f"@{ast.unparse(item)[:80]}" for item in node.decorator_list]


def _first_line(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    doc = (ast.get_docstring(node) or "").split("\n")[0][:120]
    return f"  # {doc}" if doc else ""


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{word} {node.name}({ast.unparse(node.args)}){returns}: ...{_first_line(node)}"


def _constant(node: ast.Assign | ast.AnnAssign) -> str:
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    if not isinstance(target, ast.Name) or not _public(target.id):
        return ""
    if isinstance(node, ast.AnnAssign):
        return f"{target.id}: {ast.unparse(node.annotation)}"
    return f"{target.id} = {_cut(ast.unparse(node.value))}"


def _cut(text: str, limit: int = 160) -> str:
    return text if len(text) <= limit else text[:limit] + " ..."


def _public(name: str) -> bool:
    return not name.startswith("_")
