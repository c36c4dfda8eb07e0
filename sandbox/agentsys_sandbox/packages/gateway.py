"""A read-only package index for one sandbox, served on a unix socket by the host.

The sandbox has no network. What it may ask for is the list of files of a package and these files; the host fetches
them from its own indexes, checks their hashes, and writes down each request. Nothing can be sent out: there are no
query strings, no bodies, no other hosts, and every path is compared with what a page of ours has named.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from agentsys_sandbox.base import SandboxError, Unavailable
from agentsys_sandbox.cachedir import cache_dir as default_cache
from agentsys_sandbox.image.rootfs import FORWARDER, PYTHON, SOCKET_DIR
from agentsys_sandbox.packages import indexconfig, indexfolder
from agentsys_sandbox.packages.filestore import FileStore
from agentsys_sandbox.packages.gatewayserver import GatewayServer
from agentsys_sandbox.packages.index import Index
from agentsys_sandbox.packages.indexconfig import IndexConfig
from agentsys_sandbox.packages.requestlog import RequestLog
from agentsys_sandbox.packages.upstream import Timeouts, Upstream
from agentsys_sandbox.spec import IndexRules

SOCKET_NAME = "index.sock"
QUOTA = 20 << 30


@dataclass(frozen=True)
class GatewayOptions:
    """How a gateway behaves; the defaults are those of a run."""

    config: IndexConfig | None = None
    """Package sources; None reads the host's configuration of pip and uv."""
    quota: int = QUOTA
    """Bytes of files that may be sent in all."""
    denied: Mapping[str, str] = field(default_factory=dict[str, str])
    """Normalised package name -> why it is refused."""
    uploaded_before: datetime | None = None
    """Files uploaded to an index later than this (with time zone), or at an unknown time, are not offered."""
    group: int | None = None
    """Group id that may enter the socket's folder besides the owner, where the sandbox runs under another uid."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    attempts: int = 3

    @classmethod
    def of(cls, rules: IndexRules, group: int | None = None) -> GatewayOptions:
        """Options for a sandbox that is to keep these rules."""
        before = datetime.now(UTC) - timedelta(seconds=rules.cooldown) if rules.cooldown else None
        return cls(quota=rules.quota, denied=rules.denied, uploaded_before=before, group=group)


class Gateway:
    """Serves the host's package sources while it is entered.

    Args:
        cache_dir: where downloads are kept between runs; None takes the user's cache directory.
        options: see `GatewayOptions`.
    """

    def __init__(self, cache_dir: Path | None = None, options: GatewayOptions = GatewayOptions()) -> None:
        self._cache = (cache_dir or default_cache()) / "downloads"
        self._options = options
        self._requests = RequestLog()
        self._folder: Path | None = None
        self._server: GatewayServer | None = None
        self._thread: threading.Thread | None = None
        self._upstream: Upstream | None = None
        self._files: FileStore | None = None

    async def __aenter__(self) -> Self:
        """Open the socket. Raises: Unavailable."""
        await asyncio.to_thread(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._close)

    @property
    def socket_dir(self) -> Path:
        """The folder to mount into the sandbox; it holds the socket `index.sock` and nothing else."""
        if self._folder is None:
            raise RuntimeError("the gateway is not open")
        return self._folder / "socket"

    @property
    def address(self) -> str:
        """Where it is inside the sandbox, as the forwarder takes it."""
        return f"{SOCKET_DIR}/{SOCKET_NAME}"

    async def settle(self) -> None:
        """Wait until `log` and `faults` have all that was answered: they always have."""

    @property
    def log(self) -> list[dict[str, object]]:
        """One entry for each request: method, path, package, version, sha256, bytes, status, decision."""
        return self._requests.entries()

    @property
    def faults(self) -> list[str]:
        """What failed on the way to the indexes, in plain words.

        An installation that ended badly while this is not empty is the infrastructure's failure, not a wrong
        requirement.
        """
        return self._requests.faults()

    def _open(self) -> None:
        try:
            self._cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._tidy()
            self._folder = indexfolder.make(SOCKET_NAME, self._options.group)
            self._start(self._folder)
        except OSError as error:
            self._close()
            raise Unavailable(
                f"cannot open the package index gateway: {error}",
                "check that the temporary folder and the cache directory can be written",
            ) from error

    def _tidy(self) -> None:
        """Remove what killed owners left."""
        for folder, _ in indexfolder.leftovers():
            with contextlib.suppress(SandboxError):  # it does no harm, and `agentsys sandbox clean` names it
                indexfolder.remove(folder)

    def _start(self, folder: Path) -> None:
        options = self._options
        config = options.config or indexconfig.read()
        downloads = folder / "downloads"
        downloads.mkdir(mode=0o700)
        self._upstream = Upstream(config, options.timeouts, options.attempts)
        self._files = FileStore(self._cache, downloads, self._upstream)
        self._files.tidy()
        index = Index(config, self._upstream, options.uploaded_before)
        self._server = GatewayServer(
            folder / "socket" / SOCKET_NAME, index, self._files, self._upstream, self._requests, options
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="index-gateway", daemon=True
        )
        self._thread.start()

    def _close(self) -> None:
        if self._files is not None:
            self._files.closed.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
        if self._upstream is not None:
            self._upstream.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._server = self._thread = self._upstream = self._files = self._folder = None


def forwarder_command(socket_path: str, argv: Sequence[str]) -> list[str]:
    """Wrap a command so that it finds the index inside the sandbox.

    Args:
        socket_path: where the gateway's socket is mounted inside, such as `/run/agentsys/index.sock`.
        argv: the command; it sees PIP_INDEX_URL, UV_DEFAULT_INDEX and UV_INDEX_URL on 127.0.0.1.
    """
    return [PYTHON, "-I", FORWARDER, socket_path, *argv]
