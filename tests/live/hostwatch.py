"""What the host looks like before and after a test: a canary that nothing may touch, and whatever was left behind."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agentsys_sandbox.base import SandboxError
from agentsys_sandbox.bwrap import reap as bwrap_reap
from agentsys_sandbox.docker.endpoints import docker as connect
from agentsys_sandbox.labels import RUN

SETTINGS = ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/etc/passwd", "/etc/hosts")
KEEPER_UID = 65534
_SETTLE = 10.0


@dataclass
class Canary:
    """Files that everybody on this machine may change, a process, and settings of the kernel; none of it may change."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="canary-", dir="/tmp")))

    def __post_init__(self) -> None:
        self.folder.chmod(0o777)
        for name, mode in (("open.txt", 0o666), ("private.txt", 0o600), ("run.sh", 0o777)):
            (self.folder / name).write_text(f"canary {name}")
            (self.folder / name).chmod(mode)
        (self.folder / "link").symlink_to("open.txt")
        # It ends by itself when these tests are killed, because its input ends.
        self.process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        self.before = self._look()

    def changes(self) -> list[str]:
        """What is not as it was."""
        now = self._look()
        return sorted(name for name in {*now, *self.before} if now.get(name) != self.before.get(name))

    def _look(self) -> dict[str, object]:
        found: dict[str, object] = {name: Path(name).read_bytes() for name in SETTINGS}
        for path in (self.folder, *self.folder.iterdir()):
            stat = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (stat.st_ino, stat.st_mode, stat.st_uid, stat.st_size, stat.st_mtime_ns, content)
        return found | {"process": self.process.poll()}

    def remove(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.folder)


def left_behind(run: str) -> list[str]:
    """Everything of a run that is still there, on all backends: what a test asserts to be empty at its end."""
    return settled(lambda: [*on_engine(run), *on_disk(run), *processes(run)])


def settled(look: Callable[[], list[str]]) -> list[str]:
    """The empty list as soon as there is one; else what is there after some seconds: ends take a moment to be seen."""
    deadline = time.monotonic() + _SETTLE
    while found := look():
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return found


def on_engine(run: str) -> list[str]:
    """Containers, volumes and networks; none where no engine answers."""
    try:
        engine = connect()
    except SandboxError:
        return []
    try:
        label = f"{RUN}={run}"
        found = [f"container {each.name}" for each in engine.containers(label)]
        found += [f"volume {each.name}" for each in engine.volumes(label)]
        return found + [f"network {each['Name']}" for each in engine._api.networks(filters={"label": label})]
    finally:
        engine.close()


def on_disk(run: str) -> list[str]:
    """Folders and control groups of bubblewrap sandboxes, and folders of environments that are in use."""
    name = f"agentsys-{run[:40]}-"
    place = bwrap_reap.sandboxes_dir()
    found = [f"folder {each}" for each in (place.iterdir() if place.is_dir() else ()) if each.name.startswith(name)]
    for folder, folders, _ in os.walk("/sys/fs/cgroup"):
        found += [f"control group {folder}/{each}" for each in folders if each.startswith(name)]
    return found + [f"folder {each}" for each in Path(tempfile.gettempdir()).glob(f"packages-{run}/*/.work-*")]


def processes(run: str, *, keeper: bool = True) -> list[str]:
    """Processes of this machine that have the work folder of a sandbox of this run mounted, in whatever container.

    Args:
        keeper: count the first process of a container too.
    """
    mark = f"/agentsys-{run[:40]}-".encode()
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark not in (entry / "mountinfo").read_bytes():
                continue
            if keeper or entry.stat().st_uid != KEEPER_UID:
                found.append(f"process {entry.name} {(entry / 'cmdline').read_bytes()[:120]!r}")
        except OSError:
            continue  # it ended, or belongs to another user
    return found
