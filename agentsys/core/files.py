"""Atomic writes, and hashes of bytes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

from pydantic import BaseModel


def write_atomic(path: Path, data: bytes | str, *, durable: bool = True) -> None:
    """Write `data` to `path` so that a reader, or a crash, sees the old file or the new one, never a part.

    Args:
        durable: wait until the data is on the disk, against a loss of power. What can be made again from files that
            are durable (a model's stored answer) need not wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = data.encode() if isinstance(data, str) else data
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, data: object) -> None:
    """Write plain values or a pydantic model as indented JSON, like `write_atomic`."""
    model = isinstance(data, BaseModel)
    text = data.model_dump_json(indent=1) if model else json.dumps(data, indent=1, ensure_ascii=False)
    write_atomic(path, text + "\n")


_UNFINISHED = re.compile(r"\..{1,40}\.[a-z0-9_]{8}\.tmp")


def sweep(folder: Path, *, spared: str = "") -> None:
    """Remove the unfinished files of `write_atomic` that a killed process left below `folder`.

    Args:
        spared: name of folders in which others may be writing.
    """
    for file in folder.rglob(".*.tmp"):
        writing = spared in file.relative_to(folder).parts[:-1]
        if _UNFINISHED.fullmatch(file.name) and not file.is_symlink() and not writing:
            file.unlink(missing_ok=True)


def sha256_bytes(data: bytes | str) -> str:
    """Return the SHA-256 of bytes, or of a text's UTF-8, as hexadecimal."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()
