"""Links from requirements to code: the functions, classes, configuration keys and result keys that fulfil them.

The planner names them (`FileSpec.symbols`), a file must define them to be accepted, and the evidence for a requirement
is measured on them in the end.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import cast

from agentsys.core.artifacts import FileSpec
from agentsys.plan.symbols import clean_symbol, definitions, resolve

CONFIG, RESULT = "config:", "result:"


def symbol_problems(spec: FileSpec, result_keys: Collection[str]) -> list[str]:
    """Check the symbols that a planned file names: result keys that exist, functions that stand in its interface."""
    problems: list[str] = []
    for rid, name in _pairs(spec):
        if name.startswith(RESULT):
            if name.removeprefix(RESULT) not in result_keys:
                problems.append(f"`{spec.path}`: `{name}` of {rid} is no result key of the expected results")
        elif not name.startswith(CONFIG) and not _in_interface(spec, name):
            problems.append(
                f"`{spec.path}`: `{name}` of {rid} must be a function, class or `Class.method` of its `interface`, "
                "`config:<key>` or `result:<key>`"
            )
    return problems


def put_right(files: Sequence[FileSpec]) -> tuple[FileSpec, ...]:
    """Give each name that a file has for a requirement to the one file whose interface offers it, where it does not.

    What a test names of the code is what it tests: where another file names what carries the requirement, it goes. A
    name that stands in no interface, or in several others, stays where it is: `symbol_problems` says so.
    """
    files = [_without_tested(spec, files) for spec in files]
    moved: dict[str, dict[str, tuple[str, ...]]] = {}
    left: list[FileSpec] = []
    for spec in files:
        kept: dict[str, tuple[str, ...]] = {}
        for rid, names in spec.symbols.items():
            homes = {name: _home(spec, name, files) for name in names}
            kept[rid] = tuple(name for name in names if not homes[name])
            for name, home in homes.items():
                if home:
                    rows = moved.setdefault(home, {})
                    rows[rid] = (*rows.get(rid, ()), name)
        left.append(spec if kept == spec.symbols else spec.model_copy(update={"symbols": kept}))
    return tuple(_with_symbols(spec, moved[spec.path]) if spec.path in moved else spec for spec in left)


def _without_tested(spec: FileSpec, files: Sequence[FileSpec]) -> FileSpec:
    carried = {rid for other in files if other.kind == "source" for rid, names in other.symbols.items() if names}
    if spec.kind != "test" or carried.isdisjoint(spec.symbols):
        return spec
    kept = {
        rid: tuple(name for name in names if rid not in carried or _is_own(spec, name))
        for rid, names in spec.symbols.items()
    }
    return spec.model_copy(update={"symbols": kept})


def _is_own(spec: FileSpec, name: str) -> bool:
    return name.startswith((CONFIG, RESULT)) or _in_interface(spec, name)


def _home(spec: FileSpec, name: str, files: Sequence[FileSpec]) -> str:
    """Return the path of the only other source file that offers a name which this one does not; empty for none."""
    if _is_own(spec, name):
        return ""
    there = [other.path for other in files if other.kind == "source" and _in_interface(other, name)]
    return there[0] if len(there) == 1 else ""


def _with_symbols(spec: FileSpec, more: Mapping[str, tuple[str, ...]]) -> FileSpec:
    both = {rid: tuple(dict.fromkeys((*spec.symbols.get(rid, ()), *names))) for rid, names in more.items()}
    ids = tuple(dict.fromkeys((*spec.requirements, *more)))
    return spec.model_copy(update={"requirements": ids, "symbols": {**spec.symbols, **both}})


def missing_config_keys(files: Collection[FileSpec], config: Mapping[str, object]) -> list[str]:
    """Return a sentence for each `config:` symbol whose key the configuration lacks."""
    found: list[str] = []
    for spec in files:
        for rid, name in _pairs(spec):
            key = name.removeprefix(CONFIG)
            if name.startswith(CONFIG) and not has_key(config, key):
                found.append(f"the key `{key}`, which carries {rid}, is missing from `config_full`")
    return list(dict.fromkeys(found))


def has_key(config: object, key: str) -> bool:
    """Return whether a dotted key is in a configuration as YAML gives it."""
    found = config
    for part in key.split("."):
        if not isinstance(found, dict):
            return False
        table = cast("dict[object, object]", found)
        names = {str(name): name for name in table}
        if part not in names:
            return False
        found = table[names[part]]
    return bool(key)


def missing_symbols(spec: FileSpec, source: str) -> list[str]:
    """Return the functions, classes and methods that a file should have for its requirements and does not define."""
    there = definitions(source)
    names = (name for _, name in _pairs(spec) if not name.startswith((CONFIG, RESULT)))
    return [name for name in dict.fromkeys(names) if resolve(there, clean_symbol(name)) is None]


def _pairs(spec: FileSpec) -> Iterator[tuple[str, str]]:
    for rid, names in spec.symbols.items():
        for name in names:
            yield rid, name


def _in_interface(spec: FileSpec, name: str) -> bool:
    """True if a name stands in the interface; of `Class.method` both parts."""
    return bool(name) and all(
        re.search(rf"\b{re.escape(part)}\b", spec.interface) for part in clean_symbol(name).split(".")
    )
