"""Calls whose result is known without running them: paths, texts, and names put together at run time."""

from __future__ import annotations

import ast

from agentsys_policies.scan.values import HOLE, Value, concatenate, join_paths

NUMBERS = frozenset({"len", "isinstance", "issubclass", "hasattr", "id", "hash", "type", "bool", "callable", "range"})
"""Calls whose result carries nothing of their arguments."""
GROWS = frozenset({"append", "extend", "add", "update", "insert", "write", "appendleft", "setdefault", "put"})
"""Methods that put their arguments into their object."""
_SAME_TEXT = frozenset(
    {"str", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "os.fspath", "os.path.expanduser", "bytes"}
    | {"os.path.abspath", "os.path.realpath", "os.path.normpath", "os.path.expandvars"}
)
_SAME_METHOD = frozenset({"expanduser", "resolve", "absolute", "encode", "decode", "strip", "as_posix", "lower"})
_COLLECTS = frozenset({"list", "tuple", "set", "sorted", "reversed"})
_OPENS = frozenset({"open", "io.open", "builtins.open", "codecs.open", "gzip.open", "bz2.open", "lzma.open"})
_BUILTINS = frozenset({"__builtins__.__dict__", "builtins.__dict__", "__builtins__", "builtins", "globals()", "vars()"})


def result(name: str, function: Value, values: list[Value], flowing: frozenset[str]) -> Value | None:
    """Return what a call gives, if it is one of those that are known."""
    method = name.rpartition(".")[2]
    first = values[0] if values else Value()
    if name == "os.path.join":
        return join_paths(values).with_labels(flowing)
    if method == "joinpath":
        return join_paths([Value(texts=function.base), *values]).with_labels(flowing)
    if name in _SAME_TEXT:
        joined = join_paths(values) if name.startswith("pathlib.") else first
        return Value(flowing, joined.texts)
    if name in _COLLECTS:
        return Value(flowing, parts=first.parts)
    if name == "pathlib.Path.home":
        return Value(flowing, frozenset({"~"}))
    if method in _SAME_METHOD and "." in name:
        return Value(flowing, function.base)
    if method == "format":
        return Value(flowing, function.base)
    if method == "join" and first.parts:
        return _joined(first.parts, function).with_labels(flowing)
    if method == "replace" and len(values) == 2 and first.texts and values[1].texts:
        old, new = next(iter(first.texts)), next(iter(values[1].texts))
        return Value(flowing, frozenset(text.replace(old, new) for text in function.base if old))
    return None


def _joined(parts: tuple[Value, ...], function: Value) -> Value:
    joint = next(iter(function.base), HOLE)
    total = Value(texts=frozenset({""}))
    for index, part in enumerate(parts[:200]):
        total = concatenate(total, part, joint if index else "")
    return total


def named(name: str, values: list[Value]) -> str:
    """Return the dotted name that a call looks up: `getattr(os, "system")`, `importlib.import_module("os")`."""
    if name in {"getattr", "builtins.getattr"} and len(values) >= 2 and values[0].name and len(values[1].texts) == 1:
        return f"{values[0].name}.{next(iter(values[1].texts))}"
    if (
        name in {"__import__", "builtins.__import__", "importlib.import_module"}
        and values
        and len(values[0].texts) == 1
    ):
        return next(iter(values[0].texts))
    return ""


def entry(base: str, key: str) -> str:
    """Return the dotted name behind an entry of a table of modules or of builtins."""
    if base == "sys.modules" or base in _BUILTINS:
        return key
    return ""


def mode_of(node: ast.Call, name: str) -> str:
    """Return the mode in which a call opens a file; `w` where it is not constant."""
    position = 1 if name in _OPENS else 0
    given = next((word.value for word in node.keywords if word.arg == "mode"), None)
    if given is None and len(node.args) > position:
        given = node.args[position]
    if given is None:
        return "r"
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else "r"


def opens_file(name: str) -> bool:
    """True if a call of this name opens a file by path."""
    return name in _OPENS or (name.endswith(".open") and not name.startswith(("webbrowser", "PIL.", "os.")))


def makes_executable(name: str, node: ast.Call) -> bool:
    """True for a `chmod` that sets an execute bit."""
    if name.rpartition(".")[2] != "chmod":
        return False
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, int) and part.value & 0o111:
            return True
        if isinstance(part, ast.Attribute) and part.attr in {"S_IEXEC", "S_IXUSR", "S_IXGRP", "S_IXOTH", "S_IRWXU"}:
            return True
    return False


def is_true(node: ast.expr) -> bool:
    """True for the condition of a loop that never ends by itself."""
    return isinstance(node, ast.Constant) and bool(node.value)


def texts_of(value: Value) -> tuple[str, ...]:
    """The words of a constant argument list, `HOLE` for those that are not constant."""
    return tuple(next(iter(part.texts)) if len(part.texts) == 1 else HOLE for part in value.parts)


def is_environ(node: ast.expr) -> bool:
    """True for `os.environ`, whatever `os` is called."""
    return isinstance(node, ast.Attribute) and node.attr == "environ"


def is_reversed(node: ast.Slice) -> bool:
    """True for the slice that turns a text round."""
    return isinstance(node.step, ast.UnaryOp) and isinstance(node.step.op, ast.USub)
