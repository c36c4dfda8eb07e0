"""The paper's numbers beside those that the run measured. A number that was not measured stays absent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

from agentsys.artifacts import ExpectedResult, MeasuredResult

Tree = Mapping[str, object]


def measured_rows(expected: Sequence[ExpectedResult], results: object) -> tuple[MeasuredResult, ...]:
    """Return one row for each number of the paper.

    Args:
        expected: the paper's numbers.
        results: the content of results/results.json; anything but an object counts as nothing measured.
    """
    tree = _table(results)
    scale = str(tree.get("profile") or tree.get("scale") or "smoke")
    reasons = _table(tree.get("not_attempted"))
    rows: list[MeasuredResult] = []
    for item in expected:
        value = _number(_lookup(tree, item.result_key))
        note = ""
        if value is None:
            reason = reasons.get(item.result_key) or reasons.get(item.id)
            note = f"not attempted: {reason}" if reason else "not measured"
        rows.append(MeasuredResult(expected=item, measured=value, scale=scale if value is not None else "", note=note))
    return tuple(rows)


def _table(value: object) -> Tree:
    return cast("Tree", value) if isinstance(value, dict) else {}


def _lookup(tree: Tree, key: str) -> object:
    """Return the value at `key`, taken whole or as a dotted path."""
    if not key:
        return None
    if key in tree:
        return tree[key]
    node: object = tree
    for part in key.split("."):
        if not isinstance(node, dict):
            return None
        node = cast("Tree", node).get(part)
    return node


def _number(value: object) -> float | None:
    """Return a finite number, also out of `{"value": ...}`; None for everything else."""
    if isinstance(value, dict):
        value = cast("Tree", value).get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)
    return number if math.isfinite(number) else None
