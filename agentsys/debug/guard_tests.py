"""Weakenings of tests: fewer tests, fewer or looser assertions, skips, mocks."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Mapping

from agentsys.debug.guard_tree import Function, Module, dotted, is_constant

_LOOSER_WHEN_LARGER = frozenset({"abs", "rel", "atol", "rtol", "tol", "delta", "max_ulp", "nulp", "eps", "epsilon"})
_LOOSER_WHEN_SMALLER = frozenset({"places", "decimal", "significant"})
_SKIPS = ("skip", "skipif", "xfail", "skipIf", "skipUnless", "expectedFailure", "importorskip", "SkipTest")
_MOCKS = ("patch", "patch.object", "patch.dict", "MagicMock", "Mock", "monkeypatch.setattr", "mocker.patch")


def testing_reasons(
    before: Mapping[str, Module], after: Mapping[str, Module], *, quicker: bool = False
) -> Iterable[str]:
    """Yield how the changed test files test less than before.

    A test that moved to another changed file counts as kept.

    Args:
        quicker: the tests were asked to take less time: shorter ranges and slices are no weakening.
    """
    old, new = _tests(before), _tests(after)
    for name, function in old.items():
        short = name.rpartition("::")[2]
        match = new.get(name) or next((item for key, item in new.items() if key.rpartition("::")[2] == short), None)
        if match is None:
            yield f"the test `{short}` is gone"
        else:
            yield from (f"test `{short}`: {reason}" for reason in _weaker(function, match, quicker))
    known = {name.rpartition("::")[2] for name in old}
    for path in before:
        arrived = {name.rpartition("::")[2] for name in new if name.startswith(f"{path}::")}
        if before[path].tree.body or arrived & known:  # a file of new tests weakens nothing
            yield from (f"`{path}`: {reason}" for reason in _file_weaker(before[path], after.get(path, Module())))


def _tests(modules: Mapping[str, Module]) -> dict[str, Function]:
    found: dict[str, Function] = {}
    for path, module in modules.items():
        for name, function in module.functions.items():
            if name.rpartition(".")[2].startswith("test"):
                found[f"{path}::{name}"] = function
    return found


def _weaker(old: Function, new: Function, quicker: bool) -> Iterable[str]:
    lost = _checks(old) - _checks(new)
    if lost > 0:
        yield f"{lost} assertions are gone"
    if _empty_checks(new) > _empty_checks(old):
        yield "an assertion is always true"
    if _cases(new) < _cases(old):
        yield "parametrised cases are gone"
    if not quicker and _narrowed(old, new):
        yield "it looks at less data"
    yield from _looser(old, new)


def _file_weaker(old: Module, new: Module) -> Iterable[str]:
    if _calls(new.tree, _SKIPS) > _calls(old.tree, _SKIPS):
        yield "a skip or xfail is added"
    if _calls(new.tree, _MOCKS) > _calls(old.tree, _MOCKS):
        yield "a mock takes the place of code under test"
    for name in sorted(_imported(old.tree) & _defined(new.tree) - _defined(old.tree)):
        yield f"`{name}` is no longer the imported one but defined in the test file"


def _imported(tree: ast.Module) -> set[str]:
    return {
        alias.asname or alias.name for item in tree.body if isinstance(item, ast.ImportFrom) for alias in item.names
    }


def _defined(tree: ast.Module) -> set[str]:
    """Names of functions, classes and plain assignments at the top of a file."""
    found = {item.name for item in tree.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    targets = [target for item in tree.body if isinstance(item, ast.Assign) for target in item.targets]
    return found | {target.id for target in targets if isinstance(target, ast.Name)}


def _checks(function: Function) -> int:
    """Count assertions: `assert` statements, and calls such as `np.testing.assert_allclose` or `pytest.raises`."""
    count = 0
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            count += 1
        elif isinstance(node, ast.Call):
            name = dotted(node.func).rpartition(".")[2]
            count += name.startswith("assert") or name in ("raises", "warns")
    return count


def _empty_checks(function: Function) -> int:
    """Count assertions that hold whatever the code does."""
    return sum(
        1
        for node in ast.walk(function)
        if isinstance(node, ast.Assert) and (is_constant(node.test) or _same_sides(node.test) or _or_true(node.test))
    )


def _same_sides(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and len(test.comparators) == 1
        and isinstance(test.ops[0], ast.Eq | ast.LtE | ast.GtE | ast.Is)
        and ast.dump(test.left) == ast.dump(test.comparators[0])
    )


def _or_true(test: ast.expr) -> bool:
    return isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) and any(
        isinstance(value, ast.Constant) and bool(value.value) for value in test.values
    )  # fmt: skip


def _cases(function: Function) -> int:
    """Count the literal cases of `pytest.mark.parametrize`."""
    count = 0
    for decorator in function.decorator_list:
        if (
            isinstance(decorator, ast.Call)
            and dotted(decorator.func).endswith("parametrize")
            and len(decorator.args) > 1
        ):
            values = decorator.args[1]
            count += len(values.elts) if isinstance(values, ast.List | ast.Tuple) else 0
    return count


def _narrowed(old: Function, new: Function) -> bool:
    """True where a `range` got shorter or a slice with a constant bound was added to what stood there before."""
    was, now = _range_bounds(old), _range_bounds(new)
    shorter = bool(was) and bool(now) and len(was) == len(now) and sum(now) < sum(was)
    return shorter or (_slices(new) > _slices(old) and not _only_adds(old, new))


def _only_adds(old: Function, new: Function) -> bool:
    """True where every statement is still there as it was, and those that came only assert or name something new."""
    stood = Counter(map(ast.dump, old.body))
    fresh = [node for node in new.body if ast.dump(node) not in stood]
    used = {item.id for node in old.body for item in ast.walk(node) if isinstance(item, ast.Name)}
    plain = all(isinstance(node, ast.Assert) or _names_something_new(node, used) for node in fresh)
    return plain and not stood - Counter(map(ast.dump, new.body))


def _names_something_new(node: ast.stmt, used: set[str]) -> bool:
    if not isinstance(node, ast.Assign) or any(isinstance(item, ast.NamedExpr) for item in ast.walk(node)):
        return False
    names = [each for item in node.targets for each in (item.elts if isinstance(item, ast.Tuple) else [item])]
    return all(isinstance(name, ast.Name) and name.id not in used for name in names)


def _range_bounds(function: Function) -> list[float]:
    found: list[float] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and dotted(node.func) == "range" and node.args:
            bound = _number(node.args[min(1, len(node.args) - 1)])
            found += [bound] if bound is not None else []
    return found


def _slices(function: Function) -> int:
    return sum(
        1
        for node in ast.walk(function)
        if isinstance(node, ast.Slice) and node.upper and _number(node.upper) is not None
    )


def _calls(tree: ast.AST, names: tuple[str, ...]) -> int:
    """Count uses of names such as `pytest.mark.skip`, called or as decorators."""
    found = Counter(
        dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)
    )  # fmt: skip
    return sum(
        count for used, count in found.items() if any(used == name or used.endswith(f".{name}") for name in names)
    )


def _looser(old: Function, new: Function) -> Iterable[str]:
    for name, larger_is_looser in [(n, True) for n in _LOOSER_WHEN_LARGER] + [(n, False) for n in _LOOSER_WHEN_SMALLER]:
        was, now = _numbers(old, name), _numbers(new, name)
        if was and now and (max(now) > max(was) if larger_is_looser else min(now) < min(was)):
            yield f"the tolerance `{name}` is looser"
    bounds = _bounds(old)
    for shape, now_bounds in _bounds(new).items():
        if shape in bounds and now_bounds > bounds[shape]:
            yield "a numeric bound is looser"


def _numbers(function: Function, keyword: str) -> list[float]:
    found: list[float] = []
    for node in ast.walk(function):
        if isinstance(node, ast.keyword) and node.arg == keyword:
            value = _number(node.value)
            found += [value] if value is not None else []
    return found


def _number(node: ast.expr) -> float | None:
    try:
        value: object = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < 1e308 else None


def _bounds(function: Function) -> dict[str, float]:
    """Map `what < bound` in assertions to the bound; for `>` to its negative, so that larger is looser."""
    found: dict[str, float] = {}
    for node in ast.walk(function):
        if not isinstance(node, ast.Assert):
            continue
        for part in ast.walk(node.test):
            if isinstance(part, ast.Compare) and len(part.ops) == 1:
                bound = _number(part.comparators[0])
                less = isinstance(part.ops[0], ast.Lt | ast.LtE)
                if bound is not None and (less or isinstance(part.ops[0], ast.Gt | ast.GtE)):
                    key = ast.dump(part.left) + ("<" if less else ">")
                    value = bound if less else -bound
                    found[key] = max(found.get(key, value), value)
    return found
