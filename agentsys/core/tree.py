"""Which files of a repository are verified, which of them hold tests, and the hash that names them."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from agentsys.core.blocks import FIGURES, README, STATUS, without_blocks
from agentsys.core.errors import InternalError

RESULTS = "results"
"""Folder that the run fills; what lies in it before the run is no source."""
PAGES = frozenset({"PAPER_MAP.md", "paper_map.json", "AUDIT.md", "data.lock.json", STATUS})
"""What agentsys says of a delivered repository and its data. It is no part of what is verified: no program may read it
there."""
_TABLES = ("contracts", "entries", "findings", "reviews", "units", "verdicts")
_KEPT = (*(f"{name}.json" for name in _TABLES), "cells.jsonl", "README.md")
_KEPT_FOLDERS = ("claims/rows/", "claims/pages/", FIGURES)
RECORD = frozenset({*(f"claims/{name}" for name in _KEPT), *_KEPT_FOLDERS, "claims/evaluate.py", "claims/standalone/"})
"""The record of the claims in a repository: the paper's numbers stand there as what is to be shown."""
_OF_CLAIMS = re.compile(r"claims/(?:evaluate|(?:check_)?c\d{1,3}|standalone/\w+)\.py")
"""Programs of the claims: written after the code was verified, audited and run apart from it."""
MAX_FILES = 2000
MAX_BYTES = 100 << 20
_NEVER = frozenset({".git", "__pycache__", ".venv", "venv", ".pytest_cache", ".mypy_cache", ".ruff_cache"})


def read_tree(repo: Path, names: Iterable[str] | None = None) -> dict[str, bytes]:
    """Read the files to verify: relative POSIX path to content, without results, caches, links and git's own.

    Args:
        names: only these files (the ones that git tracks); None takes all that are there.

    Raises: InternalError where the repository is larger than any that agents write.
    """
    chosen = sorted(set(names)) if names is not None else sorted(_walk(repo))
    files: dict[str, bytes] = {}
    size = 0
    for name in chosen:
        if not is_source(name):
            continue
        content = _read(repo / name)
        if content is None:
            continue
        files[name] = _own(name, content)
        size += len(content)
        if len(files) > MAX_FILES or size > MAX_BYTES:
            raise InternalError(f"`{repo.name}` has more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB")
    return files


def source_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return of a commit's files what `read_tree` reads of a folder."""
    return {name: _own(name, data) for name, data in files.items() if is_source(name)}


def is_source(name: str) -> bool:
    """True for files that belong to the repository itself, not to what a run or a tool left in it."""
    parts = name.split("/")
    if name in PAGES or name in RECORD or name.startswith(_KEPT_FOLDERS) or _OF_CLAIMS.fullmatch(name):
        return False
    if parts[0] == RESULTS and not parts[-1].startswith("."):
        return False
    return not any(part in _NEVER or part.endswith(".egg-info") for part in parts)


def is_test_path(path: str) -> bool:
    """True for files that hold tests rather than the method."""
    name = path.rpartition("/")[2]
    in_folder = any(part in ("tests", "test") for part in path.split("/")[:-1])
    return in_folder or name == "conftest.py" or name.startswith("test_") or name.endswith("_test.py")


def tree_hash(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 over paths and contents, in order of the paths."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name]
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _own(name: str, content: bytes) -> bytes:
    """Return a file without what agentsys has written into it."""
    if name != README or b"agentsys:" not in content:
        return content
    return without_blocks(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _walk(repo: Path) -> Iterable[str]:
    for folder, folders, names in os.walk(repo, followlinks=False):
        folders[:] = sorted(name for name in folders if name not in _NEVER)
        base = Path(folder).relative_to(repo)
        for name in names:
            yield (base / name).as_posix()


def _read(path: Path) -> bytes | None:
    """Read a regular file; None for links, devices and what is gone. Never follows a link, never blocks."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        return file.read(MAX_BYTES + 1)
