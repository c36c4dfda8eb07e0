"""A tree of files: what is in it, and one hash that changes when any of it does."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from agentsys_policies.errors import PolicyError


def entries(root: Path) -> Iterator[Path]:
    """Yield every file and symbolic link below `root` in a stable order; links are never followed.

    The history folder `.git` of the root itself is left out: its objects are not run. Its hooks and configuration are
    yielded, because git runs them.
    """
    for folder, names, files in os.walk(root, followlinks=False):
        here = Path(folder)
        if here == root and ".git" in names:
            names.remove(".git")
            yield from _git_entries(here / ".git")
        names.sort()
        links = [name for name in names if (here / name).is_symlink()]
        for name in sorted([*files, *links]):
            yield here / name


def _git_entries(git: Path) -> Iterator[Path]:
    if git.is_symlink():
        yield git
        return
    if (git / "config").exists():
        yield git / "config"
    hooks = git / "hooks"
    if hooks.is_dir():
        yield from sorted(path for path in hooks.iterdir() if path.suffix != ".sample")


def tree_hash(root: Path) -> str:
    """Return the SHA-256 over paths, kinds, execute bits and contents of everything that `entries` yields.

    Raises: PolicyError if `root` is no folder.
    """
    if not root.is_dir():
        raise PolicyError(f"`{root}` is not a folder")
    total = hashlib.sha256()
    for path in entries(root):
        name = os.fsencode(path.relative_to(root).as_posix())
        if path.is_symlink():
            kind, body = b"l", hashlib.sha256(os.fsencode(path.readlink())).digest()
        elif path.is_file():
            kind = b"x" if path.stat().st_mode & 0o111 else b"f"
            with path.open("rb") as file:
                body = hashlib.file_digest(file, "sha256").digest()
        else:
            kind, body = b"o", b""
        total.update(len(name).to_bytes(4) + name + kind + body)
    return total.hexdigest()
