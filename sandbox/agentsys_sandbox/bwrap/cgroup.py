"""Bounds on memory, processes and processors through control groups made by hand, where this process may make them.

Source: the kernel's admin guide, "Control Group v2" and "cgroup-v1/memory", "cgroup-v1/pids".
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentsys_sandbox.counters import Counters
from agentsys_sandbox.spec import Limits

_PERIOD = 100_000
OVERHEAD = 8
"""Processes of bubblewrap and the launcher themselves, which count against the limit."""
_CONTROLLERS = ("memory", "pids", "cpu", "cpuacct")
"""`cpuacct` counts processor time in version 1; in version 2 every group does."""
_ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; exec "$@"'


@dataclass(frozen=True)
class Cgroup:
    """A group of its own for one sandbox: a folder for each controller (version 1), or one for all (version 2)."""

    folders: dict[str, Path]

    def enter(self) -> list[str]:
        """Command prefix that moves itself into the group and then becomes the command."""
        files = [str(folder / "cgroup.procs") for folder in self._unique()]
        return ["/bin/sh", "-c", _ENTER, "sh", *files, "--"]

    def counters(self) -> Counters:
        """Totals of processes killed for memory and refused for number."""
        memory, pids = self.folders.get("memory"), self.folders.get("pids")
        kills = refused = 0
        if memory:
            kills = _field(memory / "memory.oom_control", "oom_kill") or _field(memory / "memory.events", "oom_kill")
        if pids:
            refused = _field(pids / "pids.events", "max")
        return Counters(kills, refused, self._cpu())

    def _cpu(self) -> float | None:
        counting = self.folders.get("cpuacct")
        if counting:
            return _number(counting / "cpuacct.usage") / 1e9
        files = [folder / "cpu.stat" for folder in self._unique() if (folder / "cpu.stat").is_file()]
        found = next((_field(file, "usage_usec") for file in files), 0)
        return found / 1e6 if found else None

    def seen(self) -> dict[str, int]:
        """The limits as the kernel has them now: bytes of memory, number of processes, processors in percent."""
        found: dict[str, int] = {}
        if folder := self.folders.get("memory"):
            found["memory"] = _number(folder / "memory.limit_in_bytes") or _number(folder / "memory.max")
        if folder := self.folders.get("pids"):
            found["pids"] = _number(folder / "pids.max")
        if folder := self.folders.get("cpu"):
            quota = _number(folder / "cpu.cfs_quota_us") or _number(folder / "cpu.max")
            found["cpu"] = quota * 100 // _PERIOD
        return {name: value for name, value in found.items() if value > 0}

    def processes(self) -> list[int]:
        """Process ids in the group now."""
        found: set[int] = set()
        for folder in self._unique():
            with contextlib.suppress(OSError):
                found |= {int(line) for line in (folder / "cgroup.procs").read_text().split()}
        return sorted(found)

    def kill(self) -> None:
        """Kill what is in the group."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def remove(self, patience: float = 10.0) -> bool:
        """Kill what is left and remove the folders; False where one stays.

        The kernel needs a moment to let go of dead processes: at most `patience` seconds are given to it.
        """
        deadline = time.monotonic() + patience
        for folder in self._unique():
            while folder.is_dir():
                self.kill()
                try:
                    folder.rmdir()
                except OSError:
                    if time.monotonic() > deadline:
                        break
                    time.sleep(0.01)
        return not any(folder.is_dir() for folder in self._unique())

    def _unique(self) -> list[Path]:
        return list(dict.fromkeys(self.folders.values()))


def create(name: str, limits: Limits) -> Cgroup | None:
    """Make a group with these limits; None where that is not allowed or no controller for memory is there."""
    for attempt in (_create_v2, _create_v1):
        made = attempt(name, limits)
        if made is not None:
            return made
    return None


def find(name: str) -> Cgroup:
    """The group of this name, wherever it was made; without folders where there is none."""
    found: dict[str, Path] = {}
    for mount, _, kind, options in _mounts():
        if kind == "cgroup2" or (kind == "cgroup" and set(options.split(",")) & set(_CONTROLLERS)):
            for folder, folders, _ in os.walk(mount):
                if name in folders:
                    path = Path(folder, name)
                    found[str(path)] = path
    return Cgroup(found)


def _create_v1(name: str, limits: Limits) -> Cgroup | None:
    parents = _own_v1()
    made = Cgroup({})
    for controller in _CONTROLLERS:
        if controller not in parents:
            continue
        folder = parents[controller] / name
        try:
            folder.mkdir()
            made.folders[controller] = folder
            _set_v1(controller, folder, limits)
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            made.folders.pop(controller, None)
    return made if made.folders else None


def _set_v1(controller: str, folder: Path, limits: Limits) -> None:
    if controller == "memory":
        (folder / "memory.limit_in_bytes").write_text(str(limits.memory))
        swap = folder / "memory.memsw.limit_in_bytes"
        if swap.exists():
            swap.write_text(str(limits.memory))
    elif controller == "pids":
        (folder / "pids.max").write_text(str(limits.pids + OVERHEAD))
    elif controller == "cpu":
        (folder / "cpu.cfs_period_us").write_text(str(_PERIOD))
        (folder / "cpu.cfs_quota_us").write_text(str(_quota(limits)))


def _create_v2(name: str, limits: Limits) -> Cgroup | None:
    for parent in _parents_v2():
        folder = parent / name
        try:
            available = (parent / "cgroup.controllers").read_text().split()
            if "memory" not in available:
                continue
            wanted = [each for each in _CONTROLLERS if each in available]
            (parent / "cgroup.subtree_control").write_text(" ".join(f"+{each}" for each in wanted))
            folder.mkdir()
        except OSError:
            continue
        try:
            _set_v2(folder, wanted, limits)
        except OSError:
            folder.rmdir()
            continue
        return Cgroup(dict.fromkeys(wanted, folder))
    return None


def _set_v2(folder: Path, controllers: list[str], limits: Limits) -> None:
    (folder / "memory.max").write_text(str(limits.memory))
    swap = folder / "memory.swap.max"
    if swap.exists():
        swap.write_text("0")
    if "pids" in controllers:
        (folder / "pids.max").write_text(str(limits.pids + OVERHEAD))
    if "cpu" in controllers:
        (folder / "cpu.max").write_text(f"{_quota(limits)} {_PERIOD}")


def _quota(limits: Limits) -> int:
    return max(1000, int(limits.cpus * _PERIOD))


def _own_v1() -> dict[str, Path]:
    """Controller -> the folder of the group that this process is in."""
    own: dict[str, str] = {}
    for line in _lines(Path("/proc/self/cgroup")):
        _, controllers, path = line.split(":", 2)
        own |= dict.fromkeys(controllers.split(","), path)
    found: dict[str, Path] = {}
    for mount, root, kind, options in _mounts():
        if kind == "cgroup":
            for controller in set(options.split(",")) & set(_CONTROLLERS):
                found[controller] = _below(mount, root, own.get(controller, "/"))
    return found


def _parents_v2() -> Iterator[Path]:
    own = next((line.split("::", 1)[1] for line in _lines(Path("/proc/self/cgroup")) if line.startswith("0::")), "/")
    for mount, root, kind, _ in _mounts():
        if kind == "cgroup2":
            # A group that holds processes cannot have limited groups below it, unless it is the root.
            yield from dict.fromkeys((_below(mount, root, own), mount))


def _below(mount: Path, root: str, own: str) -> Path:
    inside = own[len(root) :] if root != "/" and own.startswith(root) else own
    folder = mount / inside.lstrip("/")
    return folder if folder.is_dir() else mount


def _mounts() -> Iterator[tuple[Path, str, str, str]]:
    """Mount point, root within the file system, type, options of the file system (proc_pid_mountinfo(5))."""
    for line in _lines(Path("/proc/self/mountinfo")):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        yield Path(fields[4]), fields[3], kind[0], kind[-1]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _field(path: Path, key: str) -> int:
    for line in _lines(path):
        name, _, value = line.partition(" ")
        if name == key and value.isdigit():
            return int(value)
    return 0


def _number(path: Path) -> int:
    first = next(iter(_lines(path)), "").partition(" ")[0]
    return int(first) if first.isdigit() else 0
