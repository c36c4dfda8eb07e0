"""Weakenings that any file can hold: swallowed exceptions, bodies that no longer compute."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from agentsys.debug.guard_tree import Function, Module, body_of, dotted

_BROAD = ("Exception", "BaseException")
_COMPUTING = (ast.Call, ast.Attribute, ast.Subscript, ast.Await, ast.Yield, ast.YieldFrom, ast.Lambda, ast.Import)


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
        if _dead_after_return(function) and not _dead_after_return(old):
            yield f"`{name}` returns before its computation"
        elif not _is_stub(old) and _is_stub(function):
            yield f"the body of `{name}` is replaced by a constant or nothing"


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
    """True where the body computes nothing: passes, raises NotImplementedError, or returns its own constants."""
    nodes = [node for item in body_of(function) for node in ast.walk(item)]
    raises = [node for node in nodes if isinstance(node, ast.Raise)]
    if raises:
        return len(raises) == len(body_of(function)) and all("NotImplemented" in ast.dump(node) for node in raises)
    if any(isinstance(node, _COMPUTING) for node in nodes):
        return False
    loaded = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return loaded <= stored


def _dead_after_return(function: Function) -> bool:
    """True where a `return` on the top level of the body leaves statements behind it."""
    body = body_of(function)
    return any(isinstance(item, ast.Return | ast.Raise) for item in body[:-1])
