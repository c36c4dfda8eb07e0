"""Variants of a repository: the same files, with some functions made to fail or changed in what they give.

The change stands in the files themselves, each of which brings along what it needs. No switch, folder, variable or
import hook tells a process about it, so no way of starting Python leads past it, and nothing of it can be overwritten
but the repository's own text. Every line keeps its content: decorators and a block of definitions are put in between.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files as resource_files
from typing import Literal, cast

import yaml

from agentsys.core.tree import is_test_path
from agentsys.plan.symbols import FunctionNode, parse
from agentsys.verify.dependence.functions import Function

Mode = Literal["raise", "perturb", "arguments", "scale", "watch", "text"]
"""What is done to a function. `watch` only notes that it is called; with `text` its file alone gets further lines."""
Insertion = tuple[int, int, str]
"""Line from 0, byte in the line, and the text that goes there."""

_COMPILERS = frozenset(
    {"njit", "jit", "vectorize", "guvectorize", "generated_jit", "stencil", "script", "compile", "vmap", "pmap", "pjit"}
)
"""Decorators that compile a function: what they make is wrapped, not what they are given."""
_SEEDED = frozenset(
    {
        "default_rng",
        "seed",
        "manual_seed",
        "manual_seed_all",
        "RandomState",
        "Random",
        "SeedSequence",
        "PCG64",
        "Philox",
    }
    | {"MT19937", "SFC64", "PRNGKey", "set_seed", "set_random_seed", "seed_everything"}
)
"""Calls that take a seed as their first argument."""


FEW = 2
"""Repetitions that a run with fewer seeds does: with one there is no spread."""


def variant(
    files: Mapping[str, bytes],
    modes: Mapping[Function, Mode],
    log: str,
    *,
    strength: float = 0.0,
    other_seed: bool = False,
    config: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Return the files of a variant; those that are not changed are the same objects.

    Args:
        modes: what is wrapped, and how.
        log: file inside the sandbox in which each function that was called is noted, as `path:name`.
        strength: relative size of a perturbation.
        other_seed: every seed that is handed to a generator of random numbers becomes another one.
        config: files that take the place of the repository's.
    """
    calls: dict[str, dict[str, str]] = defaultdict(dict)
    texts = {item.path for item in modes}
    for item, mode in modes.items():
        if mode == "text":
            continue
        calls[item.path][item.name] = f"_agentsys_wrap({item.key!r}, {mode!r}, {strength!r}, {log!r}, {item.alters!r})"
    changed = {**files, **(config or {})}
    for path, data in files.items():
        if path.endswith(".py") and not is_test_path(path) and (other_seed or path in texts):
            text = _decoded(data)
            tree = parse(text)
            if tree is None:
                continue
            lines = text.encode().split(b"\n")
            found = _decorators(tree, lines, calls.get(path, {}))
            found += _seeds(tree) if other_seed else []
            if found or path in texts:
                changed[path] = _inserted(lines, [*found, _definitions(tree)])
    return changed


def with_other_seeds(data: bytes) -> bytes:
    """Return a YAML configuration with another number in each key that is called a seed; as it is where it has none."""
    try:
        config = cast("object", yaml.safe_load(data))
    except yaml.YAMLError:
        return data
    other = _reseeded(config, seed=False)
    return data if other == config else yaml.safe_dump(other, sort_keys=False).encode()


def with_fewer_seeds(data: bytes) -> bytes:
    """Return a YAML configuration in which repetitions with other seeds are done FEW times; as it is where none are."""
    try:
        config = cast("object", yaml.safe_load(data))
    except yaml.YAMLError:
        return data
    fewer = _fewer(config)
    return data if fewer == config else yaml.safe_dump(fewer, sort_keys=False).encode()


def _fewer(value: object) -> object:
    if isinstance(value, dict):
        table = cast("dict[object, object]", value)
        return {key: _few(item) if _is_repeated(key) else _fewer(item) for key, item in table.items()}
    return [_fewer(item) for item in cast("list[object]", value)] if isinstance(value, list) else value


def _is_repeated(key: object) -> bool:
    """`seeds: [0, 1, 2]`, `n_seeds: 20`, `repeats: 5`."""
    name = key.lower() if isinstance(key, str) else ""
    return re.fullmatch(r"(?:.*_)?(?:seeds|repeats|repetitions|replications|replicates)", name) is not None


def _few(value: object) -> object:
    if isinstance(value, list):
        return cast("list[object]", value)[:FEW]
    return min(value, FEW) if isinstance(value, int) and not isinstance(value, bool) else value


def _reseeded(value: object, *, seed: bool) -> object:
    if isinstance(value, dict):
        table = cast("dict[object, object]", value)
        return {key: _reseeded(item, seed=_is_seed(key, item)) for key, item in table.items()}
    if isinstance(value, list):
        return [_reseeded(item, seed=seed) for item in cast("list[object]", value)]
    return value + 7919 if seed and isinstance(value, int) and not isinstance(value, bool) else value


def _is_seed(key: object, value: object) -> bool:
    """`seeds: 20` is a number of seeds, and so is `n_seed`."""
    name = key.lower() if isinstance(key, str) else ""
    plural = "seeds?" if isinstance(value, list) else "seed"
    return re.fullmatch(rf"(?!n_|num_|number_)(?:.*_)?(?:{plural}|random_state)", name) is not None


def takes_seed(files: Mapping[str, bytes]) -> bool:
    """Return whether anywhere in the files of the method a generator of random numbers is given a seed."""
    for path, data in files.items():
        tree = parse(_decoded(data)) if path.endswith(".py") and not is_test_path(path) else None
        if tree is not None and _seeds(tree):
            return True
    return False


def _decoded(data: bytes) -> str:
    """Return a source text with plain line ends, so that its lines are those that a syntax tree counts."""
    return data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")


def _decorators(tree: ast.Module, lines: Sequence[bytes], calls: Mapping[str, str]) -> list[Insertion]:
    """Return a decorator for each of the functions, however deep in classes and branches it is defined."""
    found: list[Insertion] = []
    rest: list[tuple[ast.AST, str]] = [(tree, "")]
    while rest:
        node, prefix = rest.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, FunctionNode):
                call = calls.get(f"{prefix}{child.name}")
                if call is not None and not _is_accessor(child):
                    line = _outermost(child) if _is_compiled(child) else child.lineno
                    indent = lines[child.lineno - 1][: child.col_offset].decode()
                    found.append((line - 1, 0, f"{indent}@{call}\n"))
            else:
                rest.append((child, f"{prefix}{child.name}." if isinstance(child, ast.ClassDef) else prefix))
    return found


def _names(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    found: list[str] = []
    for each in node.decorator_list:
        target = each.func if isinstance(each, ast.Call) else each
        found.append(target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", ""))
    return found


def _is_compiled(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return bool(_COMPILERS.intersection(_names(node)))


def _is_accessor(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return bool({"setter", "deleter", "overload", "abstractmethod"}.intersection(_names(node)))


def _outermost(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])


def _seeds(tree: ast.Module) -> list[Insertion]:
    """Put a call around each argument that is a seed."""
    found: list[Insertion] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = [word.value for word in node.keywords if word.arg == "random_state"]
        if name in _SEEDED:
            given += [word.value for word in node.keywords if word.arg == "seed"]
            given += [each for each in node.args[:1] if not isinstance(each, ast.Starred)]
        for value in given:
            if value.end_lineno is not None and value.end_col_offset is not None:
                found.append((value.lineno - 1, value.col_offset, "_agentsys_seed("))
                found.append((value.end_lineno - 1, value.end_col_offset, ")"))
    return found


def _definitions(tree: ast.Module) -> Insertion:
    """Return the block of definitions: after the docstring and what must stand first, before all else."""
    line = 0
    for node in tree.body:
        is_text = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not is_text and not is_future:
            line = (_outermost(node) if isinstance(node, FunctionNode | ast.ClassDef) else node.lineno) - 1
            break
    return line, 0, _helper()


@cache
def _helper() -> str:
    return resource_files("agentsys.verify").joinpath("probes", "agentsys_variant.py").read_text(encoding="utf-8")


def _inserted(lines: Sequence[bytes], insertions: Sequence[Insertion]) -> bytes:
    """Return the text with everything put in; of several at one place the last one comes first."""
    made = list(lines)
    order = sorted(enumerate(insertions), key=lambda pair: (*pair[1][:2], -pair[0]), reverse=True)
    for _, (line, column, new) in order:
        made[line] = made[line][:column] + new.encode() + made[line][column:]
    return b"\n".join(made)
