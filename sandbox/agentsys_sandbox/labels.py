"""Labels on containers, volumes and folders: whose they are, until when, and so what is left over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

RUN = "agentsys.run"
PID = "agentsys.pid"
PID_START = "agentsys.pid-start"
OWNER = "agentsys.owner"
STARTED = "agentsys.started"
TTL = "agentsys.ttl"
SANDBOX = "agentsys.sandbox"
CPUS = "agentsys.cpus"
MEMORY = "agentsys.memory"
GPU = "agentsys.gpu"
CACHE_LABEL = "agentsys.cache"
"""On volumes that outlived their run; earlier versions kept downloads in one."""


@dataclass(frozen=True)
class Leftover:
    """Something to remove, and why. `kind` is `container`, `volume`, `folder`, `image` or `base folder`."""

    backend: str
    kind: str
    name: str
    run: str
    reason: str
    remove: Callable[[], None]
    """Blocks. What is gone by then is no error. Raises: SandboxError."""
    outdated: bool = False
    """A base of an earlier recipe: it goes only where somebody asks for that."""


def labels(run: str, ttl: float) -> dict[str, str]:
    """Labels of everything that a sandbox of this process makes.

    Args:
        run: id of the run.
        ttl: seconds after which others may remove it, where they cannot tell whether its owner lives.
    """
    pid = os.getpid()
    return {
        RUN: run,
        PID: str(pid),
        PID_START: process_start(pid) or "",
        OWNER: machine(),
        STARTED: f"{time.time():.0f}",
        TTL: f"{ttl:.0f}",
    }


def process_start(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat); None where there is none.

    A process id alone is used again; together with its start time it names one process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()
    return after_name[19] if len(after_name) > 19 else None


def machine() -> str:
    """This boot of this machine, and the namespace that its process ids are counted in.

    An engine can be shared: a process id means nothing to another machine, or in another container.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return "unknown"


def abandoned(found: Mapping[str, str], now: float) -> str:
    """Say why something with these labels may be removed; empty where it is still in use.

    Where the owner is a process that we can look for, only that counts: a run may well take longer than it thought. The
    time to live is for owners on another machine, or in another container.

    Args:
        found: the labels.
        now: seconds since the epoch.
    """
    try:
        over = now > float(found[STARTED]) + float(found[TTL])
        pid = int(found[PID])
    except (KeyError, ValueError):
        return ""  # not ours, or of another version: leave it alone
    if found.get(OWNER) == machine() != "unknown":
        return "" if process_start(pid) == found.get(PID_START) else f"its owner, process {pid}, is gone"
    return "its time to live is over" if over else ""
