"""Calls whose result is known without running them: paths, texts, and names put together at run time."""

from __future__ import annotations

import ast
import re
import shlex

from agentsys_policies.scan.values import HOLE, Value, concatenate, join_paths, lists_of

NUMBERS = frozenset({"len", "isinstance", "issubclass", "hasattr", "id", "hash", "type", "bool", "callable", "range"})
"""Calls whose result carries nothing of their arguments."""
PARSERS = frozenset(
    {"json", "yaml", "tomllib", "toml", "csv", "configparser", "pandas", "numpy", "pickle", "torch", "omegaconf"}
)
"""Packages that make data of the text of a file."""
READS = frozenset({"read_text", "read_bytes", "open"})
"""Methods of a path that read its file."""
GROWS = frozenset({"append", "extend", "add", "update", "insert", "write", "appendleft", "setdefault", "put"})
"""Methods that put their arguments into their object."""
_SAME_TEXT = frozenset(
    {"str", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "os.fspath", "os.path.expanduser", "bytes"}
    | {"os.path.abspath", "os.path.realpath", "os.path.normpath", "os.path.expandvars"}
)
_SAME_METHOD = frozenset({"expanduser", "resolve", "absolute", "encode", "decode", "strip", "as_posix", "lower"})
_COLLECTS = frozenset({"list", "tuple", "set", "sorted", "reversed"})
_REACHES = frozenset(
    {"get", "post", "put", "patch", "head", "request", "Client", "AsyncClient", "TCPConnector", "stream"}
)
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
        return Value(flowing, parts=first.parts, argvs=first.argvs)
    if name == "shlex.split" and first.texts:
        return Value(flowing, argvs=frozenset(_words(text) for text in first.texts))
    if method == "split" and not values and function.base:
        return Value(flowing, argvs=frozenset(tuple(text.split()) for text in function.base))
    if method == "with_name" and first.texts:
        return Value(flowing, frozenset(f"{HOLE}/{text}" for text in first.texts))
    if name == "pathlib.Path.home":
        return Value(flowing, frozenset({"~"}))
    if method in _SAME_METHOD and "." in name:
        return Value(flowing, function.base)
    if method == "format":
        return Value(flowing, frozenset(re.sub(r"\{[^{}]*\}", HOLE, text) for text in function.base))
    if method == "join" and first.parts:
        return _joined(first.parts, function).with_labels(flowing)
    if method == "replace" and len(values) == 2 and first.texts and values[1].texts:
        old, new = next(iter(first.texts)), next(iter(values[1].texts))
        return Value(flowing, frozenset(text.replace(old, new) for text in function.base if old))
    return None


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return (HOLE,)


def started(name: str, values: list[Value], words: dict[str, Value]) -> tuple[tuple[tuple[str, ...], ...], bool]:
    """Return the lists of words that a call starts, or the shell texts, and whether they are texts."""
    method = name.rpartition(".")[2]
    position = 2 if method.startswith("spawn") and name.startswith("os.") else 0
    if name.startswith("os.") and method.rstrip("epl").endswith(("exec", "spawn")) and "l" in method[4:]:
        lists = lists_of(values[position + 1 :], [False] * len(values))
        return tuple(sorted(lists)), False
    if name.startswith("os.") and method[:4] in {"exec", "spaw", "posi"}:
        listed = next((value for value in values[1:] if value.argvs), Value())
        return tuple(sorted(listed.argvs)) or ((HOLE,),), False
    if method == "create_subprocess_exec":
        return tuple(sorted(lists_of(values, [bool(value.argvs) for value in values]))), False
    first = values[0] if values else next((words[key] for key in ("args", "command", "cmd") if key in words), Value())
    if first.argvs:
        return tuple(sorted(first.argvs)), False
    return tuple((text,) for text in sorted(first.texts)) or ((HOLE,),), True


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


def keyword(node: ast.Call, name: str) -> object:
    """The constant value of a keyword argument; None where it is not given, or not constant."""
    found = next((word.value for word in node.keywords if word.arg == name), None)
    return found.value if isinstance(found, ast.Constant) else None


def unverified(name: str, labels: frozenset[str], node: ast.Call) -> bool:
    """True for a call that reaches the network and does not verify whom it reaches."""
    method = name.rpartition(".")[2]
    reaches = bool(labels & {"net.send", "net.fetch"}) or method in _REACHES
    return reaches and any(keyword(node, word) is False for word in ("verify", "ssl", "verify_ssl", "check_hostname"))


def switches_off(target: ast.expr, value: ast.expr) -> bool:
    """True for `session.verify = False` and the like."""
    off = isinstance(value, ast.Constant) and value.value is False
    return off and isinstance(target, ast.Attribute) and target.attr in {"verify", "check_hostname", "verify_ssl"}


def loads_plain_data(name: str, node: ast.Call) -> bool:
    """True for a load that is told not to unpickle."""
    if name.startswith(("numpy.", "np.")):
        return keyword(node, "allow_pickle") is not True
    return keyword(node, "weights_only") is True


def is_text_of_name(node: ast.expr) -> bool:
    """True for `str(word)`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "str"
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Name)
    )


def is_environ(node: ast.expr) -> bool:
    """True for `os.environ`, whatever `os` is called."""
    return isinstance(node, ast.Attribute) and node.attr == "environ"


def is_reversed(node: ast.Slice) -> bool:
    """True for the slice that turns a text round."""
    return isinstance(node.step, ast.UnaryOp) and isinstance(node.step.op, ast.USub)
