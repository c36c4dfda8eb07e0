"""Archives of strangers: plain files come out, counted, sized, looked into; all else is left out and named."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from lzma import LZMAError
from pathlib import Path
from typing import IO

from agentsys.core.errors import BlockedError, PrerequisiteError, UnsafePath
from agentsys.core.paths import clean_name
from agentsys.verify.data.contents import why_not_data

MAX_FILES = 500_000
SHOWN = 50
"""Members that are left out and named."""
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_DAMAGE = (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zlib.error, LZMAError)
Member = tuple[str, str, int, "IO[bytes] | None"]
"""Name, why it is no plain file or an empty text, bytes, and what it is read from."""


@dataclass
class Unpacked:
    """What came out of an archive."""

    files: list[str] = field(default_factory=list[str])
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    """Name, safe to print -> why. At most SHOWN."""
    number_left_out: int = 0


def is_archive(name: str) -> bool:
    """True for names of archives that are unpacked."""
    return name.lower().endswith((".zip", *_TARS))


def unpack(archive: Path, name: str, into: Path, max_bytes: int) -> Unpacked:
    """Unpack below `into`, an empty folder.

    Args:
        name: what the archive is called; `archive` may be called otherwise.
        max_bytes: of all files together, counted as they are written.

    Raises: BlockedError where it unpacks to more bytes or files; PrerequisiteError where it is damaged.
    """
    done, room = Unpacked(), max_bytes
    try:
        for member in _zip(archive) if name.lower().endswith(".zip") else _tar(archive):
            if len(done.files) + done.number_left_out >= MAX_FILES:
                raise BlockedError(f"`{name}` holds more than {MAX_FILES} files", "take another form of the data")
            room -= _take(member, into, room, done, name)
    except (tarfile.TarError, zipfile.BadZipFile, *_DAMAGE) as error:
        raise PrerequisiteError(f"`{name}` cannot be unpacked: {error}", "fetch it again") from error
    return done


def _take(member: Member, into: Path, room: int, done: Unpacked, archive: str) -> int:
    name, why, size, source = member
    if why or source is None:
        _leave_out(done, name, why or "not a plain file")
        return 0
    try:
        target = into / clean_name(name)
    except UnsafePath as error:
        _leave_out(done, name, error.message)
        return 0
    if target.exists() or any(parent.is_file() for parent in target.parents):
        _leave_out(done, name, "something of this name came before")
        return 0
    if size > room:
        raise _too_much(archive)
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with target.open("xb") as out:
        while chunk := source.read(1 << 20):
            written += len(chunk)
            if written > room:
                raise _too_much(archive)
            out.write(chunk)
    if reason := why_not_data(target, name):
        target.unlink()
        _leave_out(done, name, reason)
    else:
        done.files.append(target.relative_to(into).as_posix())
    return written


def _too_much(archive: str) -> BlockedError:
    return BlockedError(
        f"`{archive}` unpacks to more than is left of `data_budget`",
        "raise it (`--set data_budget=GB`) if you know the data, or unpack it yourself and name `--data-dir`",
    )


def _zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)
            why = "a link" if kind == stat.S_IFLNK else "encrypted" if info.flag_bits & 1 else ""
            if why or kind not in (0, stat.S_IFREG):
                yield info.filename, why or "not a plain file", 0, None
                continue
            with archive.open(info) as source:
                yield info.filename, "", info.file_size, source


def _tar(path: Path) -> Iterator[Member]:
    with tarfile.open(path, "r:*") as archive:
        for info in archive:
            if info.isdir():
                continue
            source = archive.extractfile(info) if info.isreg() and not info.issparse() else None
            yield info.name.removeprefix("./"), "" if source else "a link or special file", info.size, source


def _leave_out(done: Unpacked, name: str, why: str) -> None:
    done.number_left_out += 1
    if len(done.left_out) < SHOWN:
        done.left_out["".join(char if char.isprintable() else "?" for char in name[:120])] = why
