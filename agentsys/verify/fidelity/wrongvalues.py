"""The plainest fault of a function: everything that it hands back is wrong, in value or in form, each time alike."""

from __future__ import annotations

import ast

from agentsys.plan.symbols import FunctionNode, own_nodes
from agentsys.verify.fidelity.faults import Fault

ALL_VALUES = "all values that it returns changed"
KINDS = (
    ALL_VALUES,
    "form of what it returns changed",
    "all that it returns infinite",
    "other values at each call",
)
_HELPER = """


def agentsys_wrong_(value, form, depth=0, calls=[0]):
    calls[0] += 1
    shift = calls[0] if form == 3 else 1.3
    if depth > 4:
        return value
    if value is None:
        return 0
    if isinstance(value, bool):
        return not value if form != 3 else bool(calls[0] % 2)
    if isinstance(value, (int, float, complex)):
        if form == 1:
            return [value]
        if form == 2:
            return value + float("inf")
        return value + 7 + calls[0] * (form == 3) if isinstance(value, int) else value * (1.7 + 0.3 * value) + shift
    if isinstance(value, str):
        return value + "_" * (calls[0] if form == 3 else 1)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        wrong = value + float("inf") if form == 2 else value * (1.7 + 0.3 * value) + shift
        if form != 1:
            return wrong
        wrong = wrong.reshape(-1)[:-1]
        return wrong.astype("float32") if hasattr(wrong, "astype") else wrong
    if isinstance(value, dict):
        end = "_" if form == 1 else ""
        return {f"{key}{end}" if end else key: agentsys_wrong_(item, form, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [agentsys_wrong_(item, 0 if form == 1 else form, depth + 1) for item in value]
        if hasattr(value, "_fields"):
            return type(value)(*items)
        return type(value)(items[:-1] if form == 1 else items)
    if type(value).__name__ in ("function", "method", "builtin_function_or_method", "partial"):
        return lambda *args, **named: agentsys_wrong_(value(*args, **named), form, depth + 1)
    if hasattr(value, "__dict__"):
        import copy

        made = copy.copy(value)
        for name, item in vars(value).items():
            object.__setattr__(made, name, agentsys_wrong_(item, form, depth + 1))
        return made
    return None
"""


def wrong_values(source: bytes, function: ast.AST) -> list[Fault]:
    """Return faults of one function: it returns other numbers, another form, no finite number, or never the same.

    Each replaces the whole file. Functions that return nothing have none.
    """
    if not isinstance(function, FunctionNode):
        return []
    places = [node.value for node in own_nodes(function) if isinstance(node, ast.Return) and node.value is not None]
    if not places:
        return []
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    made: list[Fault] = []
    for form, kind in enumerate(KINDS):
        text = source
        for value in sorted(places, key=lambda item: (item.lineno, item.col_offset), reverse=True):
            start = starts[value.lineno - 1] + value.col_offset
            end = starts[(value.end_lineno or value.lineno) - 1] + (value.end_col_offset or 0)
            text = text[:start] + b"agentsys_wrong_((" + text[start:end] + f"), {form})".encode() + text[end:]
        after = text.decode("utf-8", "replace") + _HELPER
        made.append(Fault(kind, function.lineno, 0, len(source), "", after, whole=True))
    return made
