"""The guard on repairs: a patch may not make a check pass by weakening it.

It compares each file before and after. What it finds is a reason in words that goes back to the debugger; an empty
tuple means that none of these weakenings was seen, not that the patch is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from agentsys.core.artifacts import Plan
from agentsys.core.repo_errors import GuardRefused
from agentsys.core.testpaths import is_test_path
from agentsys.debug.edits import Change, Patch
from agentsys.debug.guard_files import file_reasons
from agentsys.debug.guard_source import source_reasons
from agentsys.debug.guard_tests import testing_reasons
from agentsys.debug.guard_tree import Module, parse_module

_NAME = re.compile(r"^\s*(?:async\s+)?(?:def|class)\s+(\w+)|^\s*(\w+)\s*(?:\(|:|=)|^\s*`?(\w+)`?\s*$")
_KEPT = ("source", "test", "config", "script")


def review(patch: Patch, plan: Plan) -> tuple[str, ...]:
    """Return every way in which the patch weakens the method or its tests, as sentences for the debugger."""
    return review_changes(patch.changes, plan)


def refuse_weakening(patch: Patch, plan: Plan) -> None:
    """Raises: GuardRefused with the reasons, if `review` finds any."""
    reasons = review(patch, plan)
    if reasons:
        raise GuardRefused(reasons)


def review_changes(changes: Mapping[str, Change], plan: Plan) -> tuple[str, ...]:
    """Like `review`, on bare changes."""
    before = {path: parse_module(change.before) for path, change in changes.items() if path.endswith(".py")}
    after = {path: parse_module(change.after) for path, change in changes.items() if path.endswith(".py")}
    found: list[str] = []
    found += file_reasons(changes, plan)
    found += _deleted_files(changes, plan)
    for path in sorted(before):
        found += [f"`{path}`: {reason}" for reason in _module(path, before[path], after[path], plan)]
    found += testing_reasons(
        {path: module for path, module in before.items() if is_test_path(path)},
        {path: module for path, module in after.items() if is_test_path(path)},
    )
    return tuple(dict.fromkeys(found))


def _module(path: str, before: Module, after: Module, plan: Plan) -> Iterable[str]:
    yield from _owner_symbols(path, before, after, plan)
    yield from source_reasons(before, after, is_test=is_test_path(path))


def _deleted_files(changes: Mapping[str, Change], plan: Plan) -> Iterable[str]:
    planned = {item.path for item in plan.files if item.kind in _KEPT} | {item.owner for item in plan.requirements}
    for path, change in changes.items():
        if change.before and not (change.after or "").strip() and path in planned:
            yield f"`{path}` is part of the plan and may not be deleted or emptied"


def _owner_symbols(path: str, before: Module, after: Module, plan: Plan) -> Iterable[str]:
    """Names of the file's planned interface that were there and no longer are."""
    for item in plan.files:
        if item.path != path:
            continue
        for name in interface_names(item.interface):
            if name in before.names and name not in after.names:
                yield f"`{name}` belongs to the planned interface and is gone"


def interface_names(interface: str) -> list[str]:
    """Return the public names of a planned interface (one signature a line; lines inside a class are methods)."""
    found: list[str] = []
    owner = ""
    for line in interface.splitlines():
        match = _NAME.match(line)
        if match is None:
            continue
        name = match[1] or match[2] or match[3]
        indented = line[:1] in (" ", "\t")
        if indented and owner:
            name = f"{owner}.{name}"
        else:
            owner = name if line.lstrip().startswith("class ") else ""
        found.append(name)
    return found
