"""Weakenings that any file can hold: swallowed exceptions, bodies that no longer compute."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from agentsys.repair.guard_tree import Function, Module, body_of, dotted, is_constant

_BROAD = ("Exception", "BaseException")


def source_reasons(before: Module, after: Module, *, is_test: bool) -> Iterable[str]:
    """Yield what the file lost in earnestness between `before` and `after`."""
    if _swallows(after.tree) > _swallows(before.tree):
        yield "an exception is swallowed (a bare or broad `except` that does not raise again)"
    if is_test:
        return
    for name, function in after.functions.items():
        old = before.functions.get(name)
        if old is None:
            continue
        if not _is_stub(old) and _is_stub(function):
            yield f"the body of `{name}` is replaced by a constant or nothing"
        elif _dead_after_return(function) and not _dead_after_return(old):
            yield f"`{name}` returns before its computation"


def _swallows(tree: ast.Module) -> int:
    """Count broad handlers without `raise`, handlers that only pass, and `suppress` of broad exceptions."""
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            count += _handler_swallows(node)
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("suppress"):
            count += any(dotted(item) in _BROAD for item in node.args)
    return count


def _handler_swallows(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type] if handler.type else []
    broad = handler.type is None or any(dotted(kind) in _BROAD for kind in kinds)
    raises = any(isinstance(node, ast.Raise) for item in handler.body for node in ast.walk(item))
    only_pass = all(isinstance(item, ast.Pass | ast.Continue) or _is_ellipsis(item) for item in handler.body)
    return not raises and (broad or only_pass)


def _is_ellipsis(item: ast.stmt) -> bool:
    return isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and item.value.value is ...


def _is_stub(function: Function) -> bool:
    """True where the body does nothing but pass, return a constant or say that it is not implemented."""
    body = body_of(function)
    for item in body:
        if isinstance(item, ast.Pass) or _is_ellipsis(item):
            continue
        if isinstance(item, ast.Return) and is_constant(item.value):
            return True
        if isinstance(item, ast.Raise) and item.exc is not None and "NotImplemented" in ast.dump(item.exc):
            return True
        if isinstance(item, ast.Assign) and is_constant(item.value):
            continue
        return False
    return True


def _dead_after_return(function: Function) -> bool:
    """True where a `return` on the top level of the body leaves statements behind it."""
    body = body_of(function)
    return any(isinstance(item, ast.Return | ast.Raise) for item in body[:-1])
