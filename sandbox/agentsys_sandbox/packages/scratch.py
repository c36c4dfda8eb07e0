"""Folders for work under way, which do no harm when their owner is killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path


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
    """Folders below `store` whose owners are gone."""
    found: list[Path] = []
    for folder in store.glob(".work-*"):
        with suppress(OSError):  # removed by somebody else, or in use: both are well
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found.append(folder)
            finally:
                os.close(handle)
    return sorted(found)


def _locked(store: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=".work-", dir=store))
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if folder.is_dir():  # else a sweep took it between the two steps
            folder.chmod(0o755)
            return folder, handle
        os.close(handle)
