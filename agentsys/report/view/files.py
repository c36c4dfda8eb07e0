"""Files of a run for readers of its page: below the run, regular, no link on the way, and never more than a part."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

PART = 64 << 10
"""Bytes of one page of a file."""
NUMBERED = 256 << 10
"""Bytes up to which a file is shown whole, with numbers before its lines."""
PNG = b"\x89PNG\r\n\x1a\n"
MAX_PICTURE = 8 << 20
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_FOLDERS = (".git", "__pycache__")


class NotThere(LookupError):
    """There is no such thing in this run, or it may not be shown."""


@dataclass(frozen=True)
class Part:
    """A part of a text file: the bytes from `at` up to `end`."""

    text: str
    at: int
    end: int
    size: int
    binary: bool = False

    @property
    def whole(self) -> bool:
        return self.at == 0 and self.end == self.size

    @property
    def before(self) -> int | None:
        """Where the part before begins; None for the first."""
        return max(self.at - PART, 0) if self.at else None

    @property
    def after(self) -> int | None:
        """Where the part after begins; None for the last."""
        return self.end if self.end < self.size else None

    @property
    def last(self) -> int:
        """Where the last part begins."""
        return max(self.size - PART, 0)


def open_inside(root: Path, name: str) -> BinaryIO:
    """Open a regular file below `root` for reading; neither it nor a folder on the way to it may be a link.

    Raises: NotThere.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or any(part in ("..", ".git") for part in parts):
        raise NotThere(name)
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts[:-1]:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                inner = os.open(part, flags, dir_fd=folder)
                os.close(folder)
                folder = inner
            handle = os.open(parts[-1], _PLAIN, dir_fd=folder)
        finally:
            os.close(folder)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise NotThere(name) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotThere(name)
    return os.fdopen(handle, "rb")


def read_inside(root: Path, name: str, limit: int) -> bytes:
    """Return the first `limit` bytes of a file below `root`. Raises: NotThere."""
    with open_inside(root, name) as file:
        return file.read(limit)


def read_part(root: Path, name: str, at: int = 0, length: int = PART) -> Part:
    """Return about `length` bytes of a text file from `at`, from the start of a line to the end of one.

    Raises: NotThere.
    """
    with open_inside(root, name) as file:
        size = os.fstat(file.fileno()).st_size
        at = min(max(at, 0), max(size - 1, 0))
        file.seek(max(at - 1, 0))
        raw = file.read(length + 1)
    if at:
        before, raw = raw[:1], raw[1:]
        skipped = 0 if before == b"\n" else raw.find(b"\n") + 1
        at, raw = at + skipped, raw[skipped:]
    else:
        raw = raw[:length]
    if at + len(raw) < size and (cut := raw.rfind(b"\n") + 1):
        raw = raw[:cut]
    return Part(raw.decode("utf-8", "replace"), at, at + len(raw), size, b"\0" in raw)


def read_tail(root: Path, name: str, length: int) -> Part:
    """Return the last lines of a text file, about `length` bytes. Raises: NotThere."""
    with open_inside(root, name) as file:
        size = os.fstat(file.fileno()).st_size
    return read_part(root, name, max(size - length, 0), length)


def read_png(root: Path, name: str) -> bytes:
    """Return a picture. Raises: NotThere where it is none, or larger than 8 MiB."""
    raw = read_inside(root, name, MAX_PICTURE + 1)
    if not raw.startswith(PNG) or len(raw) > MAX_PICTURE:
        raise NotThere(name)
    return raw


def names_below(root: Path, folder: str = "", most: int = 20_000) -> Iterator[str]:
    """Yield the regular files below a folder of a run, by their POSIX paths from `root`, without links."""
    seen, skipped = 0, len(str(root)) + 1
    for place, folders, files in os.walk(root / folder):
        folders[:] = sorted(name for name in folders if name not in _NO_FOLDERS)
        for name in sorted(files):
            path = f"{place}/{name}"
            if stat.S_ISREG(os.lstat(path).st_mode):
                seen += 1
                if seen > most:
                    return
                yield path[skipped:]


def open_all(root: Path) -> Iterator[tuple[str, FileIO]]:
    """Yield every regular file of a run, open for reading, under its POSIX path from `root`; links are passed over."""
    skipped = len(str(root)) + 1
    for place, folders, files, folder in os.fwalk(root):
        folders[:] = sorted(name for name in folders if name not in _NO_FOLDERS)
        for name in sorted(files):
            try:
                handle = os.open(name, _PLAIN, dir_fd=folder)
            except OSError:
                continue
            with os.fdopen(handle, "rb", buffering=0) as file:
                if stat.S_ISREG(os.fstat(handle).st_mode):
                    yield f"{place}/{name}"[skipped:], file
