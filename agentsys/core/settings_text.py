"""From written text to values: durations, `--set` values, TOML files, `KEY=VALUE` files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, cast, get_args, get_origin

from agentsys.core.errors import UsageError
from agentsys.core.settings import Settings

FIELDS: tuple[str, ...] = tuple(Settings.model_fields)
DURATIONS = frozenset({"time_limit", "round_timeout", "full_seconds", "call_timeout", "claim_budget"})
"""Fields in seconds that may be written as `20m` or `1h30m`."""


def _types(name: str) -> set[object]:
    annotation = Settings.model_fields[name].annotation
    return set(get_args(annotation)) if get_origin(annotation) is UnionType else {get_origin(annotation) or annotation}


OPTIONAL = frozenset(name for name in FIELDS if NoneType in _types(name))
"""Fields that `none` clears."""
PATHS = frozenset(name for name in OPTIONAL if Path in _types(name))
"""Fields that hold the name of a file or folder, or nothing."""
TEXTS = frozenset(name for name in FIELDS if _types(name) & {str, Path, Literal})
"""Fields whose written value is text even if it looks like a number."""
TABLES = frozenset(name for name in FIELDS if dict in _types(name))
"""Fields that hold further keys."""
TEXT_TABLES = TABLES - {"model_params"}
"""Those whose values are text."""

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_FILE = 1 << 20


def duration(text: str) -> float:
    """Return the seconds of `90`, `90s`, `20m`, `2h` or `1h30m`.

    Raises: UsageError if it is none of these.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groups()):
        raise UsageError(f"`{text}` is not a duration", "write seconds, or a form such as `90s`, `20m`, `1h30m`")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def written_value(key: str, text: str) -> object:
    """Return the value that `text` stands for: a TOML value where it is one, otherwise the text itself."""
    head = key.partition(".")[0]
    if text.lower() == "none" and head in OPTIONAL:
        return None
    if head in TEXTS or head in TEXT_TABLES:
        return text
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    # A line break in the text could smuggle in further keys.
    return document["value"] if len(document) == 1 else text


def converted(key: str, value: object) -> object:
    """Turn durations and cleared values of any layer into what `Settings` takes."""
    if isinstance(value, str) and key in OPTIONAL and value.lower() == "none":
        return None
    if isinstance(value, str) and key in DURATIONS:
        return duration(value)
    return value


def read_toml(path: Path) -> dict[str, object]:
    """Read a configuration file and return its leaves by dotted key.

    Raises: UsageError if it cannot be read, or is not TOML.
    """
    try:
        return flatten(tomllib.loads(_text(path, "configuration file")))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"configuration file `{path}` is not valid TOML: {error}") from error


def flatten(tree: Mapping[str, object]) -> dict[str, object]:
    """Return the leaves by dotted key: tables are taken apart, lists and empty tables stay whole."""
    leaves: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            inner = flatten(cast("dict[str, object]", value))
            leaves |= {f"{key}.{rest}": leaf for rest, leaf in inner.items()}
        else:
            leaves[key] = value
    return leaves


def unflatten(leaves: Mapping[str, object]) -> dict[str, object]:
    """Build the tree again.

    Raises: UsageError if one key is both a value and a table.
    """
    tree: dict[str, object] = {}
    for key, value in leaves.items():
        *path, last = key.split(".")
        node = tree
        for part in path:
            inner = node.setdefault(part, {})
            if not isinstance(inner, dict):
                raise UsageError(f"setting `{key}` needs `{part}` to be a table, but it has a value")
            node = cast("dict[str, object]", inner)
        node[last] = value
    return tree


def read_env_file(path: Path) -> dict[str, str]:
    """Read `KEY=VALUE` lines as python-dotenv does: quotes, comments and `export`. `$NAME` in a value stays as it is.

    Raises: UsageError if the file cannot be read or a line is not of this form (its text is never shown).
    """
    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    for row in parse_stream(StringIO(_text(path, "environment file"))):
        name, value = row.key or "", row.value
        if row.error or (row.key is not None and (value is None or "\0" in value or not _VARIABLE.fullmatch(name))):
            raise UsageError(f"line {row.original.line} of environment file `{path}` is not of the form `KEY=VALUE`")
        if value is not None:
            values[name] = value
    return values


def _text(path: Path, kind: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_FILE + 1)
        if len(raw) > _MAX_FILE:
            raise UsageError(f"{kind} `{path}` is larger than 1 MiB")
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {kind} `{path}`: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{kind} `{path}` is not UTF-8 text") from error
