"""Folders of bubblewrap sandboxes whose owner is gone: kill -9 ends the processes inside, but leaves the files."""

from __future__ import annotations

import json
import os
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

from agentsys_sandbox.bwrap import cgroup as bwrap_cgroup
from agentsys_sandbox.bwrap.identity import PATH
from agentsys_sandbox.cachedir import shared_dir
from agentsys_sandbox.errors import SandboxError
from agentsys_sandbox.image import rootfs
from agentsys_sandbox.labels import RUN, Leftover, abandoned

OWNER_FILE = "owner.json"
_KILLED = 5
"""Times a removal is begun that a signal ended."""


def sandboxes_dir() -> Path:
    """Where the folders of all sandboxes lie. Raises: Unavailable."""
    return shared_dir() / "sandboxes"


def write_owner(folder: Path, labels: dict[str, str]) -> None:
    """Say in a sandbox's folder whose it is, before anything else is made for it."""
    (folder / OWNER_FILE).write_text(json.dumps(labels), encoding="utf-8")


def leftovers(now: float | None = None) -> list[Leftover]:
    """Sandboxes whose owner is gone or whose time is over. Raises: Unavailable.

    Args:
        now: seconds since the epoch; None takes the clock.
    """
    found: list[Leftover] = []
    folder = sandboxes_dir()
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        labels = _labels(path)
        reason = abandoned(labels, time.time() if now is None else now)
        if reason:
            found.append(Leftover("bwrap", "folder", path.name, labels.get(RUN, ""), reason, partial(_remove, path)))
    return found


def _remove(folder: Path) -> None:
    """Remove a sandbox's folder with its control group. Raises: SandboxError where something stays."""
    # The folder goes last: while it is there, the next attempt finds the rest by its name.
    if not bwrap_cgroup.find(folder.name).remove():
        raise SandboxError(f"the control group of `{folder.name}` cannot be removed", "try again in a minute")
    remove_tree(folder)


def outdated() -> list[Leftover]:
    """Base file systems of earlier recipes. Raises: SandboxError."""
    reason = "of an earlier recipe"
    return [
        Leftover("bwrap", "base folder", each.name, "", reason, partial(remove_tree, each), outdated=True)
        for each in rootfs.outdated()
    ]


def remove_tree(folder: Path) -> None:
    """Remove a folder that untrusted code has shaped: any depth, any modes, no link followed.

    Raises: SandboxError where something stays.
    """
    if _rm(folder) and os.geteuid() != 0:
        # Folders without rights for their owner.
        subprocess.run(
            ["chmod", "-R", "u+rwX", "--", str(folder)], capture_output=True, check=False, env={"PATH": PATH}
        )
        _rm(folder)
    if folder.exists():
        raise SandboxError(f"`{folder}` cannot be removed completely", "remove it by hand")


def _rm(folder: Path) -> bool:
    """True if something is left."""
    argv = ["rm", "-rf", "--one-file-system", "--", str(folder)]
    for _ in range(_KILLED):
        done = subprocess.run(argv, capture_output=True, check=False, env={"PATH": PATH})
        if done.returncode >= 0:  # not ended by a signal: a cluster sends its own to every process of a job
            break
    return folder.exists()


def _labels(folder: Path) -> dict[str, str]:
    try:
        found: Any = json.loads((folder / OWNER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
