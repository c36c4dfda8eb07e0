"""What a value was computed from: a backward slice (Weiser, IEEE TSE 10(4), 1984) through the text of a repository.

Names are followed from an assignment to what it reads, from a call to what the function returns, from a parameter to
the argument at each call, from a field to whatever sets one of that name. Conditions are not followed.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from agentsys.debug.callgraph import CallGraph
from agentsys.plan.symbols import FunctionNode


class Slices:
    """How the values in a repository depend on each other. A name is `.name`, or `path:function name` where local."""

    def __init__(self, graph: CallGraph) -> None:
        self._graph = graph
        self._own = {key: _bound(item.node) for key, item in graph.nodes.items() if item.kind == "function"}
        self._named: dict[str, list[str]] = defaultdict(list)
        for key in graph.nodes:
            self._named[key.rpartition(":")[2].rpartition(".")[2]].append(key)
        self._from: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
        for key, item in graph.nodes.items():
            for target, value in self._flows(key, item.node):
                self._from[target].append((key, self._reads(key, value)))

    def behind(self, names: Iterable[str], executed: Collection[str]) -> dict[str, int]:
        """Return the definitions that gave `names` their values, each with the number of steps to it.

        Args:
            names: from `around`.
            executed: functions that are followed.
        """
        found: dict[str, int] = {}
        seen, ring, depth = set[str](), set(names), 0
        while ring:
            depth, seen = depth + 1, seen | ring
            steps = [(key, reads) for name in sorted(ring) for key, reads in self._from[name]]
            steps = [(key, reads) for key, reads in steps if key in executed or key not in self._own]
            for key, _ in steps:
                found.setdefault(key, depth)
            ring = {name for _, reads in steps for name in reads} - seen
        return found

    def around(self, text: str, keys: Iterable[str]) -> frozenset[str]:
        """Return the names in the smallest table or call that holds this string, in each of these definitions."""
        found = frozenset[str]()
        for key in keys:
            node = self._graph.nodes[key].node
            holding = [
                each for each in ast.walk(node) if isinstance(each, ast.Dict | ast.Call) and mentions(each, text)
            ]
            if holding:
                found |= self._reads(key, min(holding, key=lambda each: len(ast.dump(each))))
        return found

    def asserted(self, key: str) -> frozenset[str]:
        """Return the names that the assertions of a test read, and what it expects to raise."""
        node = self._graph.nodes[key].node if key in self._graph.nodes else ast.Module([], [])
        rows = [each for each in ast.walk(node) if isinstance(each, ast.Assert | ast.With)]
        return frozenset(name for row in rows for name in self._reads(key, row))

    def _flows(self, key: str, node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
        """Yield which name is given a value, and from what."""
        if not isinstance(node, FunctionNode):
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                yield f".{key.rpartition(':')[2].rpartition('.')[2]}", node.value
            return
        for each in ast.walk(node):
            for target, value in _assigned(each):
                for part in ast.walk(target):
                    if isinstance(part, ast.Attribute):
                        yield f".{part.attr}", value
                    elif isinstance(part, ast.Name) and part.id in self._own[key]:
                        yield f"{key} {part.id}", value
            if isinstance(each, ast.Return | ast.Yield | ast.YieldFrom) and each.value is not None:
                yield f".{node.name}", each.value
            elif isinstance(each, ast.Call):
                yield from self._arguments(each)

    def _arguments(self, call: ast.Call) -> Iterator[tuple[str, ast.AST]]:
        """Yield what a constructor gives a value to; what a function is given is read where it is called."""
        for key in self._named.get(_called(call), ()):
            prefix, names = self._slots(key)
            yield from ((f"{prefix}{name}", value) for name, value in zip(names, call.args, strict=False))
            yield from ((f"{prefix}{row.arg}", row.value) for row in call.keywords if row.arg in names)

    def _slots(self, key: str) -> tuple[str, list[str]]:
        node = self._graph.nodes[key].node
        init = self._graph.nodes.get(f"{key}.__init__")
        if not isinstance(node, ast.ClassDef):
            return "", []
        if init is None or not isinstance(init.node, FunctionNode):
            rows = [row.target for row in node.body if isinstance(row, ast.AnnAssign)]
            return ".", [row.id for row in rows if isinstance(row, ast.Name)]
        given = init.node.args
        return f"{key}.__init__ ", [row.arg for row in (*given.posonlyargs, *given.args, *given.kwonlyargs)][1:]

    def _reads(self, key: str, node: ast.AST) -> frozenset[str]:
        """Return the names that an expression reads; what a constructor is given is read where the field is."""
        found: set[str] = set()
        rest = [node]
        while rest:
            each = rest.pop()
            if isinstance(each, ast.Name):
                found.add(f"{key} {each.id}" if each.id in self._own.get(key, ()) else f".{each.id}")
            elif isinstance(each, ast.Attribute):
                found.add(f".{each.attr}")
            built = isinstance(each, ast.Call) and any(
                self._graph.nodes[name].kind == "class" for name in self._named.get(_called(each), ())
            )
            rest += [each.func] if isinstance(each, ast.Call) and built else ast.iter_child_nodes(each)
        return frozenset(found)


def _assigned(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        yield node.target, node.iter
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield node.optional_vars, node.context_expr
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        call = node.value  # a method that is called for its effect changes what it belongs to
        yield from ((node.value.func.value, value) for value in (*call.args, *(row.value for row in call.keywords)))


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _bound(node: ast.AST) -> frozenset[str]:
    """Return the names that belong to a function: parameters, and what is assigned in it."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return frozenset(names | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)})


def mentions(node: ast.AST, text: str) -> bool:
    """True where this very string stands in a definition."""
    return text in strings(node)


def strings(node: ast.AST) -> list[str]:
    """Return the strings in a definition, of those with values in them the parts."""
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]
