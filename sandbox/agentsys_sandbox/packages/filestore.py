"""Distribution files on the host: fetched once, checked against the hash of the index, kept between runs."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from agentsys_sandbox.base import SandboxError
from agentsys_sandbox.packages.indexpage import FileLink
from agentsys_sandbox.packages.upstream import Upstream, UpstreamFault, local_path, shown

MAX_FILE = 8 << 30
MAX_METADATA = 16 << 20


class HashMismatch(SandboxError):
    """A file is not what the index says it is."""


class FileStore:
    """Gives files as paths on the host.

    Args:
        folder: cache between runs, addressed by SHA-256, written by the host alone.
        session: folder for files that the index gives no hash for; they are not kept.
        upstream: where missing files come from.
    """

    def __init__(self, folder: Path, session: Path, upstream: Upstream) -> None:
        self._folder = folder
        self._session = session
        self._upstream = upstream
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()
        self._ready: dict[str, Path] = {}
        self._digests: dict[str, str] = {}
        self.closed = threading.Event()

    def tidy(self) -> None:
        """Remove what downloads left that were killed; those under way are younger than a day."""
        oldest = time.time() - 86400
        for part in self._folder.glob("*/.part-*"):
            with suppress(OSError):
                if part.stat().st_mtime < oldest:
                    part.unlink()

    def ready(self, link: FileLink) -> Path | None:
        """The file if it needs no download: local, or in the cache; checked once a session.

        Raises: HashMismatch, UpstreamFault.
        """
        if link.url.startswith("file:") or self._cached(link).is_file():
            return self.fetch(link)
        return self._ready.get(link.key)

    def fetch(self, link: FileLink) -> Path:
        """The whole file, downloaded if need be, with its hash checked.

        Raises: HashMismatch, UpstreamFault.
        """
        with self._guard:
            lock = self._locks[link.key]
        with lock:
            found = self._ready.get(link.key)
            if found is None:
                found = self._ready[link.key] = self._local(link) or self._from_cache(link) or self._download(link)
            return found

    def sha256(self, link: FileLink) -> str:
        """Digest that the index gave, or that was found when the file was read here; empty before that."""
        return link.sha256 or self._digests.get(link.key, "")

    def metadata(self, link: FileLink) -> bytes:
        """The separate metadata file of a wheel (PEP 658), checked where the index gives its hash.

        Raises: HashMismatch, UpstreamFault.
        """
        about = replace(
            link, url=f"{link.url}.metadata", hashes=link.metadata or {}, filename=f"{link.filename}.metadata"
        )
        body = bytearray()
        for chunk in self._upstream.content(about.url):
            body += chunk
            if len(body) > MAX_METADATA:
                raise UpstreamFault(f"`{shown(about.url)}` is larger than {MAX_METADATA} bytes")
        _compare(about, {kind: hashlib.new(kind, body).hexdigest() for kind in about.hashes})
        return bytes(body)

    def _local(self, link: FileLink) -> Path | None:
        if not link.url.startswith("file:"):
            return None
        path = local_path(link.url)
        try:
            _check(path, link)
            if not link.sha256:
                # Folders of wheels give no hash; the request log shall name one all the same.
                with path.open("rb") as content:
                    self._digests[link.key] = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise UpstreamFault(f"cannot read `{path}`: {error.strerror}") from error
        return path

    def _cached(self, link: FileLink) -> Path:
        # Without a SHA-256 the name leads nowhere, and nothing is found.
        return self._folder / (link.sha256[:2] or "none") / (link.sha256 or "none")

    def _from_cache(self, link: FileLink) -> Path | None:
        path = self._cached(link)
        if not path.is_file():
            return None
        try:
            _check(path, link)
        except HashMismatch:
            path.unlink(missing_ok=True)  # damaged on the disk: fetch it again
            return None
        return path

    def _download(self, link: FileLink) -> Path:
        target = self._cached(link) if link.sha256 else self._session / link.key
        target.parent.mkdir(parents=True, exist_ok=True)
        return self._upstream.retrying()(lambda: self._copy(link, target))

    def _copy(self, link: FileLink, target: Path) -> Path:
        digests = {kind: hashlib.new(kind) for kind in {"sha256", *link.hashes}}
        size = 0
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".part-", delete=False) as part:
            path = Path(part.name)
            try:
                for chunk in self._upstream.content(link.url):
                    if self.closed.is_set():
                        raise UpstreamFault("the gateway was closed during a download")
                    size += len(chunk)
                    if size > MAX_FILE:
                        raise UpstreamFault(f"`{shown(link.url)}` is larger than {MAX_FILE} bytes")
                    part.write(chunk)
                    for digest in digests.values():
                        digest.update(chunk)
                found = {kind: digest.hexdigest() for kind, digest in digests.items()}
                _compare(link, found)
                self._digests[link.key] = found["sha256"]
                part.flush()
                path.replace(target)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        return target


def _check(path: Path, link: FileLink) -> None:
    found: dict[str, str] = {}
    for kind in link.hashes:
        with path.open("rb") as content:
            found[kind] = hashlib.file_digest(content, kind).hexdigest()
    if not link.hashes:
        path.stat()
    _compare(link, found)


def _compare(link: FileLink, found: dict[str, str]) -> None:
    for kind, digest in link.hashes.items():
        if found[kind] != digest:
            raise HashMismatch(
                f"`{link.filename}` from `{shown(link.url)}` has {kind} {found[kind]}, the index says {digest}",
                "do not install it; the index, a mirror or a proxy on the way hands out a changed file",
            )
