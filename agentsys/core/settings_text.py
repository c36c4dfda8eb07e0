"""From written text to values: durations, `--set` values, TOML files, `KEY=VALUE` files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from agentsys.core.errors import UsageError
from agentsys.core.settings import Settings

DURATIONS = frozenset({"time_limit", "round_timeout", "call_timeout"})
"""Fields in seconds that may be written as `20m` or `1h30m`."""
PATHS = frozenset({"replay", "source", "nougat_model"})
"""Fields that hold the name of a file or folder, or nothing."""
TEXTS = PATHS | {
    "model",
    "provider",
    "base_url",
    "vision",
    "reader",
    "backend",
    "image",
    "index_gateway",
    "runtime",
    "policy",
    "display",
    "stop_after",
}
"""Fields whose written value is text even if it looks like a number."""
OPTIONAL = PATHS | {"budget", "max_tokens", "time_limit"}
"""Fields that `none` clears."""
FIELDS: tuple[str, ...] = tuple(Settings.model_fields)
TABLES = frozenset({"model_params", "agent_models"})
"""Fields that hold further keys."""

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")
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
    if head in TEXTS or head == "agent_models":
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
    return flatten(_parse_toml(path))


def _parse_toml(path: Path) -> dict[str, object]:
    try:
        raw = path.read_bytes()
        if len(raw) > _MAX_FILE:
            raise UsageError(f"configuration file `{path}` is larger than 1 MiB")
        return tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read configuration file `{path}`: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"configuration file `{path}` is not UTF-8 text") from error
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
    """Read `KEY=VALUE` lines; `#` starts a comment line, `export` and one pair of quotes are taken off.

    Raises: UsageError if the file cannot be read or a line is not of this form (its text is never shown).
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"cannot read environment file `{path}`: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"environment file `{path}` is not UTF-8 text") from error
    values: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = re.fullmatch(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*", line)
        if match is None:
            raise UsageError(f"line {number} of environment file `{path}` is not of the form `KEY=VALUE`")
        value = match[2]
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        values[match[1]] = value
    return values
