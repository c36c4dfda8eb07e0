"""The code of a repository that a program reaches, by name, and code without its author's prose."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping

from agentsys.plan.symbols import imported_modules

_ALWAYS = "*"
"""Stands for statements of a module that no name leads to."""


def reached(program: str, sources: Mapping[str, str]) -> dict[str, str]:
    """Return, by path, the functions, classes and constants that a program may use, as they stand in their files.

    A definition counts where its file is imported and its name stands in the program or in one that counts already,
    as a text too (`getattr`): rather one too many than one that is missing. What does not parse is returned whole.

    Args:
        program: text of the program.
        sources: path -> text of the repository's modules.
    """
    modules = {_module(path): path for path in sources}
    files = _imported(program, modules, sources)
    nodes = {path: _definitions(sources[path]) for path in files}
    names, chosen = {_ALWAYS, *_names(_parsed(program))}, dict[tuple[str, int], ast.stmt]()
    while True:
        fresh = {
            (path, number): node
            for path in files
            for number, (defined, node) in enumerate(nodes[path])
            if (path, number) not in chosen and defined & names
        }
        if not fresh:
            break
        chosen |= fresh
        names |= {name for node in fresh.values() for name in _names(node)}
    found: dict[str, str] = {}
    for path in files:
        lines = sources[path].splitlines()
        parts = [lines[_first(chosen[key]) - 1 : chosen[key].end_lineno] for key in sorted(chosen) if key[0] == path]
        found[path] = "\n\n".join("\n".join(part) for part in parts) if nodes[path] else sources[path]
    return {path: text for path, text in found.items() if text.strip()}


def without_prose(source: str) -> str:
    """Return a program without comments and docstrings, which say what its author wants to have read.

    Lines keep their place. What cannot be read as Python is returned as it is.
    """
    lines = source.splitlines(keepends=True)
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
        tree = ast.parse(source)
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError):
        return source
    spans = [(*token.start, *token.end, "") for token in tokens if token.type == tokenize.COMMENT]
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and _is_text(node.value):
            first, last = node.lineno, node.end_lineno or node.lineno
            start, end = _chars(lines[first - 1], node.col_offset), _chars(lines[last - 1], node.end_col_offset or 0)
            spans.append((first, start, last, end, "..."))
    for first, start, last, end, instead in sorted(spans, reverse=True):
        tail = lines[last - 1][end:]
        lines[first - 1] = lines[first - 1][:start] + instead + tail
        for number in range(first, last):
            lines[number] = "\n"
    return "".join(line.rstrip() + "\n" for line in lines)


def _chars(line: str, offset: int) -> int:
    """Return the place in a line that stands so many bytes behind its start."""
    return len(line.encode()[:offset].decode(errors="ignore"))


def _imported(program: str, modules: Mapping[str, str], sources: Mapping[str, str]) -> list[str]:
    """Return the files that a program imports, and those that they import."""
    found: dict[str, None] = {}
    waiting = [program]
    while waiting:
        for name in sorted(imported_modules(waiting.pop())):
            path = modules.get(name)
            if path is not None and path not in found:
                found[path] = None
                waiting.append(sources[path])
    return sorted(found)


def _module(path: str) -> str:
    return path.removesuffix(".py").removeprefix("src/").removesuffix("/__init__").replace("/", ".")


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module(body=[], type_ignores=[])


def _definitions(source: str) -> list[tuple[set[str], ast.stmt]]:
    return [(defined, node) for node in _parsed(source).body if (defined := _defined(node))]


def _defined(node: ast.stmt) -> set[str]:
    """Return the names that a statement of a module binds; what is executed at every import counts for all."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom) or (isinstance(node, ast.Expr) and _is_text(node.value)):
        return set()
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [each for target in targets for each in ast.walk(target)]
        return {each.id for each in names if isinstance(each, ast.Name)}
    return set() if "__name__" in _names(node) else {_ALWAYS}


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _first(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _names(node: ast.AST) -> set[str]:
    found: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            found.add(each.id)
        elif isinstance(each, ast.Attribute):
            found.add(each.attr)
        elif isinstance(each, ast.alias):
            found.add(each.name.rpartition(".")[2])
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            found.add(each.value)
    return found
