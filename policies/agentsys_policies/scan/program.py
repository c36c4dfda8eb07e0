"""Abstract reading of a Python program: which labelled data reaches which labelled call, without running anything.

Every name of the file has one value that only grows (order of statements does not matter), functions of the file pass
values through parameters and results, and the reading is repeated until nothing changes, at most `PASSES` times.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Set
from dataclasses import replace
from typing import Any

from agentsys_policies.scan import known
from agentsys_policies.scan.labels import LabelTable
from agentsys_policies.scan.scopes import Function, Scopes, children
from agentsys_policies.scan.values import (
    HOLE,
    NO_LABELS,
    NO_LISTS,
    NO_TEXTS,
    UNKNOWN,
    Hit,
    Value,
    concatenate,
    join_paths,
    lists_of,
    shortest,
    union,
)

PASSES = 5
DATA = "file.data"
"""Label of a part of a file that was read as data, such as a key of a settings file."""
FILE = "file.text:"
"""Begins the label of data that was read from a file; the file's name follows."""
_DANGEROUS = frozenset({"exec.code", "exec.process"})


class Program:
    """One parsed file; `hits` are the labelled places in it."""

    def __init__(self, scopes: Scopes, table: LabelTable, fetched: Set[str] = frozenset()) -> None:
        self._scopes = scopes
        self._table = table
        self._slots: dict[str, Value] = {}
        self._changed = False
        self._scope = ""
        self._endless = 0
        self.hits: list[Hit] = []
        self._handlers = self._by_type()
        self._fill(frozenset(fetched))
        for _ in range(PASSES):
            self._changed = False
            self.hits = []
            self._body(scopes.tree.body)
            if not self._changed:
                break

    # -- names ---------------------------------------------------------------------------------------------------------

    def _key(self, name: str) -> str:
        return f"{self._scope}:{name}" if self._scopes.is_local(self._scope, name) else f":{name}"

    def _set(self, key: str, value: Value) -> None:
        old = self._slots.get(key)
        new = value if old is None else old.merged(value)
        if new != old:
            self._slots[key] = new
            self._changed = True

    def _hit(
        self, labels: frozenset[str], node: ast.AST, name: str, values: list[Value], first: Value = UNKNOWN
    ) -> None:
        if not labels:
            return
        line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0) + 1
        carried, argv = union(values), known.texts_of(first)
        words = NO_TEXTS.union(*(value.texts or value.base for value in values), argv)
        for label in labels:
            self.hits.append(Hit(label, line, column, self._scope, name, carried, first.texts, words, argv))

    def _started(self, node: ast.Call, name: str, values: list[Value], words: dict[str, Value]) -> None:
        """Complete the hit of a call that starts a program by what it starts."""
        commands, shell = known.started(name, values, words)
        self.hits = [
            replace(hit, commands=commands, shell=shell)
            if hit.label == "exec.process" and (hit.line, hit.column) == (node.lineno, node.col_offset + 1)
            else hit
            for hit in self.hits
        ]

    # -- statements ----------------------------------------------------------------------------------------------------

    def _body(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node)
            case ast.Assign():
                value = self._value(node.value)
                for target in node.targets:
                    self._bind(target, value)
                    if known.switches_off(target, node.value):
                        self._hit(frozenset({"net.unverified"}), node, "verification", [])
            case ast.AnnAssign():
                if node.value is not None:
                    self._bind(node.target, self._value(node.value))
            case ast.AugAssign():
                self._augment(node)
            case ast.For() | ast.AsyncFor():
                self._bind(node.target, self._value(node.iter).element())
                self._body([*node.body, *node.orelse])
            case ast.While():
                self._value(node.test)
                self._endless += known.is_true(node.test)
                self._body([*node.body, *node.orelse])
                self._endless -= known.is_true(node.test)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    value = self._value(item.context_expr)
                    if item.optional_vars is not None:
                        self._bind(item.optional_vars, value)
                self._body(node.body)
            case ast.Return():
                self._return(node)
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.Expr() if isinstance(node.value, ast.Constant):
                pass  # a docstring
            case _:
                self._children(node)

    def _children(self, node: ast.AST) -> None:
        for child in children(node):
            if isinstance(child, ast.stmt):
                self._statement(child)
            elif isinstance(child, ast.expr):
                self._value(child)
            else:
                self._children(child)

    def _function(self, node: Function) -> None:
        for item in [*node.decorator_list, *node.args.defaults, *(x for x in node.args.kw_defaults if x is not None)]:
            self._value(item)
        outer, endless = self._scope, self._endless
        self._scope, self._endless = node.name, 0
        names = [item.arg for item in [*node.args.posonlyargs, *node.args.args]]
        for name, default in zip(reversed(names), reversed(node.args.defaults), strict=False):
            self._set(self._key(name), self._value(default))
        self._body(node.body)
        self._scope, self._endless = outer, endless

    def _return(self, node: ast.Return) -> None:
        if node.value is None:
            return
        value = self._value(node.value)
        self._set(f"{self._scope}>", Value(value.labels, value.texts, value.name))
        if self._scope in {"__reduce__", "__reduce_ex__"} and value.parts:
            dangerous = self._table.call(value.parts[0].name) & _DANGEROUS
            self._hit(frozenset({"pickle.command"}) if dangerous else NO_LABELS, node, value.parts[0].name, [])

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom) and node.level:
            return
        module = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names = [item.name if isinstance(node, ast.Import) else f"{node.module}.{item.name}" for item in node.names]
        for name in [*module, *names]:
            self._hit(self._table.module(name), node, f"import {name}", [])

    def _augment(self, node: ast.AugAssign) -> None:
        value = self._value(node.value)
        if isinstance(node.op, ast.Add) and isinstance(node.target, ast.Name):
            old = self._slots.get(self._key(node.target.id), UNKNOWN)
            both = concatenate(old, value)
            value = both if len(old.texts) == 1 and not self._endless else Value(both.labels)
            longer = frozenset(
                (*head, *tail) for head in old.argvs for tail in value.argvs or self._value(node.value).argvs
            )
            self._bind(node.target, Value(value.labels, value.texts, argvs=shortest(longer or old.argvs)))
            return
        self._bind(node.target, Value(value.labels, value.texts))

    def _bind(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name():
                self._hit(self._table.attribute(f"={target.id}"), target, target.id, [value])
                self._set(self._key(target.id), value)
            case ast.Tuple() | ast.List():
                fits = len(value.parts) == len(target.elts)
                parts = value.parts if fits else (Value(value.labels),) * len(target.elts)
                for item, part in zip(target.elts, parts, strict=True):
                    self._bind(item, part)
            case ast.Starred():
                self._bind(target.value, value)
            case ast.Attribute():
                self._bind_attribute(target, value)
            case ast.Subscript() if not known.is_environ(target.value):
                base = self._value(target.value)
                self._grow(target.value, value.labels | self._value(target.slice).labels | base.labels)
            case _:
                pass

    def _bind_attribute(self, target: ast.Attribute, value: Value) -> None:
        base = self._value(target.value)
        if base.name and not base.name.startswith("?") and "(" not in base.name:
            dotted = f"{base.name}.{target.attr}"
            self._hit(self._table.attribute(f"={dotted}"), target, dotted, [value])
        self._set(f".{target.attr}", Value(value.labels, value.texts, argvs=value.argvs))

    def _grow(self, target: ast.expr, labels: frozenset[str]) -> None:
        if labels and isinstance(target, ast.Name):
            self._set(self._key(target.id), Value(labels))
        elif labels and isinstance(target, ast.Attribute):
            self._set(f".{target.attr}", Value(labels))

    # -- expressions ---------------------------------------------------------------------------------------------------

    def _value(self, node: ast.expr) -> Value:
        return self._handlers.get(type(node), self._any)(node)

    def _by_type(self) -> dict[type[ast.expr], Callable[[Any], Value]]:
        """Handlers by type: a chain of `case` clauses here costs a third of the whole scan."""
        comprehensions = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
        return {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Call: self._call,
            ast.BinOp: self._binary,
            ast.JoinedStr: self._formatted,
            ast.Subscript: self._subscript,
            ast.Lambda: self._lambda,
            ast.NamedExpr: self._walrus,
            ast.IfExp: self._either,
            ast.Compare: self._compare,
            **dict.fromkeys((ast.List, ast.Tuple, ast.Set), self._display),
            **dict.fromkeys((ast.Await, ast.Starred, ast.YieldFrom), self._inner),
            **dict.fromkeys(comprehensions, self._comprehension),
        }

    def _any(self, node: ast.expr) -> Value:
        return Value(union([self._value(child) for child in children(node) if isinstance(child, ast.expr)]))

    def _display(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        parts = tuple(self._value(item) for item in node.elts)
        starred = [isinstance(item, ast.Starred) for item in node.elts]
        return Value(union(list(parts)), parts=parts, argvs=lists_of(parts, starred))

    def _inner(self, node: ast.Await | ast.Starred | ast.YieldFrom) -> Value:
        return self._value(node.value)

    def _lambda(self, node: ast.Lambda) -> Value:
        return self._value(node.body)

    def _walrus(self, node: ast.NamedExpr) -> Value:
        value = self._value(node.value)
        self._bind(node.target, value)
        return value

    def _either(self, node: ast.IfExp) -> Value:
        self._value(node.test)
        return self._value(node.body).merged(self._value(node.orelse))

    def _compare(self, node: ast.Compare) -> Value:
        self._children(node)
        return UNKNOWN

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
        local = self._scopes.is_local(self._scope, node.id)
        found = self._slots.get(f"{self._scope}:{node.id}" if local else f":{node.id}", UNKNOWN)
        if found.name or local:
            return found
        return Value(found.labels, found.texts, self._scopes.aliases.get(node.id, node.id), found.parts, found.argvs)

    def _attribute(self, node: ast.Attribute) -> Value:
        base = self._value(node.value)
        name = f"{base.name}.{node.attr}" if base.name else f"?.{node.attr}"
        labels = self._table.attribute(name)
        self._hit(labels, node, name, [])
        stored = self._slots.get(f".{node.attr}", UNKNOWN)
        texts = frozenset({"python"}) if name == "sys.executable" else stored.texts
        return Value(base.labels | labels | stored.labels, texts, name, argvs=stored.argvs, base=base.texts)

    def _binary(self, node: ast.BinOp) -> Value:
        left, right = self._value(node.left), self._value(node.right)
        if isinstance(node.op, ast.Add):
            parts = left.parts + right.parts
            whole = concatenate(left, right)
            argvs = shortest(frozenset((*a, *b) for a in left.argvs or {(HOLE,)} for b in right.argvs or {(HOLE,)}))
            lists = argvs if left.argvs or right.argvs else NO_LISTS
            return self._relabel(Value(whole.labels, whole.texts, parts=parts, argvs=lists), node)
        if isinstance(node.op, ast.Div) and (left.texts or right.texts):
            return self._relabel(join_paths([left, right]), node)
        if isinstance(node.op, ast.Mod) and left.texts:
            texts = frozenset(re.sub(r"%[-+ #0-9.]*[a-zA-Z]", HOLE, text) for text in left.texts)
            return Value(left.labels | right.labels, texts)
        return Value(left.labels | right.labels)

    def _formatted(self, node: ast.JoinedStr) -> Value:
        result = Value(texts=frozenset({""}))
        for part in node.values:
            value = self._value(part.value) if isinstance(part, ast.FormattedValue) else self._value(part)
            result = concatenate(result, value)
        return self._relabel(result, node)

    def _relabel(self, value: Value, node: ast.AST) -> Value:
        """Add the labels of a text that was put together."""
        labels = NO_LABELS.union(*(self._table.string(text) for text in value.texts)) - value.labels
        self._hit(labels, node, next(iter(value.texts), ""), [])
        return value.with_labels(labels)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
        for part in node.generators:
            self._bind(part.target, self._value(part.iter).element())
            for test in part.ifs:
                self._value(test)
        if isinstance(node, ast.DictComp):
            return Value(union([self._value(node.key), self._value(node.value)]))
        value = self._value(node.elt)
        codes = isinstance(node.elt, ast.Call) and isinstance(node.elt.func, ast.Name) and node.elt.func.id == "chr"
        # `[str(word) for word in words]` is the same list.
        same = isinstance(node.elt, ast.Name) or (codes is False and known.is_text_of_name(node.elt))
        argvs = self._value(node.generators[0].iter).argvs if same and len(node.generators) == 1 else NO_LISTS
        return Value(value.labels | {"text.codes"} if codes else value.labels, argvs=argvs)

    def _subscript(self, node: ast.Subscript) -> Value:
        key = self._value(node.slice)
        if known.is_environ(node.value):
            return Value(key.labels)
        base = self._value(node.value)
        if base.name and len(key.texts) == 1:
            name = known.entry(base.name, next(iter(key.texts)))
            if name:
                self._computed(name, node, [node.slice])
                return Value(name=name)
        if base.texts and isinstance(node.slice, ast.Slice) and known.is_reversed(node.slice):
            return self._relabel(Value(base.labels, frozenset(text[::-1] for text in base.texts)), node)
        element = base.element()
        return Value(base.labels | key.labels, element.texts)

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Value:
        if (
            isinstance(node.func, ast.Attribute)
            and known.is_environ(node.func.value)
            and node.func.attr in {"get", "pop"}
        ):
            function = Value(name="os.getenv")
        else:
            function = self._value(node.func)
        values = [self._value(item) for item in node.args]
        words = {word.arg or "**": self._value(word.value) for word in node.keywords}
        name, everything = function.name, [*values, *words.values()]
        built = known.named(name, values)
        if built:
            self._computed(built, node, node.args)
            return Value(union(values), name=built)
        labels = self._labels(name, node)
        first = values[0] if values else words.get("args", UNKNOWN)
        files = self._files(name, function, values, labels)
        self._hit(labels, node, name, [*everything, function, Value(files)], first)
        if "exec.process" in labels:
            self._started(node, name, values, words)
        self._executes(node, name, everything, labels)
        self._effects(node, name, values, words, labels)
        if name in known.NUMBERS:
            return UNKNOWN
        if name in self._scopes.functions:
            returned = self._slots.get(f"{name}>", UNKNOWN)
            return Value(returned.labels | labels, returned.texts, returned.name)
        flowing = labels | union(everything) | function.labels | files
        if name.partition(".")[0] in known.PARSERS:
            texts = {item for item in flowing if item.startswith(FILE)}
            flowing = flowing - texts | ({DATA} if texts else NO_LABELS)
        result = known.result(name, function, values, flowing)
        if result is not None:
            return self._relabel(result, node)
        return Value(flowing, name=f"{name}()" if name and len(name) < 200 else "")

    def _files(self, name: str, function: Value, values: list[Value], labels: frozenset[str]) -> frozenset[str]:
        """Labels of the file that a call opens: its name, and whether the program has filled it from the network."""
        method = name.rpartition(".")[2]
        opens = known.opens_file(name) or (method in known.READS and "." in name)
        if not opens and "load.pickle" not in labels:
            return NO_LABELS
        own = values[0].texts if values else NO_TEXTS
        texts = function.base if method in known.READS and not name.startswith(("io.", "codecs.")) else own
        texts = own if name == "open" or "load.pickle" in labels else texts
        filled = NO_LABELS.union(*(self._slots.get(f"file>{text}", UNKNOWN).labels for text in texts))
        return filled | ({f"{FILE}{text}" for text in texts} or {FILE} if opens else NO_LABELS)

    def _executes(self, node: ast.Call, name: str, everything: list[Value], labels: frozenset[str]) -> None:
        """A call that runs the text of a file: the hit holds the names of the files."""
        names: frozenset[str] = NO_TEXTS
        if "exec.code" in labels:
            reaching = union(everything)
            names = frozenset(item.removeprefix(FILE) for item in reaching if item.startswith(FILE))
            # `eval(config["lr"])` computes a value that a settings file holds; `exec` has no such use.
            if DATA in reaching and not name.endswith("eval"):
                names |= {""}
        if "exec.path" in labels:
            position = 0 if name.endswith(("run_path", "execfile")) else 1
            names |= everything[position].texts if len(everything) > position else NO_TEXTS
        if names:
            line, column = node.lineno, node.col_offset + 1
            self.hits.append(Hit("exec.file", line, column, self._scope, name, words=names))

    def _labels(self, name: str, node: ast.Call) -> frozenset[str]:
        """Labels of a call: those of its name, and those that depend on its arguments."""
        labels = self._table.call(name) if name else NO_LABELS
        found: set[str] = set()
        shell = next((word.value for word in node.keywords if word.arg == "shell"), None)
        if "exec.process" in labels and isinstance(shell, ast.Constant) and shell.value:
            found.add("proc.shell")
        if known.opens_file(name):
            found.add("file.write" if set(known.mode_of(node, name)) & set("wax+") else "file.read")
        if known.makes_executable(name, node):
            found.add("file.executable")
        if "proc.fork" in labels and self._endless:
            found.add("loop.fork")
        if known.unverified(name, labels, node):
            found.add("net.unverified")
        if known.keyword(node, "trust_remote_code") is True:
            found.add("hook.remote")
        if "hook.remote" in labels and known.keyword(node, "source") == "local":
            labels -= {"hook.remote"}
        if "load.pickle" in labels and known.loads_plain_data(name, node):
            labels -= {"load.pickle"}
        return labels | found

    def _computed(self, name: str, node: ast.AST, pieces: list[ast.expr]) -> None:
        """A dangerous function whose name does not stand in the program as it is."""
        plain = all(isinstance(piece, ast.Constant | ast.Name | ast.Attribute) for piece in pieces)
        if not plain or "__" in name:
            dangerous = self._table.call(name) & _DANGEROUS
            self._hit(frozenset({"name.computed"}) if dangerous else NO_LABELS, node, name, [])

    def _effects(
        self, node: ast.Call, name: str, values: list[Value], words: dict[str, Value], labels: frozenset[str]
    ) -> None:
        """What a call does to names: it fills parameters, puts data into its object, or names a downloaded file."""
        if isinstance(node.func, ast.Attribute) and node.func.attr in known.GROWS:
            self._grow(node.func.value, union([*values, *words.values()]))
        if "net.download" in labels:
            for argument, value in zip(node.args[1:], values[1:], strict=False):
                self._grow(argument, frozenset({"net.fetch"}))
                self._fill(value.texts)
        method = name.rpartition(".")[2]
        if method in {"write", "writelines", "write_bytes", "write_text", "copyfileobj"}:
            self._filled(node, values)
        short = name.rpartition(".")[2]
        function = self._scopes.functions.get(name) or (
            self._scopes.functions.get(short) if name.startswith(("self.", "cls.")) else None
        )
        if function is None:
            return
        names = [item.arg for item in [*function.args.posonlyargs, *function.args.args]]
        if names[:1] in (["self"], ["cls"]):
            names = names[1:]
        for parameter, value in [*zip(names, values, strict=False), *words.items()]:
            self._set(f"{function.name}:{parameter}", value)
        if function.args.vararg is not None and not any(isinstance(item, ast.Starred) for item in node.args):
            rest = values[len(names) :]
            listed = Value(union(rest), argvs=lists_of(rest, [False] * len(rest)))
            self._set(f"{function.name}:{function.args.vararg.arg}", listed)

    def _fill(self, texts: frozenset[str]) -> None:
        for text in texts:
            self._set(f"file>{text}", Value(frozenset({"net.fetch"})))

    def _filled(self, node: ast.Call, values: list[Value]) -> None:
        """Data from the network is written into a file whose name is known."""
        if "net.fetch" not in union(values) or not isinstance(node.func, ast.Attribute):
            return
        target = self._value(node.func.value)
        labels = target.labels | union(values[1:])
        self._fill(target.texts | {item.removeprefix(FILE) for item in labels if item.startswith(FILE)})
