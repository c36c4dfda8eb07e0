"""What may leave a sandbox: regular files and folders, counted and sized; everything else is dropped and named."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from agentsys_sandbox.paths import WORK, BadPath, relative
from agentsys_sandbox.text import clean

_KINDS = {
    "l": "a link",
    "p": "a named pipe",
    "s": "a socket",
    "b": "a device",
    "c": "a device",
    "absent": "not there",
}
SPECIAL = frozenset(why for kind, why in _KINDS.items() if kind != "absent")
"""Reasons for which an entry is dropped that is no regular file or folder."""
_SHOWN = 200
Dropped = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Entry:
    """A file in a listing: kind as `find -printf %y` names it, size in bytes, path relative to `WORK`."""

    kind: str
    size: int
    path: str


def choose_entries(entries: Iterable[Entry], max_files: int, max_bytes: int) -> tuple[list[Entry], Dropped]:
    """Divide a listing into what is wanted and what is dropped, with reasons. Names are made safe to print."""
    wanted: list[Entry] = []
    dropped: list[tuple[str, str]] = []
    room = max_bytes
    for entry in entries:
        reason = _objection(entry, len(wanted) >= max_files, room)
        if reason is None:
            wanted.append(entry)
            room -= entry.size if entry.kind == "f" else 0
        elif entry.path:
            dropped.append((_shown(entry.path), reason))
    return wanted, _shortened(dropped)


def _objection(entry: Entry, full: bool, room: int) -> str | None:
    if entry.kind not in ("f", "d"):
        return _KINDS.get(entry.kind, "not a regular file")
    try:
        if relative(entry.path) != entry.path:
            return "an odd path"
    except BadPath as error:
        return error.message
    if full:
        return "over the limit of files"
    return "over the limit of bytes" if entry.kind == "f" and entry.size > room else None


def unpack(archive: BinaryIO, dest: Path, wanted: set[str], max_bytes: int) -> tuple[tuple[str, ...], Dropped]:
    """Unpack regular files and folders of a tar below `dest`; return relative paths of files, and what was dropped.

    Args:
        archive: a tar with names relative to `/`, written by the sandbox and so not to be trusted.
        wanted: paths relative to `WORK`; members under other names are dropped.
    """
    archive.seek(0)
    written: list[str] = []
    dropped: list[tuple[str, str]] = []
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=archive, mode="r:") as members:
            for member in members:
                name = member.name.removeprefix(f"{WORK[1:]}/")
                reason = _refusal(member, name, wanted, max_bytes)
                if reason is None:
                    reason, size = _place(members, member, dest, name)
                    max_bytes -= size
                if reason is not None:
                    dropped.append((_shown(name), reason))
                elif member.isreg():
                    written.append(name)
                seen.add(name)
    except (tarfile.TarError, EOFError, ValueError):
        pass  # cut short: what is missing is named below
    dropped += [(_shown(name), "the archive ended before it") for name in sorted(wanted - seen)]
    return tuple(written), _shortened(dropped)


def _refusal(member: tarfile.TarInfo, name: str, wanted: set[str], room: int) -> str | None:
    if not (member.isdir() or (member.isreg() and not member.issparse())):
        return "not a regular file"
    if name not in wanted:
        return "not asked for"
    return "over the limit of bytes" if member.isreg() and member.size > room else None


def _place(members: tarfile.TarFile, member: tarfile.TarInfo, dest: Path, name: str) -> tuple[str | None, int]:
    """Put one member where it belongs. Links that already stand below `dest` are never followed."""
    target = dest / relative(name)
    try:
        if not _plain_folder(dest, target.parent):
            return "a link or file stands in its way", 0
        if member.isdir():
            return (None, 0) if _plain_folder(dest, target) else ("a link or file stands in its way", 0)
        source = members.extractfile(member)
        if source is None:
            return "not a regular file", 0
        _write(source, target, 0o755 if member.mode & 0o100 else 0o644)
    except OSError as error:
        return f"cannot be written: {error.strerror}", 0
    return None, member.size


def _plain_folder(dest: Path, folder: Path) -> bool:
    dest.mkdir(parents=True, exist_ok=True)
    path = dest
    for part in folder.relative_to(dest).parts:
        path /= part
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            return False
        path.mkdir(exist_ok=True)
    return True


def _write(source: IO[bytes], target: Path, mode: int) -> None:
    partial = target.with_name(f".{os.getpid()}.{len(target.name)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(partial, flags, mode), "wb") as out:
        shutil.copyfileobj(source, out)
    partial.chmod(mode)
    partial.replace(target)


def _shown(path: str) -> str:
    return clean(path.encode("utf-8", "surrogateescape"))[:_SHOWN]


def _shortened(dropped: Sequence[tuple[str, str]], most: int = 1000) -> Dropped:
    if len(dropped) <= most:
        return tuple(dropped)
    return (*dropped[:most], ("", f"and {len(dropped) - most} more"))
