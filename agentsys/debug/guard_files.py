"""Weakenings outside of functions: settings that leave tests out, silenced type errors, the paper's own numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import cast

from agentsys.core.artifacts import Plan
from agentsys.debug.edits import Change

_CONFIGS = ("pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", ".coveragerc", "conftest.py")
_LESS_TESTED = re.compile(
    r"--ignore|--deselect|collect_ignore|norecursedirs|-p\s*no:|--maxfail|(?<!\w)-k\s|xfail(?!_strict)|python_files"
    r"|items\.clear|del items"
)
_BARE_IGNORE = re.compile(r"#\s*(?:type|pyright):\s*ignore(?!\[)")
_MOST_VALUES = 5000
_FULL = ("configs/full.yaml", "configs/full.yml")


def file_reasons(changes: Mapping[str, Change], plan: Plan) -> Iterable[str]:
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
