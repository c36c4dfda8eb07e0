"""Abstract reading of a Python program: which labelled data reaches which labelled call, without running anything.

Every name of the file has one value that only grows (order of statements does not matter), functions of the file pass
values through parameters and results, and the reading is repeated until nothing changes, at most `PASSES` times.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from agentsys_policies.scan.labels import LabelTable
from agentsys_policies.scan.values import (
    HOLE,
    NO_LABELS,
    NO_TEXTS,
    UNKNOWN,
    Value,
    concatenate,
    join_paths,
    union,
)

PASSES = 4
_PURE = frozenset({"len", "isinstance", "issubclass", "hasattr", "id", "hash", "type", "bool", "callable", "range"})
_SAME_TEXT = frozenset(
    {"str", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "os.fspath", "os.path.expanduser"}
    | {"os.path.abspath", "os.path.realpath", "os.path.normpath", "os.path.expandvars", "list", "tuple", "dict"}
    | {"?.expanduser", "?.resolve", "?.absolute", "?.encode", "?.decode", "?.strip", "?.as_posix", "bytes", "?.items"}
)
_GROWS = frozenset({"append", "extend", "add", "update", "insert", "write", "appendleft", "setdefault", "put"})


@dataclass(frozen=True)
class Hit:
    """A place in the program that carries a label."""

    label: str
    line: int
    column: int
    scope: str
    name: str
    carried: frozenset[str] = NO_LABELS
    """Labels of the data that reaches the call."""
    texts: frozenset[str] = NO_TEXTS
    """Constant texts among its arguments."""


class Program:
    """One parsed file and what was found in it."""

    def __init__(self, tree: ast.Module, table: LabelTable) -> None:
        self.tree = tree
        self._table = table
        self._slots: dict[str, Value] = {}
        self._aliases: dict[str, str] = {}
        self._functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
        self._locals: dict[str, frozenset[str]] = {}
        self._changed = False
        self._record = False
        self._scope = ""
        self.hits: list[Hit] = []
        self._collect(tree)
        for _ in range(PASSES):
            self._changed = False
            self._body(tree.body)
            if not self._changed:
                break
        self._record = True
        self._body(tree.body)

    # -- names ---------------------------------------------------------------------------------------------------------

    def _collect(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for item in node.names:
                    head = item.name.partition(".")[0]
                    self._aliases[item.asname or head] = item.name if item.asname else head
            elif isinstance(node, ast.ImportFrom) and not node.level:
                for item in node.names:
                    self._aliases[item.asname or item.name] = f"{node.module}.{item.name}"
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._functions[node.name] = node
                self._locals[node.name] = _assigned(node)

    def _key(self, name: str) -> str:
        return f"{self._scope}:{name}" if name in self._locals.get(self._scope, frozenset()) else f":{name}"

    def _set(self, key: str, value: Value) -> None:
        old = self._slots.get(key)
        new = value if old is None else old.merged(value)
        if new != old:
            self._slots[key] = new
            self._changed = True

    def _hit(self, labels: frozenset[str], node: ast.AST, name: str, values: list[Value]) -> None:
        if not self._record or not labels:
            return
        carried = union(values)
        texts = frozenset(text for value in values for item in (value, *value.parts) for text in item.texts)
        line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0) + 1
        for label in sorted(labels):
            self.hits.append(Hit(label, line, column, self._scope, name, carried, texts))

    # -- statements ----------------------------------------------------------------------------------------------------

    def _body(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node)
            case ast.ClassDef():
                for item in [*node.bases, *(word.value for word in node.keywords), *node.decorator_list]:
                    self._value(item)
                self._body(node.body)
            case ast.Assign():
                value = self._value(node.value)
                for target in node.targets:
                    self._bind(target, value)
            case ast.AnnAssign() | ast.AugAssign():
                if node.value is not None:
                    self._bind(node.target, self._value(node.value))
            case ast.For() | ast.AsyncFor():
                self._bind(node.target, self._value(node.iter))
                self._body([*node.body, *node.orelse])
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    value = self._value(item.context_expr)
                    if item.optional_vars is not None:
                        self._bind(item.optional_vars, value)
                self._body(node.body)
            case ast.Return():
                if node.value is not None:
                    self._set(f"{self._scope}>", self._value(node.value))
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case _:
                self._children(node)

    def _children(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self._statement(child)
            elif isinstance(child, ast.expr):
                self._value(child)
            else:
                self._children(child)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for item in [*node.decorator_list, *node.args.defaults, *(x for x in node.args.kw_defaults if x is not None)]:
            self._value(item)
        outer, self._scope = self._scope, node.name
        names = [item.arg for item in [*node.args.posonlyargs, *node.args.args]]
        for name, default in zip(reversed(names), reversed(node.args.defaults), strict=False):
            self._set(self._key(name), self._value(default))
        self._body(node.body)
        self._scope = outer

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom) and node.level:
            return
        for item in node.names:
            name = item.name if isinstance(node, ast.Import) else f"{node.module}.{item.name}"
            self._hit(self._table.module(name), node, f"import {name}", [])

    def _bind(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name():
                self._set(self._key(target.id), value)
            case ast.Tuple() | ast.List():
                parts = value.parts if len(value.parts) == len(target.elts) else (value,) * len(target.elts)
                for item, part in zip(target.elts, parts, strict=True):
                    self._bind(item, part)
            case ast.Starred():
                self._bind(target.value, value)
            case ast.Attribute():
                base = self._value(target.value)
                dotted = f"{base.name}.{target.attr}" if base.name else ""
                self._hit(self._table.attribute(f"={dotted}") if dotted else NO_LABELS, target, dotted, [value])
                self._set(f".{target.attr}", Value(value.labels, value.texts))
            case ast.Subscript():
                base = self._value(target.value)
                if base.name:
                    self._hit(self._table.attribute(f"={base.name}"), target, base.name, [value])
                self._grow(target.value, value.labels | self._value(target.slice).labels)
            case _:
                self._value(target)

    def _grow(self, target: ast.expr, labels: frozenset[str]) -> None:
        if labels and isinstance(target, ast.Name):
            self._set(self._key(target.id), Value(labels))
        elif labels and isinstance(target, ast.Attribute):
            self._set(f".{target.attr}", Value(labels))

    # -- expressions ---------------------------------------------------------------------------------------------------

    def _value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name():
                return self._name(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return self._call(node)
            case ast.BinOp():
                return self._binary(node)
            case ast.JoinedStr():
                return self._formatted(node)
            case ast.List() | ast.Tuple() | ast.Set():
                parts = tuple(self._value(item) for item in node.elts)
                return Value(union(list(parts)), parts=parts)
            case ast.Lambda():
                return self._value(node.body)
            case ast.NamedExpr():
                value = self._value(node.value)
                self._bind(node.target, value)
                return value
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(node)
            case ast.Subscript():
                return self._subscript(node)
            case ast.IfExp():
                self._value(node.test)
                return self._value(node.body).merged(self._value(node.orelse))
            case ast.Await() | ast.Starred() | ast.YieldFrom():
                return self._value(node.value)
            case ast.Compare():
                self._children(node)
                return UNKNOWN
            case _:
                values = [self._value(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
                return Value(union(values))

    def _constant(self, node: ast.Constant) -> Value:
        text = node.value
        if isinstance(text, bytes):
            text = text.decode("latin-1")
        if not isinstance(text, str):
            return UNKNOWN
        labels = self._table.string(text)
        self._hit(labels, node, text, [])
        return Value(labels, frozenset({text}))

    def _name(self, node: ast.Name) -> Value:
        found = self._slots.get(self._key(node.id), UNKNOWN)
        if found.name or node.id in self._locals.get(self._scope, frozenset()):
            return found
        return Value(found.labels, found.texts, self._aliases.get(node.id, node.id), found.parts)

    def _attribute(self, node: ast.Attribute) -> Value:
        base = self._value(node.value)
        name = f"{base.name}.{node.attr}" if base.name else f"?.{node.attr}"
        labels = self._table.attribute(name)
        self._hit(labels, node, name, [])
        stored = self._slots.get(f".{node.attr}", UNKNOWN)
        return Value(base.labels | labels | stored.labels, stored.texts, name)

    def _binary(self, node: ast.BinOp) -> Value:
        left, right = self._value(node.left), self._value(node.right)
        if isinstance(node.op, ast.Add):
            return self._relabel(concatenate(left, right), node)
        if isinstance(node.op, ast.Div) and (left.texts or right.texts):
            return self._relabel(join_paths([left, right]), node)
        if isinstance(node.op, ast.Mod) and left.texts:
            return Value(left.labels | right.labels, left.texts)
        return Value(left.labels | right.labels)

    def _formatted(self, node: ast.JoinedStr) -> Value:
        result = Value(texts=frozenset({""}))
        for part in node.values:
            value = self._value(part.value) if isinstance(part, ast.FormattedValue) else self._value(part)
            result = concatenate(result, value)
        return self._relabel(result, node)

    def _relabel(self, value: Value, node: ast.AST) -> Value:
        labels = NO_LABELS.union(*(self._table.string(text) for text in value.texts)) - value.labels
        self._hit(labels, node, next(iter(value.texts), ""), [])
        return value.with_labels(labels)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
        for part in node.generators:
            self._bind(part.target, self._value(part.iter))
            for test in part.ifs:
                self._value(test)
        if isinstance(node, ast.DictComp):
            return Value(union([self._value(node.key), self._value(node.value)]))
        return Value(self._value(node.elt).labels)

    def _subscript(self, node: ast.Subscript) -> Value:
        key = self._value(node.slice)
        if _is_environ(node.value):
            labels = self._table.call("os.getenv") | key.labels
            self._hit(self._table.call("os.getenv"), node, "os.environ[...]", [key])
            return Value(labels)
        base = self._value(node.value)
        name = ""
        if base.name and len(key.texts) == 1:
            name = _module_entry(base.name, next(iter(key.texts)))
        elif base.texts and isinstance(node.slice, ast.Slice) and _is_reversed(node.slice):
            return Value(base.labels, frozenset(text[::-1] for text in base.texts))
        return Value(base.labels | key.labels, base.texts if base.parts else NO_TEXTS, name)

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Value:
        if isinstance(node.func, ast.Attribute) and _is_environ(node.func.value) and node.func.attr in {"get", "pop"}:
            function = Value(name="os.getenv")
        else:
            function = self._value(node.func)
        values = [self._value(item) for item in node.args]
        words = {word.arg or "**": self._value(word.value) for word in node.keywords}
        everything = [*values, *words.values()]
        name = function.name
        named = self._by_name(name, values)
        if named is not None:
            return named
        labels = self._table.call(name) if name else NO_LABELS
        labels |= self._derived(name, node, words)
        receiver = Value(function.labels, self._receiver_texts(node))
        self._hit(labels, node, name, [*everything, receiver])
        self._pass_on(node, name, values, words)
        if isinstance(node.func, ast.Attribute) and node.func.attr in _GROWS:
            self._grow(node.func.value, union(everything))
        if name in _PURE:
            return UNKNOWN
        return self._result(node, name, function, values, everything, labels)

    def _result(
        self,
        node: ast.Call,
        name: str,
        function: Value,
        values: list[Value],
        everything: list[Value],
        labels: frozenset[str],
    ) -> Value:
        flowing = labels | union(everything) | function.labels
        short = f"?.{name.rpartition('.')[2]}"
        if name in {"os.path.join", "?.joinpath"} or short == "?.joinpath":
            return self._relabel(join_paths(values).with_labels(flowing), node)
        if name in _SAME_TEXT or short in _SAME_TEXT:
            source = values[0] if values and short not in _SAME_TEXT else Value(texts=self._receiver_texts(node))
            return Value(flowing, source.texts or (values[0].texts if values else NO_TEXTS))
        if name.endswith("Path.home"):
            return Value(flowing, frozenset({"~"}))
        if short == "?.join" and values and values[0].parts:
            result = Value(texts=frozenset({""}))
            for part in values[0].parts:
                result = concatenate(result, part)
            return self._relabel(result.with_labels(flowing), node)
        if short == "?.replace" and len(values) == 2 and values[0].texts and values[1].texts:
            old, new = next(iter(values[0].texts)), next(iter(values[1].texts))
            texts = frozenset(text.replace(old, new) for text in self._receiver_texts(node) if old)
            return self._relabel(Value(flowing, texts), node)
        if short == "?.format":
            return Value(flowing, self._receiver_texts(node))
        if name in self._functions:
            returned = self._slots.get(f"{name}>", UNKNOWN)
            return Value(returned.labels | labels, returned.texts)
        return Value(flowing, name=f"{name}()" if name and not name.startswith("?") else "")

    def _receiver_texts(self, node: ast.Call) -> frozenset[str]:
        if not isinstance(node.func, ast.Attribute):
            return NO_TEXTS
        record, self._record = self._record, False
        texts = self._value(node.func.value).texts
        self._record = record
        return texts

    def _by_name(self, name: str, values: list[Value]) -> Value | None:
        """Names that a call builds: `getattr(os, "system")`, `__import__("os")`, `importlib.import_module("os")`."""
        if (
            name in {"getattr", "builtins.getattr"}
            and len(values) >= 2
            and values[0].name
            and len(values[1].texts) == 1
        ):
            built = f"{values[0].name}.{next(iter(values[1].texts))}"
            return Value(values[0].labels | values[1].labels, name=built)
        if (
            name in {"__import__", "builtins.__import__", "importlib.import_module"}
            and values
            and len(values[0].texts) == 1
        ):
            return Value(name=next(iter(values[0].texts)))
        return None

    def _derived(self, name: str, node: ast.Call, words: dict[str, Value]) -> frozenset[str]:
        """Labels that depend on more than the name."""
        found: set[str] = set()
        shell = next((word.value for word in node.keywords if word.arg == "shell"), None)
        if name.startswith("subprocess.") and isinstance(shell, ast.Constant) and shell.value is True:
            found.add("proc.shell")
        if name == "open" or name.endswith((".open", "os.fdopen")):
            mode = next(iter(words["mode"].texts), "") if "mode" in words else _mode(node, name)
            found.add("file.write" if set(mode) & set("wax+") else "file.read")
        return frozenset(found)

    def _pass_on(self, node: ast.Call, name: str, values: list[Value], words: dict[str, Value]) -> None:
        function = self._functions.get(name) or self._functions.get(name.rpartition(".")[2] if "self." in name else "")
        if function is None:
            return
        names = [item.arg for item in [*function.args.posonlyargs, *function.args.args]]
        if names[:1] in (["self"], ["cls"]):
            names = names[1:]
        for parameter, value in [*zip(names, values, strict=False), *words.items()]:
            self._set(f"{function.name}:{parameter}", value)


def _assigned(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    arguments = function.args
    names = {item.arg for item in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
    names |= {item.arg for item in (arguments.vararg, arguments.kwarg) if item is not None}
    shared: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            shared.update(node.names)
    return frozenset(names - shared)


def _is_environ(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "environ"


def _is_reversed(node: ast.Slice) -> bool:
    step = node.step
    return isinstance(step, ast.UnaryOp) and isinstance(step.op, ast.USub)


def _module_entry(base: str, key: str) -> str:
    if base == "sys.modules":
        return key
    if base in {"__builtins__.__dict__", "builtins.__dict__", "__builtins__", "globals()", "vars()"}:
        return key
    return ""


def _mode(node: ast.Call, name: str) -> str:
    position = 1 if name in {"open", "io.open", "builtins.open", "codecs.open", "gzip.open"} else 0
    if len(node.args) > position:
        value = node.args[position]
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
        return HOLE
    return "r"
