"""How much memory the processes of a sandbox hold together, for machines where no control group can be made."""

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
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in os.scandir(proc):
        if entry.name.isdigit():
            parent = _parent(proc / entry.name)
            if parent is not None:
                children[parent].append(int(entry.name))
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        total += _private(proc / str(pid))
        waiting += children[pid]
    return total


def _parent(folder: Path) -> int | None:
    try:
        # The name is in brackets and may hold anything, brackets too.
        return int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None  # it ended meanwhile


def _private(folder: Path) -> int:
    try:
        _, resident, shared = (folder / "statm").read_text().split()[:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
