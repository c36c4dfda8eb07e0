"""What in a repository would reach into the test run: hooks, lists of ignored files, code under test replaced."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from agentsys.core.artifacts import Diagnostic
from agentsys.core.tree import is_test_path
from agentsys.plan.symbols import FunctionNode, parse

_LISTS = {
    "pytest_plugins": "loads further plugins",
    "collect_ignore": "keeps test files from being collected",
    "collect_ignore_glob": "keeps test files from being collected",
}
_TOOLS = frozenset({"pytest", "_pytest", "pluggy", "unittest"})
_REPLACING = frozenset({"setattr", "delattr", "patch", "object", "multiple"})
_START_UP = ("sitecustomize", "usercustomize")


@dataclass(frozen=True)
class Code:
    """The code under test: what its packages are called and which functions and classes it defines."""

    packages: frozenset[str]
    defined: frozenset[str]


@dataclass(frozen=True)
class _File:
    path: str
    tree: ast.Module
    code: Code
    own: frozenset[str]
    """Names in this file that stand for the code under test."""
    tools: frozenset[str]
    """Names that stand for pytest or unittest."""

    def found(self, node: ast.AST, message: str) -> Diagnostic:
        """Build a finding at the line of a node."""
        return _finding(self.path, message, getattr(node, "lineno", None))


def hook_findings(files: Mapping[str, bytes]) -> list[Diagnostic]:
    """Return a finding of the check `pytest` for each place where a repository decides over its own tests.

    Args:
        files: POSIX path to content.
    """
    trees = {path: tree for path in sorted(files) if (tree := _tree(path, files[path]))}
    code = _code_under_test(trees)
    found = [_start_up(path) for path in sorted(files) if _runs_at_start(path)]
    for path, tree in trees.items():
        file = _File(path, tree, code, _names_of(tree, code.packages), _names_of(tree, _TOOLS))
        rows = [*_hooks(file), *_tool_parts(file)]
        if is_test_path(path):
            rows += [*_fixtures(file, trees.values()), *_lasting(file)]
        found += rows
    return list({(item.path, item.line, item.message): item for item in found}.values())


def _tree(path: str, data: bytes) -> ast.Module | None:
    return parse(data.decode("utf-8", "replace")) if path.endswith(".py") else None


def _finding(path: str, message: str, line: int | None = None) -> Diagnostic:
    return Diagnostic(kind="test", check="pytest", message=message, path=path, line=line)


def _runs_at_start(path: str) -> bool:
    place = PurePosixPath(path)
    return place.suffix == ".pth" or (place.suffix == ".py" and bool({place.stem, place.parent.name} & {*_START_UP}))


def _start_up(path: str) -> Diagnostic:
    return _finding(path, f"`{path}` would run whenever Python starts, also inside the tests; remove it")


def _code_under_test(trees: Mapping[str, ast.Module]) -> Code:
    packages: set[str] = set()
    defined: set[str] = set()
    for path, tree in trees.items():
        if not is_test_path(path):
            packages.add(path.removeprefix("src/").partition("/")[0].removesuffix(".py"))
            defined |= {node.name for node in ast.walk(tree) if isinstance(node, FunctionNode | ast.ClassDef)}
    return Code(frozenset(packages), frozenset(defined))


def _names_of(tree: ast.Module, packages: frozenset[str]) -> frozenset[str]:
    """Return the names that a file gives to these packages and to what it takes from them."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            mine = [alias for alias in node.names if alias.name.partition(".")[0] in packages]
            names |= {alias.asname or alias.name.partition(".")[0] for alias in mine}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in packages:
            names |= {alias.asname or alias.name for alias in node.names}
    return frozenset(names)


def _hooks(file: _File) -> Iterator[Diagnostic]:
    for node in ast.walk(file.tree):
        for name in _bound(node):
            if name in _LISTS:
                yield file.found(node, f"`{name}` {_LISTS[name]}: the repository's tests run without it; remove it")
            elif name.startswith("pytest_") and (isinstance(node, FunctionNode) or is_test_path(file.path)):
                yield file.found(node, f"`{name}` is a hook of pytest: tests run without hooks; remove it")
        if isinstance(node, ast.Attribute) and node.attr in ("hookimpl", "pluginmanager"):
            message = f"`{ast.unparse(node)[:80]}` reaches into pytest itself: tests run without hooks; remove it"
            yield file.found(node, message)


def _bound(node: ast.AST) -> list[str]:
    """Return the names that a node defines, or spells out as one of the lists."""
    if isinstance(node, FunctionNode):
        return [node.name]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    if isinstance(node, ast.Constant) and node.value in _LISTS:
        return [str(node.value)]
    return []


def _tool_parts(file: _File) -> Iterator[Diagnostic]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _root(node) in file.tools:
            yield file.found(node, f"`{ast.unparse(node)[:80]}` is replaced: pytest has to stay what it is")


def _fixtures(file: _File, trees: Iterable[ast.Module]) -> Iterator[Diagnostic]:
    """Yield fixtures that are in force without being asked for and replace functions of the code under test."""
    asked = {name for tree in trees for name in _used_by_mark(tree)}
    for node in ast.walk(file.tree):
        if isinstance(node, FunctionNode) and _in_force(node, asked):
            for inner in ast.walk(node):
                name = _replaced(inner, file)
                if name:
                    yield file.found(inner, f"the fixture `{node.name}` replaces `{name}` of the code under test")


def _in_force(node: FunctionNode, asked: set[str]) -> bool:
    for decorator in node.decorator_list:
        if _tail(decorator.func if isinstance(decorator, ast.Call) else decorator) == "fixture":
            autouse = isinstance(decorator, ast.Call) and any(
                each.arg == "autouse" and not (isinstance(each.value, ast.Constant) and not each.value.value)
                for each in decorator.keywords
            )
            return autouse or node.name in asked
    return False


def _used_by_mark(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "usefixtures":
            yield from (str(each.value) for each in node.args if isinstance(each, ast.Constant))


def _lasting(file: _File) -> Iterator[Diagnostic]:
    """Yield what replaces functions of the code under test and is never taken back."""
    for node in ast.walk(file.tree):
        name = ""
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            name = node.attr if _root(node) in file.own and node.attr in file.code.defined else ""
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
            name = _replaced(node, file)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "start":
            name = _replaced(node.func.value, file)
        if name:
            yield file.found(node, f"`{name}` of the code under test is replaced for all tests; test the code itself")


def _replaced(node: ast.AST, file: _File) -> str:
    """Return the function of the code under test that a call or an assignment replaces, or an empty text."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return node.attr if _root(node) in file.own and node.attr in file.code.defined else ""
    if not isinstance(node, ast.Call) or not node.args or _tail(node.func) not in _REPLACING:
        return ""
    target = node.args[0]
    if isinstance(target, ast.Constant) and isinstance(target.value, str):
        package, _, name = target.value.partition(".")
        return target.value if package in file.code.packages and name.rpartition(".")[2] in file.code.defined else ""
    if len(node.args) < 2 or _root(target) not in {*file.own, "request", "sys"}:
        return ""
    attribute = node.args[1]
    if isinstance(attribute, ast.Constant):
        return str(attribute.value) if attribute.value in file.code.defined else ""
    return ast.unparse(attribute)[:80]


def _tail(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _root(node: ast.expr) -> str:
    """Return the name at the start of `a.b[c].d`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
