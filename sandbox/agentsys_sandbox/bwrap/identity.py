"""Under which uid of the host bubblewrap runs: as root it is no sandbox, so root is given up for an unused uid."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentsys_sandbox.errors import Unavailable

# Below the range of systemd's dynamic users (61184 to 65519) and above that of homes; nobody else assigns these.
_UIDS = range(61000, 61184)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs of the host are looked for; never the caller's PATH."""


@dataclass(frozen=True)
class Identity:
    """Uid and gid on the host, and the command that takes them on."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    @property
    def dropped(self) -> bool:
        """True where it is another one than the caller's."""
        return bool(self.prefix)


@contextmanager
def identity(locks: Path) -> Generator[Identity]:
    """The caller's own identity; for root one that nobody else uses until the end of the block.

    Args:
        locks: a folder for lock files, one for each uid; made if need be.

    Raises:
        Unavailable: root, and no uid is free or `setpriv` is missing.
    """
    if os.geteuid() != 0:
        yield Identity(os.geteuid(), os.getegid())
        return
    setpriv = shutil.which("setpriv", path=PATH)
    if setpriv is None:
        raise Unavailable("bubblewrap must not run as root, and `setpriv` is missing", "install `util-linux`")
    locks.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, uid = _claim(locks)
    with os.fdopen(handle, "w"):
        yield Identity(uid, uid, (setpriv, f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--inh-caps=-all"))


def _claim(locks: Path) -> tuple[int, int]:
    used = _used()
    for uid in _UIDS:
        if uid in used or _named(uid):
            continue
        handle = os.open(locks / str(uid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        return handle, uid
    raise Unavailable(
        f"no uid from {_UIDS.start} to {_UIDS.stop - 1} is free to run untrusted code under",
        "close other sandboxes, or run agentsys as an ordinary user",
    )


def _named(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _used() -> set[int]:
    """Uids that processes run under now."""
    found: set[int] = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                found.add(entry.stat().st_uid)
            except OSError:
                continue  # it ended meanwhile
    return found


def tasks_of(uid: int) -> int:
    """Threads that run under a uid now; the limit on processes counts them all."""
    count = 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                count += len(os.listdir(f"/proc/{entry.name}/task"))  # noqa: PTH208
        except OSError:
            continue
    return count
