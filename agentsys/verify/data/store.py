"""The cache of data, shared by all runs: files by their content, each stored once and never changed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from agentsys.core.artifacts import DataSource
from agentsys.core.errors import Interrupted
from agentsys.core.files import sha256_bytes, write_json
from agentsys.verify.data.pins import Pinned
from agentsys_sandbox.cachedir import cache_dir, shared_dir
from agentsys_sandbox.errors import Unavailable
from agentsys_sandbox.packages.scratch import abandoned, scratch

_PATIENCE = 0.2
"""Seconds between two looks whether another process is done."""


class Store:
    """Files by SHA-256, what sources were last seen to hold, and transfers under way.

    Args:
        root: by default below the folder of AGENTSYS_CACHE_DIR.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or _root()
        self.views = self.root / "views"
        """Where folders for sandboxes are put together."""

    # -- files ---------------------------------------------------------------------------------------------------------

    def path(self, sha256: str) -> Path:
        """Return where the file of this content lies, or would lie."""
        return self.root / "objects" / sha256[:2] / sha256

    def has(self, pinned: Pinned) -> bool:
        """True if every file of a pin is there."""
        return all(self.path(digest).is_file() for digest in pinned.files.values())

    def put(self, file: Path) -> str:
        """Take a file over, and return its hash. It is read by everybody from now on, and written by nobody."""
        digest = hash_of(file)
        target = self.path(digest)
        self._make(target.parent)
        file.chmod(0o444)
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
        file.replace(target)
        return digest

    def damaged(self, digests: Iterable[str]) -> list[str]:
        """Return the hashes whose file is absent or has another content by now; the latter is removed."""
        found: list[str] = []
        for digest in sorted(set(digests)):
            path = self.path(digest)
            if not path.is_file():
                found.append(digest)
            elif hash_of(path) != digest:
                path.unlink()
                found.append(digest)
        return found

    def remove(self, digests: Iterable[str]) -> int:
        """Remove files; return the bytes that were freed."""
        freed = 0
        for digest in set(digests):
            path = self.path(digest)
            if path.is_file():
                freed += path.stat().st_size
                path.unlink()
        return freed

    # -- what sources hold ---------------------------------------------------------------------------------------------

    def known(self, source: DataSource) -> Pinned | None:
        """Return what this source held when any run fetched it, if all of it is still here."""
        try:
            pinned = Pinned.model_validate_json(self._known(source).read_bytes())
        except (OSError, ValidationError):
            return None
        return pinned if pinned.is_of(source) and self.has(pinned) else None

    def learn(self, source: DataSource, pinned: Pinned) -> None:
        """Remember what a source held."""
        self._make(self._known(source).parent)
        write_json(self._known(source), pinned)

    def _known(self, source: DataSource) -> Path:
        return self.root / "known" / f"{_key(source)}.json"

    # -- work under way ------------------------------------------------------------------------------------------------

    def incoming(self, url: str) -> Path:
        """Return the folder in which the parts of a transfer are kept until it is whole."""
        folder = self.root / "incoming" / sha256_bytes(url)[:32]
        self._make(folder)
        return folder

    @contextmanager
    def scratch(self) -> Generator[Path]:
        """A new folder on the file system of the cache, removed at the end; those of killed processes go too."""
        for folder in abandoned(self.views):
            _remove(folder)
        self._make(self.views)
        with scratch(self.views) as folder:
            yield folder

    @contextmanager
    def alone(self, source: DataSource, stop: threading.Event) -> Generator[None]:
        """Hold a source for this process; another one that fetches it is waited for. Raises: Interrupted."""
        self._make(self.root / "locks")
        handle = os.open(self.root / "locks" / _key(source), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            while not _locked(handle):
                if stop.wait(_PATIENCE):
                    raise Interrupted("the wait for another fetch of the same data was stopped")
            yield
        finally:
            os.close(handle)

    def _make(self, folder: Path) -> None:
        """Make a folder that other users may enter: a sandbox may run as one."""
        for path in (self.root, *reversed(folder.relative_to(self.root).parents), folder.relative_to(self.root)):
            place = path if path.is_absolute() else self.root / path
            if not place.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                place.chmod(0o755)


def link(files: Mapping[str, Path], into: Path) -> None:
    """Put files into a folder by hard links, or copies where that cannot be; readable by everybody. Blocks."""
    for name, path in files.items():
        target = into / name
        for folder in reversed(target.relative_to(into).parents):
            place = into / folder
            place.mkdir(exist_ok=True)
            place.chmod(0o755)
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            raise OSError(f"`{path}` is no regular file any more")
        if mode & 0o444 != 0o444 or not _linked(path, target):
            _copy(path, target)


def hash_of(file: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _linked(path: Path, target: Path) -> bool:
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError:  # another file system, or a file of another user
        return False
    return True


def _copy(path: Path, target: Path) -> None:

    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as source, target.open("xb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
    target.chmod(0o444)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(folder: Path) -> None:

    shutil.rmtree(folder, ignore_errors=True)


def _key(source: DataSource) -> str:
    return sha256_bytes("\0".join((source.kind, source.what, source.identifier, source.revision, *source.files)))[:32]


def _root() -> Path:
    try:
        return shared_dir() / "data"
    except Unavailable:  # a folder that another uid cannot enter does for an engine
        return cache_dir() / "data"
