"""Numbers in Python: literals, expressions of constants, texts that hold numbers, and comments."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import suppress

from agentsys_policies.scan.numbers import texts
from agentsys_policies.scan.numbers.folding import Folder, Unknown
from agentsys_policies.scan.numbers.mention import Mention

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_SEEN = "\0"
"""Key of a docstring, which has had its turn."""
LONGEST = 80
"""Characters of an expression that are shown."""


def mentions(text: str) -> Iterator[Mention]:
    """Yield every number of a program, comments last; of a text that does not parse, the numbers that it shows."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield from texts.mentions(text)
        return
    keys, folder = _keys(nodes), Folder(nodes)
    for owner in nodes:
        if isinstance(owner, Documented):
            yield from _docstring(owner, keys)
    # What is part of a constant expression says less than the whole of it, which comes first in the walk.
    for node in nodes:
        if isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", None), ast.Load | None):
            key = keys.get(id(node), "")
            if key is not _SEEN:
                yield from _expression(node, folder, key)
    yield from _comments(text)


def _docstring(owner: Documented, keys: dict[int, str]) -> Iterator[Mention]:
    """A text for readers, which is not looked at a second time."""
    first = owner.body[0].value if owner.body and isinstance(owner.body[0], ast.Expr) else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        keys[id(first)] = _SEEN
        yield from texts.mentions(first.value, prose=True, first_line=first.lineno)


def _comments(text: str) -> Iterator[Mention]:
    with suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and any(map(str.isdigit, token.string)):
                yield from texts.mentions(token.string, prose=True, first_line=token.start[0])


def _expression(node: ast.expr, folder: Folder, key: str) -> Iterator[Mention]:
    if isinstance(node, ast.Name | ast.Attribute):
        return  # what it stands for was seen where it was bound
    try:
        value = folder.value(node)
    except Unknown:
        return
    line = getattr(node, "lineno", 1)
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        literal = isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)
        words = _source(node) if literal else f"{_source(node)} = {_number(value):.6g}"
        yield Mention(_number(value), line, words, key, literal and isinstance(value, int))
    elif isinstance(value, str | bytes) and not (isinstance(node, ast.Constant) and not any(map(_digit, value))):
        text = value if isinstance(value, str) else value.decode("latin-1")
        yield from texts.mentions(text, first_line=line, key=key)


def _digit(part: str | int) -> bool:
    """True for what an encoded number needs at least: a digit, or a letter that may stand for one."""
    return isinstance(part, int) or part.isalnum()


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return 0.0


def _source(node: ast.expr) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _keys(nodes: list[ast.AST]) -> dict[int, str]:
    """Names under which expressions stand; a sign or a conversion around a number does not count."""
    found: dict[int, str] = {}
    for node in nodes:
        match node:
            case ast.Dict():
                for key, value in zip(node.keys, node.values, strict=True):
                    _put(found, _constant(key), value)
            case ast.Assign():
                for target in node.targets:
                    _put(found, _target(target), node.value)
            case ast.AnnAssign() if node.value is not None:
                _put(found, _target(node.target), node.value)
            case ast.keyword() if node.arg:
                _put(found, node.arg, node.value)
            case ast.Tuple() | ast.List() if len(node.elts) == 2:
                _put(found, _constant(node.elts[0]), node.elts[1])
            case ast.Call() if len(node.args) >= 2:
                _put(found, _constant(node.args[-2]), node.args[-1])
            case ast.arguments():
                named = reversed([*node.posonlyargs, *node.args])
                for name, value in zip(named, reversed(node.defaults), strict=False):
                    _put(found, name.arg, value)
            case _:
                pass
    return found


def _put(found: dict[int, str], name: str, value: ast.expr) -> None:
    if not name:
        return
    found.setdefault(id(value), name)
    if isinstance(value, ast.UnaryOp):
        _put(found, name, value.operand)
    elif isinstance(value, ast.Call):
        for item in value.args[:1]:
            _put(found, name, item)


def _target(node: ast.expr) -> str:
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
        case ast.Subscript():
            return _constant(node.slice)
        case _:
            return ""


def _constant(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
