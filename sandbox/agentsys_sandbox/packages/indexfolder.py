"""The private folder of a package index gateway, and those that killed owners left behind."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from agentsys_sandbox.base import SandboxError
from agentsys_sandbox.labels import abandoned, labels

PREFIX = "agentsys-index-"
OWNER_FILE = "owner.json"
_TTL = 24 * 3600.0
_LONGEST_SOCKET_PATH = 107  # sun_path in unix(7), without the terminating zero
_FALLBACK = "/tmp"


def make(socket_name: str, group: int | None) -> Path:
    """A new folder that only the owner (and `group`) can enter, with the socket's folder in it. Raises: OSError."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    if len(str(folder / "socket" / socket_name)) > _LONGEST_SOCKET_PATH:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_FALLBACK))
    (folder / OWNER_FILE).write_text(json.dumps(labels("index", _TTL)), encoding="utf-8")
    # The folder above is the lock on the door: a mount of the inner one does not pass through it.
    (folder / "socket").mkdir()
    (folder / "socket").chmod(0o755)
    if group is not None:
        os.chown(folder, -1, group)
        folder.chmod(0o710)
    return folder


def leftovers(now: float | None = None) -> list[tuple[Path, str]]:
    """Folders of this user whose owner is gone, with the reason.

    Args:
        now: seconds since the epoch; None takes the clock.
    """
    moment = time.time() if now is None else now
    places = {Path(tempfile.gettempdir()), Path(_FALLBACK)}
    found = [folder for place in places for folder in place.glob(f"{PREFIX}*") if _ours(folder)]
    judged = [(folder, abandoned(_labels(folder), moment)) for folder in sorted(found)]
    return [(folder, reason) for folder, reason in judged if reason]


def remove(folder: Path) -> None:
    """Remove one; the sandbox never writes to it. Raises: SandboxError where something stays."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise SandboxError(f"`{folder}` cannot be removed completely", "remove it by hand")


def _ours(folder: Path) -> bool:
    # Anybody may make a folder of this name in the temporary folder.
    try:
        return not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _labels(folder: Path) -> dict[str, str]:
    try:
        found: Any = json.loads((folder / OWNER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
