"""Folders for work under way, which do no harm when their owner is killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

_NEW, _WORK = ".new-", ".work-"
"""What names of folders begin with: until they are locked, and from then on."""


@contextmanager
def scratch(store: Path) -> Generator[Path]:
    """A new folder below `store`, removed at the end, unless it was renamed away before.

    It is locked while it is in use, so that `abandoned` can tell it from one whose owner was killed. Raises: OSError.
    """
    if not store.is_dir():
        store.mkdir(parents=True, exist_ok=True)
        store.chmod(0o755)
    folder, handle = _locked(store)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def abandoned(store: Path) -> list[Path]:
    """Folders below `store` whose owners are gone; one that its owner had not begun to use is removed here."""
    for folder in store.glob(f"{_NEW}*"):
        with suppress(OSError), _lock(folder, fcntl.LOCK_NB):
            folder.rmdir()
    found: list[Path] = []
    for folder in store.glob(f"{_WORK}*"):
        with suppress(OSError), _lock(folder, fcntl.LOCK_NB):  # removed by somebody else, or in use: both are well
            found.append(folder)
    return sorted(found)


@contextmanager
def _lock(folder: Path, more: int) -> Generator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | more)
        yield
    finally:
        os.close(handle)


def _locked(store: Path) -> tuple[Path, int]:
    """A new folder, which bears the name that a sweep looks for only when it is locked."""
    while True:
        new = Path(tempfile.mkdtemp(prefix=_NEW, dir=store))
        with suppress(FileNotFoundError):  # a sweep took it between the steps
            handle = os.open(new, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                folder = new.rename(store / f"{_WORK}{new.name.removeprefix(_NEW)}")
                folder.chmod(0o755)
            except BaseException:
                os.close(handle)
                raise
            return folder, handle
