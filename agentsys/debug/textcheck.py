"""Does a file's text parse as what its name says? Asked before anything is accepted from a model."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
import warnings
from collections.abc import Callable, Iterable
from typing import cast

import yaml

from agentsys.core.errors import EditError

MAX_BYTES = 1 << 20
"""Largest file that is accepted, in bytes."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MARKER = re.compile(r"^(<{7} SEARCH|>{7} REPLACE)\s*$", re.MULTILINE)


def check_text(path: str, text: str) -> None:
    """Accept `text` as the content of `path`.

    Python must compile, JSON, TOML and YAML must parse, shell scripts must pass `bash -n` where bash exists. Nothing of
    the text is run.

    Raises: EditError with the place and the fault, fit to be sent back to the model.
    """
    data = _encode(path, text)
    if len(data) > MAX_BYTES:
        raise EditError(f"`{path}` has {len(data)} bytes; at most {MAX_BYTES} are accepted")
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        raise EditError(f"`{path}` line {line} holds the control character {ord(control[0]):#04x}")
    if _MARKER.search(text):
        raise EditError(f"`{path}` still holds a SEARCH or REPLACE marker")
    check = _CHECKS.get(path.rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else "")
    if check:
        check(path, text)


def _encode(path: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise EditError(f"`{path}` holds characters that are no text (lone surrogates)") from error


def _python(path: str, text: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        shown = (error.text or "").strip()[:120]
        raise EditError(f"`{path}` line {error.lineno} is not valid Python: {error.msg}: `{shown}`") from error
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise EditError(f"`{path}` is not valid Python: {error}") from error


def _data(kind: str, parse: Callable[[str], object], *faults: type[Exception]) -> Callable[[str, str], None]:
    def check(path: str, text: str) -> None:
        try:
            parse(text)
        except (*faults, RecursionError) as error:
            raise EditError(f"`{path}` is not valid {kind}: {' '.join(str(error).split())}") from error

    return check


def _events(text: str) -> None:
    """Read YAML without building values: aliases multiply them."""
    parse = cast("Callable[..., Iterable[object]]", yaml.parse)  # type: ignore[reportUnknownMemberType]
    for _ in parse(text, Loader=yaml.SafeLoader):
        pass


def _shell(path: str, text: str) -> None:
    """`bash -n` reads a script without running it; its environment is empty, so no start-up file is read."""
    try:
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-n"], input=text.encode(), capture_output=True, timeout=10,
            check=False, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    except FileNotFoundError:
        return
    except subprocess.TimeoutExpired as error:
        raise EditError(f"`{path}` could not be read by bash") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().replace("bash: ", "")[:300]
        raise EditError(f"`{path}` is not valid shell: {said}")


_JSON = _data("JSON", json.loads, json.JSONDecodeError)
_YAML = _data("YAML", _events, yaml.YAMLError)
_CHECKS: dict[str, Callable[[str, str], None]] = {
    "py": _python,
    "pyi": _python,
    "json": _JSON,
    "ipynb": _JSON,
    "toml": _data("TOML", tomllib.loads, tomllib.TOMLDecodeError),
    "yaml": _YAML,
    "yml": _YAML,
    "sh": _shell,
    "bash": _shell,
}
