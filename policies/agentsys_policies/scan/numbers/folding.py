"""What an expression of constants is, without running it: `120 / 62`, `float("-9." + "412")`, `sum([1.9, 0.035])`."""

from __future__ import annotations

import ast
import itertools
import math
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from agentsys_policies.scan.numbers.functions import CALLS, LONGEST, MOST_DIGITS, OPERATORS, formatted, method

MOST_STEPS = 200_000
"""Expressions of one program that are looked at."""
MOST_ROUNDS = 2000
"""Elements over which a comprehension is followed."""
DEEPEST = 40
"""Names that may stand for one another, and expressions within expressions."""


class Unknown(Exception):
    """The expression is not made of constants alone, or too large to look at."""


_FAILS = (
    *(Unknown, ArithmeticError, ValueError, TypeError, LookupError, AttributeError),
    *(RecursionError, MemoryError, SyntaxError, struct.error, zlib.error),
)
_CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}


class Folder:
    """Values of the constant expressions of one program; names that are bound once stand for what they are bound to."""

    def __init__(self, nodes: Sequence[ast.AST]) -> None:
        self._names = _bound_once(nodes)
        self._known: dict[int, Any] = {}
        self._steps = 0

    def value(self, node: ast.expr) -> object:
        """Return the value. Raises: Unknown."""
        try:
            return self._fold(node, {}, 0)
        except _FAILS as error:
            raise Unknown from error

    def _fold(self, node: ast.expr, local: Mapping[str, Any], depth: int) -> Any:
        key = id(node)
        if not local and key in self._known:
            if self._known[key] is Unknown:
                raise Unknown
            return self._known[key]
        self._steps += 1
        if depth > DEEPEST or self._steps > MOST_STEPS:
            raise Unknown
        if not local:
            self._known[key] = Unknown  # also while it is looked at: a name may be bound to itself
        value = _small(self._kind(node, local, depth + 1))
        if not local:
            self._known[key] = value
        return value

    def _kind(self, node: ast.expr, local: Mapping[str, Any], depth: int) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name() | ast.Attribute():
                return self._named(node, local, depth)
            case ast.UnaryOp() if type(node.op) in OPERATORS:
                return OPERATORS[type(node.op)](self._fold(node.operand, local, depth))
            case ast.BinOp():
                return self._operation(node, local, depth)
            case ast.Call():
                return self._call(node, local, depth)
            case ast.List() | ast.Tuple() | ast.Set():
                return tuple(self._elements(node.elts, local, depth))
            case ast.Dict() if all(key is not None for key in node.keys):
                keys = [self._fold(cast("ast.expr", key), local, depth) for key in node.keys]
                return dict(zip(keys, self._elements(node.values, local, depth), strict=True))
            case ast.Subscript():
                return self._fold(node.value, local, depth)[self._index(node.slice, local, depth)]
            case ast.JoinedStr():
                return "".join(self._part(part, local, depth) for part in node.values)
            case ast.IfExp():
                chosen = node.body if self._fold(node.test, local, depth) else node.orelse
                return self._fold(chosen, local, depth)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return tuple(self._comprehended(node, local, depth))
            case _:
                raise Unknown

    def _named(self, node: ast.Name | ast.Attribute, local: Mapping[str, Any], depth: int) -> Any:
        if isinstance(node, ast.Name) and node.id in local:
            return local[node.id]
        name = node.id if isinstance(node, ast.Name) else node.attr
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in {"math", "np", "numpy"}:
            return _CONSTANTS[name] if name in _CONSTANTS else CALLS[name]
        if name in self._names:
            return self._fold(self._names[name], {}, depth)
        return CALLS[name]  # a function that is handed on, as in `map(str, ...)`

    def _operation(self, node: ast.BinOp, local: Mapping[str, Any], depth: int) -> Any:
        left, right = self._fold(node.left, local, depth), self._fold(node.right, local, depth)
        if isinstance(node.op, ast.Mod):
            return formatted(left, right) if isinstance(left, str) else left % right
        return OPERATORS[type(node.op)](left, right)

    def _call(self, node: ast.Call, local: Mapping[str, Any], depth: int) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        given = self._elements(node.args, local, depth)
        if name == "eval" and given and isinstance(given[0], str):
            return self._fold(ast.parse(given[0].strip(), mode="eval").body, {"": 0}, depth)
        if name == "dict" and not given:
            return {str(word.arg): self._fold(word.value, local, depth) for word in node.keywords if word.arg}
        if isinstance(node.func, ast.Attribute) and (does := method(name)) is not None:
            try:
                whole = self._fold(node.func.value, local, depth)
            except _FAILS:
                whole = Unknown
            if whole is not Unknown and not callable(whole):
                return does(whole, *given)
        if name in self._names or name not in CALLS:
            raise Unknown
        return CALLS[name](*given)

    def _elements(self, nodes: Sequence[ast.expr], local: Mapping[str, Any], depth: int) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found += self._fold(node.value, local, depth)
            else:
                found.append(self._fold(node, local, depth))
        return found

    def _index(self, node: ast.expr, local: Mapping[str, Any], depth: int) -> Any:
        if not isinstance(node, ast.Slice):
            return self._fold(node, local, depth)
        parts = (node.lower, node.upper, node.step)
        return slice(*(self._fold(part, local, depth) if part is not None else None for part in parts))

    def _part(self, node: ast.expr, local: Mapping[str, Any], depth: int) -> str:
        if isinstance(node, ast.Constant):
            return str(node.value)
        if not isinstance(node, ast.FormattedValue) or node.conversion != -1:
            raise Unknown
        form = self._fold(node.format_spec, local, depth) if node.format_spec is not None else ""
        if len(form) > 4:
            raise Unknown
        return format(self._fold(node.value, local, depth), form)

    def _comprehended(
        self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp, local: Mapping[str, Any], depth: int
    ) -> Iterator[Any]:
        loop = node.generators[0]
        if len(node.generators) > 1 or loop.ifs:
            raise Unknown
        values = self._fold(loop.iter, local, depth)
        for value in itertools.islice(values, MOST_ROUNDS):
            yield self._fold(node.elt, {**local, "": 0, **_bound(loop.target, value)}, depth)


def _bound(target: ast.expr, value: Any) -> dict[str, Any]:
    if isinstance(target, ast.Name):
        return {target.id: value}
    if isinstance(target, ast.Tuple):
        parts = zip(target.elts, value, strict=True)
        return {name: part for item, inner in parts for name, part in _bound(item, inner).items()}
    raise Unknown


def _small(value: Any) -> Any:
    """Refuse what is too large to go on with."""
    if isinstance(value, int) and value.bit_length() > MOST_DIGITS:
        raise Unknown
    if isinstance(value, str | bytes | list | tuple | dict) and len(cast("Any", value)) > LONGEST:
        raise Unknown
    return cast("Any", value)


def _bound_once(nodes: Sequence[ast.AST]) -> dict[str, ast.expr]:
    """Names and attributes of a program that are bound at exactly one place, by an assignment."""
    counts: Counter[str] = Counter()
    values: dict[str, ast.expr] = {}
    for node in nodes:
        match node:
            case ast.Name() if isinstance(node.ctx, ast.Store | ast.Del):
                counts[node.id] += 1
            case ast.Attribute() if isinstance(node.ctx, ast.Store | ast.Del):
                counts[node.attr] += 1
            case ast.arg():
                counts[node.arg] += 1
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                counts[node.name] += 1
            case ast.AugAssign():
                counts[getattr(node.target, "id", getattr(node.target, "attr", ""))] += 1
            case ast.Assign():
                for target in node.targets:
                    values.update(_pairs(target, node.value))
            case ast.AnnAssign() if node.value is not None:
                values.update(_pairs(node.target, node.value))
            case _:
                pass
    return {name: value for name, value in values.items() if counts[name] == 1}


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Attribute):
        yield target.attr, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for one, other in zip(target.elts, value.elts, strict=True):
            yield from _pairs(one, other)
