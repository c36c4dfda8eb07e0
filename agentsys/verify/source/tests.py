"""The tests that exist, counted from the source before any of them runs."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath

from agentsys.plan.symbols import FunctionNode, own_nodes, parse

IGNORED = (".*", "build", "dist", "node_modules", "venv", "__pycache__", "*.egg")
"""Folders in which no tests are looked for; pytest is told the same."""
TEST_FILES = ("test_*.py", "*_test.py")
"""Names of files that hold tests; pytest is told the same."""

_CASES = ("TestCase", "IsolatedAsyncioTestCase")
_RUNNERS = ("run", "__call__", "debug", "_callTestMethod")
"""Methods of `unittest.TestCase` that decide whether and how a test runs."""


@dataclass(frozen=True)
class SourceTest:
    """A test function or method; all of its parameters together."""

    path: str
    name: str
    """`test_x`, or `TestClass::test_x`."""
    line: int
    flaw: str = ""
    """Why it proves nothing, even where it is reported as passed; empty for a sound one."""

    @property
    def id(self) -> str:
        """Its name in pytest, without parameters."""
        return f"{self.path}::{self.name}"


@dataclass(frozen=True)
class _Place:
    """The body that is being read."""

    path: str
    prefix: str = ""
    cases: frozenset[str] = frozenset()
    """Classes of the file that derive from `unittest.TestCase`."""
    awaited: frozenset[str] = frozenset()
    """Those that await their methods."""
    owner: ast.ClassDef | None = None


def is_test_file(path: str) -> bool:
    """True for a file in which tests are looked for."""
    *folders, name = PurePosixPath(path).parts
    ignored = any(fnmatch(folder, pattern) for folder in folders for pattern in IGNORED)
    return not ignored and any(fnmatch(name, pattern) for pattern in TEST_FILES)


def source_tests(files: Mapping[str, bytes]) -> tuple[SourceTest, ...]:
    """Return the tests of a repository, in the order of their paths and lines; pytest's default names count.

    Classes named `Test*` count whatever else they define, so that one which pytest passes over is missed later.

    Args:
        files: POSIX path to content.
    """
    found: list[SourceTest] = []
    for path in sorted(files):
        if is_test_file(path) and (tree := parse(files[path].decode("utf-8", "replace"))):
            cases, awaited = _unittest_classes(tree)
            found += _tests(tree.body, _Place(path, cases=cases, awaited=awaited))
    return tuple(found)


def same_module_names(files: Mapping[str, bytes]) -> bool:
    """True where two test files have the same name and no package that tells them apart."""
    names = Counter(_module(path, files) for path in files if is_test_file(path))
    return any(number > 1 for number in names.values())


def _module(path: str, files: Mapping[str, bytes]) -> str:
    folder = PurePosixPath(path).parent
    parts = [PurePosixPath(path).stem]
    while f"{folder}/__init__.py" in files:
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def _tests(body: Sequence[ast.stmt], place: _Place) -> Iterator[SourceTest]:
    last: dict[str, ast.stmt] = {}
    for item in body:
        if isinstance(item, FunctionNode | ast.ClassDef):
            last[item.name] = item
    for item in body:
        if isinstance(item, FunctionNode):
            if item.name.startswith("test") and not _is_fixture(item):
                yield SourceTest(place.path, place.prefix + item.name, item.lineno, _flaw(item, last[item.name], place))
        elif isinstance(item, ast.ClassDef):
            if item.name.startswith("Test") or item.name in place.cases:
                prefix = f"{place.prefix}{item.name}::"
                yield from _tests(item.body, _Place(place.path, prefix, place.cases, place.awaited, item))
        else:  # a definition under `if`, `try` or `with` is one too
            for inner in _blocks(item):
                yield from _tests(inner, place)


def _blocks(item: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        yield getattr(item, name, [])
    for handler in getattr(item, "handlers", []):
        yield handler.body
    for case in getattr(item, "cases", []):
        yield case.body


def _flaw(item: FunctionNode, last: ast.stmt, place: _Place) -> str:
    if last is not item:
        return "is defined again below: only the last of that name runs"
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(item)):
        return "holds `yield`: its body is never run"
    owner = place.owner
    if owner is None or owner.name not in place.cases:
        return ""
    if isinstance(item, ast.AsyncFunctionDef) and owner.name not in place.awaited:
        return "is a coroutine that `unittest.TestCase` never awaits; use `unittest.IsolatedAsyncioTestCase`"
    runner = next((each.name for each in owner.body if isinstance(each, FunctionNode) and each.name in _RUNNERS), "")
    return f"is run by `{runner}` of its own class, not by unittest" if runner else ""


def _is_fixture(item: FunctionNode) -> bool:
    heads = (ast.unparse(decorator).partition("(")[0] for decorator in item.decorator_list)
    return any(head.rpartition(".")[2] == "fixture" for head in heads)


def _unittest_classes(tree: ast.Module) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of classes that derive from `unittest.TestCase`, and of those whose coroutines are awaited."""
    kinds = dict.fromkeys(_CASES, "") | {_CASES[1]: "awaited"}
    for alias in (alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names):
        if alias.name in kinds and alias.asname:
            kinds[alias.asname] = kinds[alias.name]
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for _ in classes:  # a chain of bases is at most as long as there are classes
        for node in classes:
            bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases} & kinds.keys()
            if bases:
                kinds[node.name] = next((kinds[base] for base in sorted(bases) if kinds[base]), "")
    return frozenset(kinds), frozenset(name for name, kind in kinds.items() if kind)
