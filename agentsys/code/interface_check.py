"""Compare a file with its planned interface: names, parameters and methods; not annotations and comments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_FUNCTION = re.compile(r"^(?:async\s+)?def\s+(\w+)\s*\(")
_CLASS = re.compile(r"^class\s+(\w+)")
_METHOD = re.compile(r"^\s*(\w+)\.(\w+)\s*(\(|->|:|$|\s*#)")
_INNER = re.compile(r"^\s+(?:async\s+)?def\s+(\w+)\s*\(")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def interface_violations(interface: str, source: str) -> list[str]:
    """Return where the source departs from the planned interface, one sentence each.

    Args:
        interface: lines such as `def f(x: int) -> int`, `class A  # frozen dataclass: ...`, `A.run(y: int) -> None`;
            lines in any other form are not checked.
        source: text of the Python file, which must parse.
    """
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, Function)}
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    others = _bound_otherwise(tree)
    broken: list[str] = []
    owner = ""
    for line in interface.splitlines():
        if found := _FUNCTION.match(line):
            broken += _function(line, found[1], functions, others=others)
        elif found := _CLASS.match(line):
            owner = found[1]
            if owner not in classes and owner not in others:
                broken.append(f"`class {owner}` is missing")
        elif found := _INNER.match(line):
            broken += _method(line.strip(), owner, found[1], classes)
        elif (found := _METHOD.match(line)) and found[1] in classes:
            broken += _method("def " + line.strip().partition(".")[2], found[1], found[2], classes)
    return broken


def _function(line: str, name: str, functions: dict[str, Function], *, others: set[str]) -> Iterator[str]:
    if name not in functions:
        if name not in others:
            yield f"`def {name}` is missing"
        return
    yield from _parameters(line, name, functions[name], bound=False)


def _method(line: str, owner: str, name: str, classes: dict[str, ast.ClassDef]) -> Iterator[str]:
    """A member may also be inherited, an attribute or a field: only a method that is there is compared."""
    members = (
        {item.name: item for item in classes[owner].body if isinstance(item, Function)} if owner in classes else {}
    )
    if name in members:
        static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in members[name].decorator_list)
        yield from _parameters(line, f"{owner}.{name}", members[name], bound=not static)


def _parameters(line: str, name: str, actual: Function, *, bound: bool) -> Iterator[str]:
    planned = _parse(line)
    if planned is None or any(isinstance(d, ast.Name) and d.id == "property" for d in actual.decorator_list):
        return
    wanted = [arg for arg in _names(planned) if arg not in ("self", "cls")]
    there = _names(actual)[1:] if bound else _names(actual)
    free = actual.args.kwarg is not None or actual.args.vararg is not None
    missing = [arg for arg in wanted if arg not in there]
    if missing and not free:
        listed = ", ".join(f"`{arg}`" for arg in missing)
        yield f"`{name}` lacks the parameter {listed}: agreed is `{line.strip()[:160]}`"
    extra = [arg for arg in _required(actual, bound) if arg not in wanted]
    if extra and planned.args.kwarg is None and planned.args.vararg is None:
        yield f"`{name}` demands {', '.join(f'`{arg}`' for arg in extra)} beyond the agreed `{line.strip()[:160]}`"


def _parse(line: str) -> Function | None:
    """Read one planned signature; None where it is not Python."""
    text = line.split("  #")[0].strip().rstrip(":").removesuffix("...").rstrip(": ")
    try:
        node = ast.parse(f"{text}: ...").body[0]
    except SyntaxError:
        return None
    return node if isinstance(node, Function) else None


def _names(node: Function) -> list[str]:
    return [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]


def _required(node: Function, bound: bool) -> list[str]:
    plain = [*node.args.posonlyargs, *node.args.args]
    needed = plain[: len(plain) - len(node.args.defaults)]
    only = [arg for arg, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if default is None]
    return [arg.arg for arg in (*needed[1 if bound else 0 :], *only)]


def _bound_otherwise(tree: ast.Module) -> set[str]:
    """Return names that the top level assigns or imports."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return names
