"""Configuration keys that a repaired file brings along: new ones only, in both profiles."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import yaml
from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from agentsys.core.files import write_atomic
from agentsys.core.paths import safe_path
from agentsys.llm.client import AnswerError
from agentsys.plan.generated import yaml_text
from agentsys.plan.traceability import has_key

PROFILES = ("full", "smoke")
MOST = 20
_BLOCK = re.compile(r"^(?P<fence>`{3,})config[ \t]*\n(?P<text>.*?)\n(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
_KEY = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


class Values(BaseModel):
    """One key's values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    full: object
    smoke: object


class Keys(RootModel[dict[str, Values]]):
    """Dotted key -> values."""


def split_keys(answer: str, repo: Path) -> tuple[str, dict[str, Values]]:
    """Return an answer without its block of configuration keys, and the keys.

    Raises: AnswerError for a block that cannot be read, or for keys that are there already.
    """
    found = _BLOCK.search(answer)
    if found is None:
        return answer, {}
    try:
        keys = Keys.model_validate(json.loads(found["text"])).root
    except (ValueError, ValidationError) as error:
        form = '{"training.momentum": {"full": 0.9, "smoke": 0.9}}'
        raise AnswerError(f"the block of configuration keys is not of the form {form}") from error
    if len(keys) > MOST or any(not _KEY.fullmatch(key) for key in keys):
        raise AnswerError(f"configuration keys are at most {MOST} names such as `training.momentum`")
    extended(repo, keys)
    return answer[: found.start()] + answer[found.end() :], keys


def extended(repo: Path, keys: Mapping[str, Values]) -> dict[str, str]:
    """Return the configuration files with these keys added, path to text.

    Raises: AnswerError where one is there already, or has no place.
    """
    texts: dict[str, str] = {}
    for profile in PROFILES if keys else ():
        path = f"configs/{profile}.yaml"
        config = _load(repo / path)
        for key, values in keys.items():
            _add(config, key, values.full if profile == "full" else values.smoke, path)
        texts[path] = yaml_text(config)
    return texts


def write_keys(repo: Path, keys: Mapping[str, Values]) -> None:
    """Add keys to both configurations."""
    for path, text in extended(repo, keys).items():
        write_atomic(safe_path(repo, path), text)


def _load(file: Path) -> dict[str, object]:
    try:
        found: object = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise AnswerError(f"`configs/{file.name}` cannot be read, so no key can be added") from error
    if not isinstance(found, dict):
        raise AnswerError(f"`configs/{file.name}` is no table, so no key can be added")
    return cast("dict[str, object]", found)


def _add(config: dict[str, object], key: str, value: object, path: str) -> None:
    if has_key(config, key):
        raise AnswerError(f"`{key}` is in `{path}` already; keys may be added, not changed")
    *above, last = key.split(".")
    table = config
    for part in above:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            raise AnswerError(f"`{key}` has no place in `{path}`: `{part}` is a value there")
        table = cast("dict[str, object]", inner)
    table[last] = value
