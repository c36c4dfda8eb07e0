"""Resolutions kept for machines that reach no package index and see the same cache: compute nodes of a cluster."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agentsys_sandbox.packages.lock import Lock, LockError, Wheel, parse_lock
from agentsys_sandbox.packages.resolve import Resolution
from agentsys_sandbox.spec import ExecResult, Outcome

_TRUE = ("1", "true", "yes", "on", "y", "t")


def offline(environment: Mapping[str, str]) -> bool:
    """True where uv is told to ask no index. Source: uv's reference, UV_OFFLINE."""
    return environment.get("UV_OFFLINE", "").lower() in _TRUE


def keep(folder: Path, key: str, found: Resolution) -> None:
    """Write down what was resolved, for the owner alone: its addresses may hold credentials of an index."""
    if found.lock is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "lock": found.lock.text,
        "wheels": [asdict(wheel) for wheel in found.lock.wheels],
        "project": asdict(found.project) if found.project is not None else None,
    }
    new = folder / f".{key}-{secrets.token_hex(4)}"
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(data, file)
    new.replace(folder / f"{key}.json")


def known(folder: Path, key: str) -> Resolution | None:
    """Return what was resolved for this very wish; None where nothing was, or it cannot be read."""
    try:
        data: dict[str, Any] = json.loads((folder / f"{key}.json").read_bytes())
        lock = Lock(parse_lock(data["lock"]).rows, tuple(Wheel(**each) for each in data["wheels"]))
        project = Wheel(**data["project"]) if data["project"] else None
    except (OSError, ValueError, KeyError, TypeError, LockError):
        return None
    return Resolution(ExecResult(Outcome.OK, 0, b"", b"", 0.0), lock, project)
