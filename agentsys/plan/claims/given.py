"""Claims that are handed in: a list of texts, a list of objects with a text, or an object from papers to such lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import yaml

from agentsys.core.errors import UsageError
from agentsys.core.text import clean_line
from agentsys.plan.claims.claim import MIN_TEXT
from agentsys_policies.rulebook import UniqueLoader

MAX_BYTES = 5_000_000
MAX_CLAIMS = 40
MAX_TEXT = 2000
"""Characters of one claim."""
_HINT = "give a list of texts, a list of objects with `text`, or an object from a paper's id to such a list"


def read_claims(file: Path, paper: Path, key: str = "") -> tuple[str, ...]:
    """Return the texts of the claims in a JSON or YAML file, in their order.

    Args:
        paper: the paper's file; in an object of papers, the entry with its name or stem is taken.
        key: id of the paper in such an object; empty looks for the file's name, or takes the only entry.

    Raises: UsageError for a file that cannot be read, holds no claims, or not those of this paper.
    """
    data = _parsed(file)
    if isinstance(data, dict):
        data = _of_paper(cast("dict[object, object]", data), file, paper, key)
    elif key:
        raise UsageError(f"`{file}` holds one list of claims and no papers", "leave `--paper-id` out")
    if not isinstance(data, list):
        raise UsageError(f"`{file}` holds no list of claims", _HINT)
    rows = cast("list[object]", data)
    if not 1 <= len(rows) <= MAX_CLAIMS:
        raise UsageError(f"`{file}` holds {len(rows)} claims", f"give 1 to {MAX_CLAIMS} claims of one paper")
    return tuple(_text(row, number, file) for number, row in enumerate(rows, 1))


def _parsed(file: Path) -> object:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise UsageError(f"`{file}` is larger than {MAX_BYTES // 1_000_000} MB", _HINT)
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"`{file}` is not UTF-8 text", _HINT) from error
    except OSError as error:
        raise UsageError(f"`{file}` cannot be read: {error.strerror or error}", "check the path") from error
    try:
        if file.suffix.lower() == ".json":
            return cast("object", json.loads(text, object_pairs_hook=_unique))
        return cast("object", yaml.load(text, Loader=UniqueLoader))
    except RecursionError as error:
        raise UsageError(f"`{file}` is nested too deeply", _HINT) from error
    except (ValueError, TypeError, yaml.YAMLError) as error:
        kind = "JSON" if file.suffix.lower() == ".json" else "YAML"
        raise UsageError(f"`{file}` is not {kind}: {clean_line(error)}", "correct the file") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key `{name}` stands twice")
        found[name] = value
    return found


def _of_paper(papers: Mapping[object, object], file: Path, paper: Path, key: str) -> object:
    by_name = {str(name): value for name, value in papers.items()}
    if key:
        if key in by_name:
            return by_name[key]
        raise UsageError(f"`{file}` has no paper `{clean_line(key, 60)}`", f"it has {_some(by_name)}")
    fitting = [name for name in (paper.name, paper.stem) if name in by_name]
    if fitting:
        return by_name[fitting[0]]
    if len(by_name) == 1:
        return next(iter(by_name.values()))
    raise UsageError(
        f"`{file}` holds the claims of {len(by_name)} papers, none called `{paper.stem}`",
        f"name one with `--paper-id`: it has {_some(by_name)}" if by_name else _HINT,
    )


def _some(names: Mapping[str, object]) -> str:
    shown = ", ".join(f"`{clean_line(name, 40)}`" for name in list(names)[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _text(row: object, number: int, file: Path) -> str:
    found = cast("dict[str, object]", row).get("text") if isinstance(row, dict) else row
    if not isinstance(found, str) or not found.strip():
        raise UsageError(f"claim {number} of `{file}` has no text", _HINT)
    text = clean_line(found, MAX_TEXT + 1)
    if len(text) < MIN_TEXT:
        raise UsageError(
            f"claim {number} of `{file}` is no sentence: “{text}”", "state what the paper claims, with its place"
        )
    if len(text) > MAX_TEXT:
        raise UsageError(
            f"claim {number} of `{file}` is longer than {MAX_TEXT} characters", "state it in a sentence or two"
        )
    return text
