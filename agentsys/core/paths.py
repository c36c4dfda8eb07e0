"""Which paths of an answer may be written. Everything a model names as a path passes here first."""

from __future__ import annotations

import re
import stat
import unicodedata
from pathlib import Path

from agentsys.core.errors import UnsafePath

MAX_LENGTH = 200
"""Longest path inside a repository, in characters (and no component over 120 bytes)."""

_MAX_COMPONENT = 120
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_RESERVED = {".git", ".gitmodules", "git~1", ".lock", ".hg", ".svn"}
_FORBIDDEN = set('\\:*?"<>|')


def safe_path(repo: Path, name: str) -> Path:
    """Return the place of `name` inside `repo`; the file need not exist.

    Args:
        repo: root of the repository, an existing folder.
        name: POSIX path as a model wrote it; a leading `./` is ignored.

    Raises: UnsafePath if it leaves the repository, touches git's own files, goes through a link, has a name that
        some file system treats as special, or differs only in case from a file that is there.
    """
    relative = clean_name(name)
    place = repo
    parts = relative.split("/")
    for index, part in enumerate(parts):
        _check_case(place, part, name)
        place = place / part
        _check_kind(place, name, last=index == len(parts) - 1)
    return place


def clean_name(name: str) -> str:
    """Return `name` without a leading `./` if it is an acceptable relative path, whatever lies on disk.

    Raises: UnsafePath.
    """
    _check_characters(name)
    relative = name
    while relative.startswith("./"):
        relative = relative[2:]
    if not relative:
        raise UnsafePath("the path is empty")
    if relative.startswith(("/", "~")):
        raise UnsafePath(f"`{name}` is absolute", "write paths relative to the repository's root")
    for part in relative.split("/"):
        _check_component(part, name)
    return relative


def _check_characters(name: str) -> None:
    if len(name) > MAX_LENGTH:
        raise UnsafePath(f"a path of {len(name)} characters is too long", f"{MAX_LENGTH} are allowed")
    shown = name.encode("ascii", "backslashreplace").decode()
    if any(unicodedata.category(char)[0] == "C" or unicodedata.category(char) in ("Zl", "Zp") for char in name):
        raise UnsafePath(f"`{shown}` holds control, invisible or undecodable characters")
    if unicodedata.normalize("NFC", name) != name:
        raise UnsafePath(f"`{shown}` is not in normal form (NFC)")
    bad = sorted(_FORBIDDEN & set(name))
    if bad:
        raise UnsafePath(f"`{shown}` holds `{bad[0]}`", "use letters, digits, `_`, `-`, `.` and `/`")


def _check_component(part: str, name: str) -> None:
    if part in ("", ".", ".."):
        raise UnsafePath(f"`{name}` is not a plain path", "no `..`, no empty parts, no trailing `/`")
    if part.strip(" .").lower() in _RESERVED or part.lower() in _RESERVED or part.lower().rstrip(" .") in _RESERVED:
        raise UnsafePath(f"`{name}` touches `{part}`, which is reserved")
    if part != part.strip(" ") or part.endswith("."):
        raise UnsafePath(f"`{name}` has a name that begins or ends with a space, or ends with a dot")
    if part.startswith("-"):
        raise UnsafePath(f"`{name}` has a name that begins with `-`")
    if _DEVICES.fullmatch(part):
        raise UnsafePath(f"`{name}` is a device name on some systems")
    if len(part.encode()) > _MAX_COMPONENT:
        raise UnsafePath(f"`{part[:40]}...` is too long for a file name", f"{_MAX_COMPONENT} bytes are allowed")


def _check_case(folder: Path, part: str, name: str) -> None:
    """Refuse a name that a file system without case would take for one that is there."""
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.name != part and entry.name.casefold() == part.casefold():
            raise UnsafePath(f"`{name}` differs only in case from `{entry.name}`", f"use `{entry.name}`")


def _check_kind(place: Path, name: str, *, last: bool) -> None:
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise UnsafePath(f"`{name}` goes through something that is not a folder") from error
    if stat.S_ISLNK(mode):
        raise UnsafePath(f"`{name}` goes through a symbolic link")
    if last and not stat.S_ISREG(mode):
        raise UnsafePath(f"`{name}` exists and is not a regular file")
    if not last and not stat.S_ISDIR(mode):
        raise UnsafePath(f"`{name}` goes through something that is not a folder")
