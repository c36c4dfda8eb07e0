"""What a second look at a file has to ask: what an earlier review saw and nothing has touched since, stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from agentsys.core.artifacts import Met, Review
from agentsys.plan.symbols import FunctionNode, parse

MODULE = ""
"""Stands for what a file has outside functions and classes, imports apart."""


@dataclass(frozen=True)
class SecondLook:
    """What is asked again of a file, and what is not."""

    ids: tuple[str, ...]
    """Requirements that are asked about."""
    names: tuple[str, ...]
    """Definitions that are shown whole: what is new or another, what uses it, and where the requirements were met."""
    standing: tuple[Met, ...]
    """Rows of the earlier review that stand."""


def second_look(path: str, before: str, now: str, ids: Sequence[str], last: Review) -> SecondLook | None:
    """Return what to ask of a file that was reviewed before; None where all of it is asked again.

    A requirement stands if it was met, in this file alone, in definitions of which neither they nor what they use of
    the file is another one now.

    Args:
        before: the text that the last review saw.
        ids: requirements of the file.
    """
    old, new = _parts(before), _parts(now)
    if path not in last.files or not old or not new or old.get(MODULE) != new.get(MODULE):
        return None
    touched = _with_users({name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}, new)
    doubted = {row.requirement for row in last.findings if path in (row.path, row.read_with)}
    rows: dict[str, list[Met]] = {}
    for row in last.met:
        rows.setdefault(row.requirement, []).append(row)
    places = {name: _home(row.line, before) for name, found in rows.items() for row in found if row.path == path}
    asked = [name for name in ids if name in doubted or not _stands(rows.get(name, ()), path, before, touched)]
    if not asked or len(asked) == len(ids):
        return None
    shown = sorted((touched & new.keys()) | {places[name] for name in asked if name in places} - {MODULE})
    standing = tuple(row for name in ids if name not in asked for row in rows[name])
    return SecondLook(tuple(asked), tuple(shown), standing)


def _stands(rows: Sequence[Met], path: str, before: str, touched: Collection[str]) -> bool:
    return bool(rows) and all(row.path == path and _home(row.line, before) not in touched for row in rows)


def _parts(source: str) -> dict[str, str]:
    """Return each function, method and class without its methods, as its syntax tree; comments are no part of it."""
    tree = parse(source)
    if tree is None:
        return {}
    found: dict[str, str] = {}
    rest = _collect(tree.body, "", found)
    found[MODULE] = "\n".join(ast.dump(node) for node in rest if not isinstance(node, ast.Import | ast.ImportFrom))
    return found


def _collect(body: Sequence[ast.stmt], prefix: str, found: dict[str, str]) -> list[ast.stmt]:
    """Add the definitions of a body; return the other statements."""
    rest: list[ast.stmt] = []
    for node in body:
        if isinstance(node, FunctionNode):
            found[f"{prefix}{node.name}"] = ast.dump(node)
        elif isinstance(node, ast.ClassDef):
            own = _collect(node.body, f"{prefix}{node.name}.", found)
            heads = [*node.bases, *node.keywords, *node.decorator_list, *own]
            found[f"{prefix}{node.name}"] = "\n".join(map(ast.dump, heads))
        else:
            rest.append(node)
    return rest


def _with_users(names: set[str], parts: Mapping[str, str]) -> set[str]:
    """Return definitions with all those that name them, whatever else has that name, and theirs."""
    found = set(names)
    todo = list(names)
    while todo:
        short = todo.pop().rpartition(".")[2]
        word = re.compile(rf"'{re.escape(short)}'")
        users = {name for name, text in parts.items() if name not in found and word.search(text)}
        found |= users
        todo += users
    return found


def _home(line: int, source: str) -> str:
    """Return the innermost function, or the class, in which a line lies."""
    tree = parse(source)
    return _inside(line, tree.body, "") if tree is not None else MODULE


def _inside(line: int, body: Sequence[ast.stmt], prefix: str) -> str:
    for node in body:
        if not isinstance(node, FunctionNode | ast.ClassDef):
            continue
        first = min([node.lineno, *(row.lineno for row in node.decorator_list)])
        if first <= line <= (node.end_lineno or node.lineno):
            name = f"{prefix}{node.name}"
            return _inside(line, node.body, f"{name}.") or name if isinstance(node, ast.ClassDef) else name
    return MODULE
