"""The guard on repairs: a patch may not make a check pass by weakening it.

It compares each file before and after. What it finds is a reason in words that goes back to the debugger; an empty
tuple means that none of these weakenings was seen, not that the patch is right.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from typing import cast

from agentsys.core.artifacts import Diagnostic, Plan
from agentsys.core.tree import is_test_path
from agentsys.debug.edits import Change
from agentsys.debug.guard_tests import testing_reasons
from agentsys.debug.guard_tree import Function, Module, body_of, dotted, parse_module

_NAME = re.compile(r"^\s*(?:async\s+)?(?:def|class)\s+(\w+)|^\s*(\w+)\s*(?:\(|:|=)|^\s*`?(\w+)`?\s*$")
_BROAD = ("Exception", "BaseException")
_COMPUTING = (ast.Call, ast.Attribute, ast.Subscript, ast.Await, ast.Yield, ast.YieldFrom, ast.Lambda, ast.Import)
_KEPT = ("source", "test", "config", "script")
_CONFIGS = ("pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", ".coveragerc", "conftest.py")
_LESS_TESTED = re.compile(
    r"--ignore|--deselect|collect_ignore|norecursedirs|-p\s*no:|--maxfail|(?<!\w)-k\s|xfail(?!_strict)|python_files"
    r"|items\.clear|del items"
)
_BARE_IGNORE = re.compile(r"#\s*(?:type|pyright):\s*ignore(?!\[)")
_MOST_VALUES = 5000
_FULL = ("configs/full.yaml", "configs/full.yml")


def asks_for_quicker_tests(diagnostics: Iterable[Diagnostic]) -> bool:
    """True where tests took too long: smaller inputs are asked for then, and planted faults tell what is lost."""
    return any(row.kind == "timeout" and row.check in ("pytest", "faults") for row in diagnostics)


def weakenings(changes: Mapping[str, Change], plan: Plan, *, quicker: bool = False) -> tuple[str, ...]:
    """Return every way in which changes weaken the method or its tests, as sentences for the debugger.

    Args:
        quicker: the tests are to take less time, so that they may look at less data.
    """
    before = {path: parse_module(change.before) for path, change in changes.items() if path.endswith(".py")}
    after = {path: parse_module(change.after) for path, change in changes.items() if path.endswith(".py")}
    found: list[str] = []
    found += _outside_functions(changes, plan)
    found += _deleted_files(changes, plan)
    for path in sorted(before):
        found += [f"`{path}`: {reason}" for reason in _module(path, before[path], after[path], plan)]
    found += testing_reasons(
        {path: module for path, module in before.items() if is_test_path(path)},
        {path: module for path, module in after.items() if is_test_path(path)},
        quicker=quicker,
    )
    return tuple(dict.fromkeys(found))


def _module(path: str, before: Module, after: Module, plan: Plan) -> Iterable[str]:
    yield from _owner_symbols(path, before, after, plan)
    yield from _source_reasons(before, after, is_test=is_test_path(path))


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


def _outside_functions(changes: Mapping[str, Change], plan: Plan) -> Iterable[str]:
    """Yield what the changed files leave out, silence or replace."""
    for path, change in changes.items():
        before, after = change.before or "", change.after or ""
        if path.startswith("results/") and after:
            yield f"`{path}` is written by the run, never by hand"
        if path.rpartition("/")[2] in _CONFIGS and _more(_LESS_TESTED, before, after):
            yield f"`{path}` leaves tests out"
        if path.endswith(".py") and _more(_BARE_IGNORE, before, after):
            yield f"`{path}` silences every type error of a line; correct the type, or name the one rule in brackets"
        if path in _FULL and change.before and change.after:
            yield from _paper_numbers(path, before, after, plan)


def _more(pattern: re.Pattern[str], before: str, after: str) -> bool:
    return len(pattern.findall(after)) > len(pattern.findall(before))


def _paper_numbers(path: str, before: str, after: str, plan: Plan) -> Iterable[str]:
    """A value of the full configuration that the plan took from the paper may not drift away from it in a repair."""
    old, new = _leaves(_load(before)), _leaves(_load(after))
    for key, value in _leaves(plan.config_full).items():
        if old.get(key) == value and new.get(key) != value:
            yield f"`{path}`: `{key}` is the paper's, and a repair may not change it"


def _load(text: str) -> object:
    import yaml

    if "<<" in text:  # merge keys double a table at every level
        return None
    try:
        return cast(object, yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError):
        return None


def _leaves(value: object) -> dict[str, object]:
    """Flatten nested tables: dotted key to value, up to a number (YAML aliases multiply)."""
    found: dict[str, object] = {}
    waiting: list[tuple[str, object]] = [("", value)]
    for _ in range(_MOST_VALUES):
        if not waiting:
            break
        prefix, item = waiting.pop()
        if isinstance(item, dict):
            table = cast("dict[object, object]", item)
            waiting += [(f"{prefix}.{key}" if prefix else str(key), inner) for key, inner in table.items()]
        elif prefix:
            found[prefix] = item
    return found


def _source_reasons(before: Module, after: Module, *, is_test: bool) -> Iterable[str]:
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
