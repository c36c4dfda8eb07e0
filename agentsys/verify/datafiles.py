"""Data that a larger run needs: a folder of the user's, copied into the sandbox's repository as `data/`."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentsys.core.errors import UnsafePath, UsageError
from agentsys.core.paths import clean_name
from agentsys_sandbox.base import REPO, WORK, Sandbox

DATA = "data"
"""Where the files appear in the repository."""
MAX_FILES = 20_000
MAX_BYTES = 4 << 30
CHUNK = 16 << 20
"""Bytes that are handed to the sandbox at once: the process holds a few times as much."""
_PART = f"{WORK}/agentsys-part"
_JOIN = 'mkdir -p -- "$(dirname -- "$2")" && cat -- "$1" >> "$2"'
_SEAL = ("find", DATA, "-type", "f", "-exec", "chmod", "a-w", "{}", "+")


@dataclass(frozen=True)
class DataFolder:
    """The regular files of a folder. Links are not followed, and counted in `skipped`."""

    root: Path
    files: tuple[tuple[str, int], ...]
    """Path below `root` and size in bytes."""
    skipped: int = 0

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files)

    @property
    def words(self) -> str:
        """What was found, for a reader."""
        left = f"; {self.skipped} links and other special files left out" if self.skipped else ""
        return f"{len(self.files)} files, {self.size / 1e6:.1f} MB from {self.root}{left}"


def read_folder(root: Path) -> DataFolder:
    """List the files of a folder.

    Raises: UsageError where it is no folder, holds nothing, more than MAX_FILES files or MAX_BYTES bytes, or a name
    that does not fit into the sandbox.
    """
    if not root.is_dir():
        raise UsageError(f"`{root}` is not a folder", "name the folder whose files shall appear as `data/`")
    found: list[tuple[str, int]] = []
    skipped = 0
    for path in _walk(root):
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            skipped += 1
            continue
        found.append((_name(path.relative_to(root).as_posix()), status.st_size))
        if len(found) > MAX_FILES:
            raise UsageError(f"`{root}` has more than {MAX_FILES} files", "name a smaller folder, or pack the files")
    folder = DataFolder(root, tuple(found), skipped)
    if not found:
        raise UsageError(f"`{root}` holds no file", "name the folder whose files shall appear as `data/`")
    if folder.size > MAX_BYTES:
        raise UsageError(f"`{root}` holds {folder.size >> 20} MiB, more than {MAX_BYTES >> 20} MiB", "leave some out")
    return folder


async def place(folder: DataFolder, sandbox: Sandbox) -> str:
    """Copy the files to `data/` of the repository in the sandbox, read-only there; return a hash of all of them.

    Raises: UsageError where a file cannot be read or was changed meanwhile; sandbox errors.
    """
    total = hashlib.sha256()
    batch: dict[str, bytes] = {}
    for name, size in folder.files:
        digest = hashlib.sha256()
        sent = 0
        for chunk in _chunks(folder.root / name):
            digest.update(chunk)
            sent += len(chunk)
            if sent > size:
                break
            if size <= CHUNK:
                batch[f"{DATA}/{name}"] = chunk
            else:
                await _append(sandbox, chunk, f"{REPO}/{DATA}/{name}")
        if sent != size:
            raise UsageError(f"`{folder.root / name}` was changed while it was read", "try again")
        if size == 0:
            batch[f"{DATA}/{name}"] = b""
        total.update(f"{name}\0{digest.hexdigest()}\0".encode())
        if sum(map(len, batch.values())) > CHUNK:
            await sandbox.write_files(batch)
            batch.clear()
    await sandbox.write_files(batch)
    await _done(sandbox, _SEAL)
    return total.hexdigest()


async def _append(sandbox: Sandbox, chunk: bytes, target: str) -> None:
    await sandbox.write_files({"part": chunk}, root=_PART)
    await _done(sandbox, ("sh", "-c", _JOIN, "sh", f"{_PART}/part", target))


async def _done(sandbox: Sandbox, argv: tuple[str, ...]) -> None:
    result = await sandbox.exec(argv)
    if not result.ok:
        said = " ".join(result.text().split())[:200]
        raise UsageError(f"the data could not be put into the sandbox: {said or result.outcome.value}")


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root, followlinks=False):
        folders.sort()
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*names, *links]):
            yield Path(folder) / name


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from error


def _name(name: str) -> str:
    try:
        clean = clean_name(name)
    except UnsafePath as error:
        raise UsageError(f"`{name[:100]}` cannot be put into the sandbox: {error.message}", "rename it") from error
    if clean != name:
        raise UsageError(f"`{name[:100]}` cannot be put into the sandbox under its name", "rename it")
    return name
