"""Paths inside a sandbox: the fixed ones, and others checked before they are used."""

from __future__ import annotations

from posixpath import normpath

from agentsys_sandbox.errors import SandboxError

WORK = "/work"
"""The only writable place that lives as long as the sandbox."""
REPO = "/work/repo"
"""Where the code under test lies."""
VENV = "/work/venv"
"""The Python environment that `install` makes."""
INSTRUMENTS = "/work/instruments"
"""What `provide` shows: programs of the caller that observe the code; it can read them only."""
DATA = "/work/data"
"""What `show_data` shows: a folder of the caller's machine; programs can read it only."""
PYRIGHT = ("/opt/agentsys/node", "/opt/agentsys/pyright/index.js")
"""Command prefix of the type checker inside every sandbox."""

_LONGEST = 1024
_LONGEST_PART = 255


class BadPath(SandboxError, ValueError):
    """A path that is not a plain path below the folder it has to stay in."""


def inside(path: str, root: str = WORK) -> str:
    """Check a path and return it absolute and normal.

    Args:
        path: relative to `root`, or absolute below it; `root` itself is allowed.
        root: an absolute folder that is `WORK` or lies below it.

    Raises: BadPath where it would leave `root`, or holds control characters or parts that are too long.
    """
    if root != WORK and not (root.startswith(WORK + "/") and root == normpath(root)):
        raise BadPath(f"`{root}` is not a folder below `{WORK}`")
    return _below(path, root)


def relative(path: str) -> str:
    """Check a relative path of an archive member or a file of a repository; return it normal.

    Raises: BadPath where it is absolute, empty, climbs with `..`, or holds odd characters.
    """
    if path.startswith("/"):
        raise BadPath(f"`{_shown(path)}` is an absolute path")
    found = _below(path, "/")[1:]
    if not found:
        raise BadPath("an empty path names no file")
    return found


def _below(path: str, root: str) -> str:
    if not path or len(path) > _LONGEST:
        raise BadPath("an empty path names no file" if not path else "the path is longer than 1024 characters")
    if any(ord(letter) < 32 or 127 <= ord(letter) < 160 or 0xD800 <= ord(letter) < 0xE000 for letter in path):
        raise BadPath(f"`{_shown(path)}` holds control characters or invalid UTF-8")
    parts = path.split("/")
    if ".." in parts:
        raise BadPath(f"`{_shown(path)}` holds `..`")
    if any(len(part.encode()) > _LONGEST_PART for part in parts):
        raise BadPath(f"`{_shown(path)}` has a part longer than 255 bytes")
    full = normpath(path if path.startswith("/") else f"{root}/{path}")
    full = "/" + full.lstrip("/")  # POSIX normpath keeps a double slash in front
    if full != root and not full.startswith(root.rstrip("/") + "/"):
        raise BadPath(f"`{_shown(path)}` lies outside `{root}`")
    return full


def _shown(path: str) -> str:
    safe = path if len(path) <= 200 else path[:197] + "..."
    return safe if safe.isprintable() else safe.encode("unicode_escape").decode()
