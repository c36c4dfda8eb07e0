"""Small faults in the syntax tree of one function: each is a piece of source text and what stands there instead.

Left alone are docstrings, messages, guards that only raise, printing, presentation arguments, tolerances, and text in
f-strings: a fault there changes no computation, and no test has to notice it.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from agentsys.plan.symbols import FunctionNode


@dataclass(frozen=True)
class Fault:
    """`source[start:end]` (bytes) becomes `after`."""

    kind: str
    line: int
    start: int
    end: int
    before: str
    after: str
    whole: bool = False
    """It takes the place of the whole file."""


_SWAPS: dict[type[ast.operator], tuple[ast.operator, str]] = {
    ast.Add: (ast.Sub(), "+ became -"),
    ast.Sub: (ast.Add(), "- became +"),
    ast.Mult: (ast.Div(), "* became /"),
    ast.Div: (ast.Mult(), "/ became *"),
}
_STRICT: dict[type[ast.cmpop], tuple[ast.cmpop, str]] = {
    ast.Lt: (ast.LtE(), "< became <="),
    ast.LtE: (ast.Lt(), "<= became <"),
    ast.Gt: (ast.GtE(), "> became >="),
    ast.GtE: (ast.Gt(), ">= became >"),
}
_EQUAL: dict[type[ast.cmpop], tuple[ast.cmpop, str]] = {
    ast.Eq: (ast.NotEq(), "== became !="),
    ast.NotEq: (ast.Eq(), "!= became =="),
}
_DROPPED = frozenset(
    {"sqrt", "exp", "log", "log2", "log10", "log1p", "expm1", "abs", "absolute", "square", "tanh", "sigmoid", "softmax"}
    | {"log_softmax", "relu", "gelu", "clip", "clamp", "rsqrt", "flip", "sort", "cumsum", "cumprod"}
)
_NO_ARGUMENT = frozenset({"detach", "t", "sqrt", "exp", "log", "abs", "square"})
_EXCHANGED = {"minimum": "maximum", "maximum": "minimum", "min": "max", "max": "min", "argmin": "argmax"} | {
    "argmax": "argmin",
    "mean": "sum",
    "sum": "mean",
}
_STEPS = frozenset({"step", "backward", "zero_grad", "update", "clip_grad_norm_", "update_", "add_", "mul_", "sub_"})
RAISE = "raise removed"
_SEEDED = frozenset({"default_rng", "RandomState", "Random", "SeedSequence", "seed"})
_AXES = frozenset({"axis", "dim"})
_SAID = frozenset({"print", "debug", "info", "warning", "warn", "error", "exception", "log_message", "write_text"})
_PRESENTATION = (
    frozenset(
        {"dtype", "indent", "sep", "end", "encoding", "figsize", "dpi", "fontsize", "label", "color", "linewidth"}
    )
    | frozenset({"max_iter", "maxiter", "tol", "rtol", "atol", "eps", "stacklevel", "help", "default", "keepdims"})
    | frozenset({"keepdim", "num_workers", "newline", "order", "casting"})
)
_SHOWN = ("plot", "draw", "print", "show", "save", "write", "log_")
"""Functions whose names begin so show what others computed."""
_TINY = 1e-5
"""Smaller constants guard against division by zero: no test has to notice their size."""


def function_faults(source: bytes, function: ast.AST) -> list[Fault]:
    """Return every fault that can be planted in a function, in the order of the text."""
    if not isinstance(function, FunctionNode) or function.name.lstrip("_").startswith(_SHOWN):
        return []
    finder = _Finder(source, function)
    found = list(finder.all())
    unique = {(item.start, item.end, item.after): item for item in found if item.before != item.after}
    return sorted(unique.values(), key=lambda item: (item.start, item.end, item.after))


def form_faults(source: bytes, function: ast.AST) -> list[Fault]:
    """Return faults in what a function checks, names and hands back rather than in what it computes.

    Tests of a shape, of a file that is written or of an error that is raised notice these.
    """
    if not isinstance(function, FunctionNode):
        return []
    found = [item for item in _Finder(source, function).forms() if item.before != item.after]
    unique = {(item.start, item.end, item.after): item for item in found}
    return sorted(unique.values(), key=lambda item: (item.start, item.end, item.after))


def plant(source: bytes, fault: Fault) -> bytes:
    """Return the source with the fault in it."""
    return source[: fault.start] + fault.after.encode() + source[fault.end :]


class _Finder:
    """Goes through one function. Offsets of the syntax tree are in bytes, and so are ours."""

    def __init__(self, source: bytes, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._source = source
        self._function = function
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._assigned = {item.arg for item in _arguments(function)}

    def all(self) -> Iterator[Fault]:
        yield from self._early_return()
        for node in _body(self._function):
            yield from self._statement(node)

    def forms(self) -> Iterator[Fault]:
        """Faults in errors raised, values handed back, calls made for their effect, sizes and words."""
        for top in _body(self._function):
            for node in ast.walk(top):
                if isinstance(node, ast.Raise):
                    yield self._fault(node, RAISE, "pass")
                elif isinstance(node, ast.Return) and node.value is not None and not _is_constant(node.value, None):
                    yield self._fault(node.value, "nothing returned", "None")
                    if not isinstance(node.value, ast.Tuple | ast.Dict):
                        yield self._fault(node.value, "value wrapped in a list", f"[{self._text(node.value)}]")
                elif (
                    isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _called(node.value) not in _SAID
                ):
                    yield self._fault(node, "call removed", "pass")
                elif isinstance(node, ast.expr):
                    yield from self._form(node)

    def _form(self, node: ast.expr) -> Iterator[Fault]:
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield self._fault(node, f"{node.value} became {not node.value}", repr(not node.value))
        elif isinstance(node, ast.Dict):
            for key in node.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield self._fault(key, "key changed", repr(f"{key.value}_"))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                yield self._fault(node.slice, "key changed", repr(f"{node.slice.value}_"))
        elif isinstance(node, ast.Call) and _called(node) in _SEEDED and node.args:
            yield self._fault(node, "seed ignored", f"{self._text(node.func)}()")

    # -- statements ----------------------------------------------------------------------------------------------------

    def _statement(self, node: ast.stmt) -> Iterator[Fault]:
        if isinstance(node, ast.Raise | ast.Assert | ast.Import | ast.ImportFrom | ast.ClassDef | ast.Global):
            return
        if isinstance(node, FunctionNode):
            for inner in _body(node):
                yield from self._statement(inner)
            return
        yield from self._removed(node)
        if isinstance(node, ast.If):
            yield from self._condition(node)
        yield from self._parts(node)
        self._assigned |= _targets(node)

    def _parts(self, node: ast.stmt) -> Iterator[Fault]:
        """Look through a statement's expressions, then its inner statements."""
        guard = isinstance(node, ast.If) and _only_raises(node)
        inside_while = isinstance(node, ast.While)
        fields = cast("Iterator[tuple[str, object]]", ast.iter_fields(node))
        for name, value in fields:
            if name in ("annotation", "returns", "decorator_list", "targets", "target") or (guard and name == "test"):
                continue
            for item in cast("list[object]", value) if isinstance(value, list) else [value]:
                if isinstance(item, ast.stmt):
                    yield from self._statement(item)
                elif isinstance(item, ast.ExceptHandler | ast.match_case):
                    for inner in item.body:
                        yield from self._statement(inner)
                elif isinstance(item, ast.withitem):
                    yield from self._expression(item.context_expr)
                elif isinstance(item, ast.expr):
                    yield from self._expression(item, loop=inside_while)

    def _removed(self, node: ast.stmt) -> Iterator[Fault]:
        """Remove an update: a value that is built on what it had before, or a call that changes an object."""
        if isinstance(node, ast.AugAssign) or (isinstance(node, ast.Assign) and self._is_update(node)):
            yield self._fault(node, "update removed", "pass")
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _called(node.value) in _STEPS:
            yield self._fault(node, f"call of {_called(node.value)} removed", "pass")

    def _is_update(self, node: ast.Assign) -> bool:
        """True where the target had a value before: the code runs without the statement, and is wrong."""
        if all(isinstance(item, ast.Subscript) for item in node.targets):
            return True
        names = _targets(node)
        return bool(names) and names <= self._assigned

    def _condition(self, node: ast.If) -> Iterator[Fault]:
        if not _only_raises(node) and not isinstance(node.test, ast.Compare):
            yield self._fault(node.test, "condition negated", f"not ({self._text(node.test)})")

    def _early_return(self) -> Iterator[Fault]:
        """Return the first argument as it came, where the function returns something of the same type."""
        arguments = [item for item in _arguments(self._function) if item.arg not in ("self", "cls")]
        if not arguments or arguments[0].annotation is None or self._function.returns is None:
            return
        if ast.unparse(arguments[0].annotation) != ast.unparse(self._function.returns) or not _body(self._function):
            return
        first = _body(self._function)[0]
        if isinstance(first, ast.Expr | ast.Raise):  # `...` of an interface
            return
        start = self._offset(first.lineno, first.col_offset)
        indent = " " * first.col_offset
        words = f"return {arguments[0].arg}"
        if isinstance(first, ast.Return) and ast.unparse(first) == words:
            return
        kind = "returned its argument unchanged"
        yield Fault(kind, first.lineno, start, start, self._line(first.lineno), f"{words}\n{indent}")

    # -- expressions ---------------------------------------------------------------------------------------------------

    def _expression(self, node: ast.expr, *, loop: bool = False) -> Iterator[Fault]:
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Call) and _called(node) in _SAID):
            return
        if isinstance(node, ast.BinOp):
            yield from self._binary(node)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield self._fault(node, "sign flipped", f"({self._text(node.operand)})")
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            yield from self._compare(node, loop)
        elif isinstance(node, ast.Constant):
            yield from self._constant(node)
        elif isinstance(node, ast.Call):
            yield from self._call(node)
        elif isinstance(node, ast.IfExp):
            yield self._fault(node.test, "condition negated", f"not ({self._text(node.test)})")
        for child in self._children(node):
            yield from self._expression(child)

    def _children(self, node: ast.expr) -> Iterator[ast.expr]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.keyword):
                if child.arg not in _AXES and child.arg not in _PRESENTATION:
                    yield child.value
            elif isinstance(child, ast.comprehension):
                yield child.iter
                yield from child.ifs
            elif isinstance(child, ast.expr):
                yield child

    def _binary(self, node: ast.BinOp) -> Iterator[Fault]:
        if any(_is_text(side) for side in (node.left, node.right)):
            return
        swap = _SWAPS.get(type(node.op))
        if swap and not _neutral(node):
            changed = copy.copy(node)
            changed.op = swap[0]
            yield self._fault(node, swap[1], f"({ast.unparse(changed)})")
        if isinstance(node.op, ast.Add | ast.Sub) and not _is_number(node.right, 0) and not _is_number(node.left, 1):
            yield self._fault(node, "term dropped", f"({self._text(node.left)})")
        if isinstance(node.op, ast.Div):
            yield self._fault(node, "divisor dropped", f"({self._text(node.left)})")

    def _compare(self, node: ast.Compare, loop: bool) -> Iterator[Fault]:
        left, operator, right = node.left, node.ops[0], node.comparators[0]
        changed = copy.copy(node)
        if type(operator) in _EQUAL:
            changed.ops = [_EQUAL[type(operator)][0]]
            yield self._fault(node, _EQUAL[type(operator)][1], f"({ast.unparse(changed)})")
        elif type(operator) in _STRICT:
            # On real numbers `<` and `<=` differ almost nowhere; on counts they do.
            if loop or any(_is_count(side) for side in (left, right)):
                changed.ops = [_STRICT[type(operator)][0]]
                yield self._fault(node, _STRICT[type(operator)][1], f"({ast.unparse(changed)})")
            yield self._fault(right, "comparison off by one", f"({self._text(right)} + 1)")

    def _constant(self, node: ast.Constant) -> Iterator[Fault]:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float) or 0 < abs(value) < _TINY:
            return
        after = value + 1 if isinstance(value, int) else value * 1.5 if value else 1.0
        yield self._fault(node, "constant changed", repr(after))

    def _call(self, node: ast.Call) -> Iterator[Fault]:
        name = _called(node)
        if name in _DROPPED and node.args and not isinstance(node.args[0], ast.Starred):
            yield self._fault(node, f"{name} dropped", f"({self._text(node.args[0])})")
        elif name in _NO_ARGUMENT and not node.args and isinstance(node.func, ast.Attribute):
            yield self._fault(node, f"{name} dropped", f"({self._text(node.func.value)})")
        elif name == "where" and len(node.args) == 3:
            condition, first, second = (self._text(item) for item in node.args)
            function = self._text(node.func)
            yield self._fault(node, "branches of where swapped", f"{function}({condition}, {second}, {first})")
        elif name in _EXCHANGED and (isinstance(node.func, ast.Attribute) or name in ("min", "max")):
            changed = _EXCHANGED[name]
            text = self._text(node.func)
            yield self._fault(node.func, f"{name} became {changed}", text[: len(text) - len(name)] + changed)
        elif name in ("range", "arange") and node.args and not any(isinstance(a, ast.Starred) for a in node.args):
            stop = node.args[min(1, len(node.args) - 1)]
            yield self._fault(stop, "one step too many", f"({self._text(stop)}) + 1")
        for keyword in node.keywords:
            axis = _number(keyword.value)
            if keyword.arg in _AXES and axis is not None:
                wrong = {0: 1, 1: 0, -1: -2, -2: -1}.get(axis, axis - 1)
                yield self._fault(keyword.value, f"wrong {keyword.arg}", str(wrong))

    # -- text ----------------------------------------------------------------------------------------------------------

    def _fault(self, node: ast.expr | ast.stmt, kind: str, after: str) -> Fault:
        start, end = self._span(node)
        return Fault(kind, node.lineno, start, end, self._source[start:end].decode("utf-8", "replace"), after)

    def _text(self, node: ast.expr) -> str:
        start, end = self._span(node)
        text = self._source[start:end].decode("utf-8", "replace")
        # A line break is only harmless inside brackets, which the piece may have stood in.
        return ast.unparse(node) if "\n" in text else text

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        last, column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return self._offset(node.lineno, node.col_offset), self._offset(last, column)

    def _offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column

    def _line(self, line: int) -> str:
        return self._source[self._starts[line - 1] : self._starts[line]].decode("utf-8", "replace").strip()


def _body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    """Return a function's statements without its docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return function.body[1:] if documented else function.body


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _targets(node: ast.stmt) -> set[str]:
    """Return the plain names that a statement assigns; empty where it assigns something else as well."""
    names: set[str] = set()
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign | ast.For) else targets
    for target in targets:
        items = target.elts if isinstance(target, ast.Tuple) else [target]
        for item in items:
            if not isinstance(item, ast.Name):
                return set()
            names.add(item.id)
    return names


def _only_raises(node: ast.If) -> bool:
    """True for a check of arguments: `if ...: raise`."""
    return all(isinstance(item, ast.Raise) for item in node.body)


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _number(node: ast.expr) -> int | None:
    try:
        value: object = ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_number(node: ast.expr, value: float) -> bool:
    return isinstance(node, ast.Constant) and not isinstance(node.value, bool) and node.value == value


def _is_constant(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _neutral(node: ast.BinOp) -> bool:
    """True where the other operator gives the same: `x + 0`, `x * 1`."""
    return _is_number(node.right, 0 if isinstance(node.op, ast.Add | ast.Sub) else 1)


def _is_text(node: ast.expr) -> bool:
    """True for operands of concatenation and repetition, not of arithmetic."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str | bytes)
    return isinstance(node, ast.JoinedStr | ast.List | ast.Tuple | ast.ListComp)


def _is_count(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int)
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
    return isinstance(node, ast.Call) and _called(node) == "len"
