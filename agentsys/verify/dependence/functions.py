"""Which functions of a repository carry the method, so that its results have to depend on them.

Those are the functions that the plan names for its requirements; where it names none for a requirement, the public
functions of the file that owns it. What only reads settings, or puts results together and writes them, is left aside
where anything else is there: whoever changes it changes a result that nothing computed.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from agentsys.core.artifacts import CENTRAL, Plan
from agentsys.core.tree import is_test_path
from agentsys.plan.rules import needed_by
from agentsys.plan.symbols import FunctionNode, clean_symbol, definitions, public_functions, resolve
from agentsys.plan.traceability import CONFIG, RESULT
from agentsys.verify.results_file import HEALTH, NOT_ATTEMPTED

_RESULT_WORDS = frozenset({NOT_ATTEMPTED, HEALTH, "results.json", "results/results.json"})
_READERS = frozenset(
    {"yaml", "tomllib", "toml", "argparse", "configparser", "OmegaConf", "ArgumentParser", "safe_load"}
)
_CONSTRUCTORS = ("__init__", "__post_init__", "__new__", "setup")


@dataclass(frozen=True, order=True)
class Function:
    """A function or method by the file and the name under which it is defined there."""

    path: str
    name: str
    """`function`, `Class.method`."""
    alters: bool = False
    """It returns nothing: its effect is what it changes in its arguments."""

    @property
    def key(self) -> str:
        """`path:name`, as records of executed functions have it."""
        return f"{self.path}:{self.name}"


@dataclass(frozen=True)
class MethodFunctions:
    """The functions that carry the method, by what a change to them shows."""

    base: tuple[Function, ...] = ()
    """They rest on no other file of the method: a number that moves with them is computed by the method."""
    upper: tuple[Function, ...] = ()
    """They rest on others: a number that moves with what they return may still be one that they made up."""
    others: tuple[Function, ...] = ()
    """Further functions of the same files, constructors among them, that the plan does not name."""

    @property
    def named(self) -> tuple[Function, ...]:
        """Everything that carries a requirement by the plan's words."""
        return (*self.base, *self.upper)


def method_functions(plan: Plan, files: Mapping[str, bytes]) -> MethodFunctions:
    """Return the functions of these files that carry the plan's requirements.

    Args:
        files: the repository, POSIX path to content.
    """
    texts = {path: files[path].decode("utf-8", "replace") for path in _source_paths(plan, files)}
    keys = {row.result_key for row in plan.expected if row.result_key}
    named = [item for item in _named(plan, texts) if item is not None]
    public = [
        item for path in texts for item in _functions(path, texts[path], public_functions(definitions(texts[path])))
    ]
    pool = _apart(named, texts, keys) or _apart(public, texts, keys) or named
    paths = {item.path for item in pool}
    owners = {row.owner for row in plan.requirements} | paths
    upper_paths = {path for path in paths if paths.intersection(_needs(plan, path)) - {path}}
    rest = [item for item in _apart(public, texts, keys) if item.path in owners and item not in pool]
    return MethodFunctions(
        base=tuple(item for item in pool if item.path not in upper_paths),
        upper=tuple(item for item in pool if item.path in upper_paths),
        others=tuple(rest),
    )


def carriers(plan: Plan, files: Mapping[str, bytes], named: Collection[Function]) -> dict[str, tuple[Function, ...]]:
    """Return those of some functions that the plan names for each requirement of the paper's own method.

    Args:
        files: the repository, POSIX path to content.
        named: functions that carry the method.
    """
    texts = {path: files[path].decode("utf-8", "replace") for path in _source_paths(plan, files)}
    central = [row.id for row in plan.requirements if row.kind in CENTRAL or row.id in plan.central]
    found = {rid: _carrying(plan, texts, named, rid) for rid in central}
    return {rid: mine for rid, mine in found.items() if mine}


def measuring(
    plan: Plan, files: Mapping[str, bytes], named: Collection[Function], keys: Collection[str]
) -> tuple[Function, ...]:
    """Return those of some functions that the plan names for the requirements that these results show."""
    texts = {path: files[path].decode("utf-8", "replace") for path in _source_paths(plan, files)}
    wanted = {f"{RESULT}{key}" for key in keys}
    shown = [rid for spec in plan.files for rid, names in spec.symbols.items() if not wanted.isdisjoint(names)]
    found = [item for rid in dict.fromkeys(shown) for item in _carrying(plan, texts, named, rid)]
    return tuple(dict.fromkeys(found))


def _carrying(
    plan: Plan, texts: Mapping[str, str], named: Collection[Function], requirement: str
) -> tuple[Function, ...]:
    mine = [
        item
        for spec in plan.files
        if spec.path in texts
        for text in spec.symbols.get(requirement, ())
        if not text.startswith((CONFIG, RESULT))
        for item in _functions(spec.path, texts[spec.path], [clean_symbol(text)])
        if item in named
    ]
    return tuple(dict.fromkeys(mine))


def _source_paths(plan: Plan, files: Mapping[str, bytes]) -> list[str]:
    """Return the Python files of the method, the planned ones first."""
    planned = [spec.path for spec in plan.files if spec.path in files]
    return [
        path for path in dict.fromkeys([*planned, *sorted(files)]) if path.endswith(".py") and not is_test_path(path)
    ]


def _needs(plan: Plan, path: str) -> list[str]:
    spec = next((spec for spec in plan.files if spec.path == path), None)
    return needed_by(plan.files, spec) if spec is not None else []


def _named(plan: Plan, texts: Mapping[str, str]) -> Iterator[Function | None]:
    """Yield what the plan names for each requirement, or the owner's public functions where it names nothing."""
    seen: set[Function] = set()
    for row in plan.requirements:
        pairs = [
            (spec.path, text) for spec in plan.files if spec.path in texts for text in spec.symbols.get(row.id, ())
        ]
        pairs = [(path, clean_symbol(text)) for path, text in pairs if not text.startswith((CONFIG, RESULT))]
        if not pairs and row.owner in texts:
            pairs = [(row.owner, name) for name in public_functions(definitions(texts[row.owner]))]
        for path, name in pairs:
            for item in _functions(path, texts[path], [name]):
                if item not in seen and item.name.rpartition(".")[2] not in _CONSTRUCTORS:
                    seen.add(item)
                    yield item


def _functions(path: str, text: str, names: Iterable[str]) -> list[Function]:
    """Return the functions behind these names: of a class all its methods that are no constructors or operators."""
    there = definitions(text)
    found: dict[str, Function] = {}
    for name in names:
        item = resolve(there, name.replace("::", "."))
        if item is None:
            item = resolve(there, name.rpartition(".")[2])
        if item is not None and item.kind == "class":
            inside = [each for each in there.values() if each.name.startswith(f"{item.name}.")]
            chosen = [each for each in inside if not _is_operator(each.name)]
        else:
            chosen = [item] if item is not None else []
        for each in chosen:
            if isinstance(each.node, FunctionNode) and not _is_empty(each.node):
                found[each.name] = Function(path, each.name, alters=not _gives(each.node))
    return list(found.values())


def _apart(items: Iterable[Function], texts: Mapping[str, str], keys: Collection[str]) -> list[Function]:
    """Leave out what only reads settings, or puts together and writes results."""
    found: list[Function] = []
    for item in items:
        node = definitions(texts[item.path])[item.name].node
        if item.name.rpartition(".")[2] != "main" and not _reads_settings(node) and not _assembles(node, keys):
            found.append(item)
    return found


def _reads_settings(node: ast.AST) -> bool:
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    names |= {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    return bool(names & _READERS)


def _assembles(node: ast.AST, keys: Collection[str]) -> bool:
    """True where a function writes the names of results, or of what stands beside them in the results file."""
    words = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    return bool(words & _RESULT_WORDS) or bool(words.intersection(keys))


def _is_operator(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last.startswith("__") and last not in ("__call__", "__iter__", "__next__", "__getitem__")


def _is_empty(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """True for a body that does nothing: abstract methods, protocols, setters of nothing."""
    body = [each for each in node.body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))]
    return not any(not isinstance(each, ast.Pass | ast.Raise) for each in body)


def _gives(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """True where the function itself returns a value other than its owner, or yields."""
    rest: list[ast.AST] = list(node.body)
    while rest:
        each = rest.pop()
        if isinstance(each, ast.Yield | ast.YieldFrom):
            return True
        if isinstance(each, ast.Return) and each.value is not None:
            nothing = isinstance(each.value, ast.Constant) and each.value.value is None
            return not nothing and not (isinstance(each.value, ast.Name) and each.value.id == "self")
        if not isinstance(each, FunctionNode | ast.Lambda | ast.ClassDef):
            rest += ast.iter_child_nodes(each)
    return False
