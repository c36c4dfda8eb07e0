"""What the processes of a sandbox use together, for machines where no control group can be made."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path


def held_by(root: int, proc: Path = Path("/proc")) -> int:
    """Bytes of private memory of a process and all of its descendants.

    Whoever is orphaned in a process namespace becomes a child of the namespace's first process, so nobody escapes the
    count. Shared memory is left out: its file system has a size of its own. Sources: proc_pid_statm(5) and
    proc_pid_stat(5).
    """
    return sum(_private(proc / str(pid)) for pid in _family(root, proc))


def used_by(root: int, proc: Path = Path("/proc")) -> float:
    """CPU seconds of a process and all of its descendants, those that were waited for included."""
    ticks = 0
    for pid in _family(root, proc):
        fields = _fields(proc / str(pid))
        ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    return ticks / os.sysconf("SC_CLK_TCK")


def _family(root: int, proc: Path) -> list[int]:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in os.scandir(proc):
        if entry.name.isdigit():
            fields = _fields(proc / entry.name)
            if fields:
                children[int(fields[1])].append(int(entry.name))
    found, waiting = list[int](), [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children[pid]
    return found


def _fields(folder: Path) -> list[str]:
    """The fields after the name of proc_pid_stat(5); none where the process ended meanwhile."""
    try:
        # The name is in brackets and may hold anything, brackets too.
        return (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _private(folder: Path) -> int:
    try:
        _, resident, shared = (folder / "statm").read_text().split()[:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
