"""Limits that the kernel does not enforce for this backend: looked at while a program runs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from agentsys_sandbox.bwrap.identity import PATH
from agentsys_sandbox.bwrap.memory import held_by
from agentsys_sandbox.bwrap.process import Stopped
from agentsys_sandbox.spec import Limits

_DISK_POLL = 3.0
_MEMORY_POLL = 0.25
_BUDGET_POLL = 1.0
_MOST_FILES = 2_000_000
"""Files and folders: empty ones take no bytes, but the host's file system runs out of entries."""


async def until_exceeded(
    pid: int, folder: Path, limits: Limits, *, memory: bool, spent: Callable[[], bool] | None = None
) -> Stopped:
    """Return once a limit is passed, and not before.

    Args:
        pid: bubblewrap's process id.
        folder: what counts against the limit on disk.
        memory: look at memory too, because no control group limits it.
        spent: says whether the program is over its budget of processor time.
    """
    next_disk = time.monotonic() + _DISK_POLL
    while True:
        await asyncio.sleep(_MEMORY_POLL if memory else _BUDGET_POLL if spent else _DISK_POLL)
        if spent and spent():
            return "timeout"
        if memory and held_by(pid) > limits.memory:
            return "memory"
        if time.monotonic() >= next_disk:
            if await _du("-B1", folder) > limits.disk or await _du("--inodes", folder) > _MOST_FILES:
                return "disk_limit"
            next_disk = time.monotonic() + _DISK_POLL


async def _du(unit: str, folder: Path) -> int:
    # du copes with trees deeper than any path may be long, and follows no links.
    process = await asyncio.create_subprocess_exec(
        *("du", "-s", "-x", unit, "--", str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": PATH, "LC_ALL": "C"},
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            process.kill()
        await process.wait()
        raise
    total = output.splitlines()[-1].split(b"\t")[0] if output else b"0"
    return int(total) if total.isdigit() else 0
