"""Reads files of a run that untrusted code may have written: regular, small, inside, or not at all."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)
MAX_BYTES = 4 << 20
MAX_FILES = 20_000


class Problems(list[str]):
    """What could not be read, for the report to say so."""


def read_bytes(path: Path, problems: Problems, limit: int = MAX_BYTES) -> bytes | None:
    """Return the content of a regular file that is no link; None, with a word in `problems`, where it is anything else.

    An absent file is no problem: a run may have ended before it was written.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        problems.append(f"cannot read {path.name}: {error.strerror}")
        return None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            problems.append(f"{path.name} is no regular file")
            return None
        if status.st_size > limit:
            problems.append(f"{path.name} is larger than {limit >> 20} MiB")
            return None
        return file.read(limit)


def read_text(path: Path, problems: Problems, limit: int = MAX_BYTES) -> str:
    """Return a text file's content, invalid UTF-8 replaced; empty where there is none."""
    return (read_bytes(path, problems, limit) or b"").decode("utf-8", errors="replace")


def read_model(path: Path, model: type[M], problems: Problems) -> M | None:
    """Return a stored object; None where it is absent or does not fit its schema."""
    raw = read_bytes(path, problems)
    if raw is None:
        return None
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        problems.append(f"{path.parent.name}/{path.name} does not fit its schema: {place} {fault['msg']}".strip())
        return None


def read_json(path: Path, problems: Problems) -> object:
    """Return a JSON value; None where it is absent or broken."""
    raw = read_bytes(path, problems)
    if raw is None:
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        problems.append(f"{path.name} is not valid JSON: {type(error).__name__}")
        return None


def walk_files(root: Path) -> Iterator[Path]:
    """Yield the regular files below `root`, without `.git` and links, sorted within each folder."""
    seen = 0
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name != ".git")
        for name in sorted(files):
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                seen += 1
                if seen > MAX_FILES:
                    return
                yield path
