"""Runs in the sidecar: the package index gateway, on the one network that it shares with the install container.

Package sources that lie on the user's machine (wheel folders, indexes on disk) are asked for over standard output and
answered on standard input; audit lines go the same way. The end of the input is the end of the program.

Lines on standard output, each a JSON object: `ready` (port), `entry` (a request and its answer), `fault`, `synced`, and
`ask` with `kind` (`page`, `file`) and `url`. On standard input: the configuration, then objects with `sync`, or with
`id` and one of `size` (that many bytes follow), `end`, `error`.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from agentsys_sandbox.packages.filestore import FileStore
from agentsys_sandbox.packages.gateway import GatewayOptions
from agentsys_sandbox.packages.gatewayserver import GatewayServer
from agentsys_sandbox.packages.index import Index
from agentsys_sandbox.packages.indexconfig import IndexConfig
from agentsys_sandbox.packages.indexpage import FileLink
from agentsys_sandbox.packages.requestlog import Entry, RequestLog
from agentsys_sandbox.packages.upstream import Page, Upstream, UpstreamFault

CACHE = Path("/work/downloads")
SESSIONS = "/var/tmp"
_PIECES = 64


class Host:
    """The user's machine, at the other end of two streams."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._answers: dict[int, queue.Queue[bytes | str]] = {}

    def say(self, message: Mapping[str, object]) -> None:
        """Send one line."""
        with self._lock:
            self._sink.write(json.dumps(message).encode() + b"\n")
            self._sink.flush()

    def ask(self, kind: str, url: str) -> Iterator[bytes]:
        """Pieces of a page or file of the user's machine. Raises: UpstreamFault."""
        number = next(self._numbers)
        pieces = self._answers[number] = queue.Queue[bytes | str](_PIECES)
        try:
            self.say({"ask": number, "kind": kind, "url": url})
            while piece := pieces.get():
                if isinstance(piece, str):
                    raise UpstreamFault(piece)
                yield piece
        finally:
            del self._answers[number]

    def serve(self) -> None:
        """Hand answers to whoever asked, until the input ends."""
        while line := self._source.readline():
            head: dict[str, Any] = json.loads(line)
            if "sync" in head:
                self.say({"synced": head["sync"]})
                continue
            self._hand(int(head["id"]), str(head.get("error", "")) or self._source.read(int(head.get("size", 0))))

    def _hand(self, number: int, piece: bytes | str) -> None:
        """Wait for a slow reader, but not for one that has gone."""
        while number in self._answers:
            try:
                self._answers[number].put(piece, timeout=1.0)
            except queue.Full:
                continue
            return


class ForwardedLog(RequestLog):
    """Tells the user's machine of each request before it is answered."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host

    def add(self, entry: Entry) -> None:
        """Pass it on."""
        self._host.say({"entry": asdict(entry)})

    def fault(self, text: str) -> None:
        """Pass it on."""
        self._host.say({"fault": text})


class HostUpstream(Upstream):
    """Takes `file:` addresses from the user's machine, everything else from the network."""

    host: Host

    def page(self, url: str, accept: str) -> Page | None:
        """A page. Raises: UpstreamFault."""
        if not url.startswith("file:"):
            return super().page(url, accept)
        found: Any = json.loads(b"".join(self.host.ask("page", url)))
        return Page(str(found["text"]), str(found["content_type"]), str(found["url"])) if found else None

    def content(self, url: str) -> Iterator[bytes]:
        """A file. Raises: UpstreamFault."""
        return self.host.ask("file", url) if url.startswith("file:") else super().content(url)


class HostFileStore(FileStore):
    """Has no local files: those of the user's machine are copied like those of the network."""

    def _local(self, link: FileLink) -> Path | None:
        return None


def serve(source: BinaryIO, sink: BinaryIO, address: str = "") -> None:
    """Read the configuration, serve until the input ends.

    Args:
        address: where to listen; empty takes the one in the configuration.
    """
    host = Host(source, sink)
    config: dict[str, Any] = json.loads(source.readline())
    os.environ.update(config["environment"])
    session = Path(tempfile.mkdtemp(dir=SESSIONS if Path(SESSIONS).is_dir() else None))
    index = IndexConfig(
        indexes=tuple(config["indexes"]),
        find_links=tuple(config["find_links"]),
        cert=_stored(session / "cert.pem", config["cert"]),
        proxy=config["proxy"],
        trusted_hosts=tuple(config["trusted_hosts"]),
    )
    if authorities := _stored(session / "authorities.pem", config["authorities"]):
        os.environ["SSL_CERT_FILE"] = authorities
    before = datetime.fromisoformat(config["uploaded_before"]) if config["uploaded_before"] else None
    options = GatewayOptions(index, config["quota"], config["denied"], before)
    upstream = HostUpstream(index, options.timeouts, options.attempts)
    upstream.host = host
    cache = Path(config.get("cache") or CACHE)
    cache.mkdir(parents=True, exist_ok=True)
    files = HostFileStore(cache, session, upstream)
    files.tidy()
    place = (address or str(config["address"]), 0)
    server = GatewayServer(place, Index(index, upstream, before), files, upstream, ForwardedLog(host), options)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    host.say({"ready": server.server_address[1]})
    try:
        host.serve()
    finally:
        files.closed.set()
        server.shutdown()
        server.server_close()
        upstream.close()


def _stored(file: Path, text: str) -> str:
    """The name of a file with this text; empty where there is no text."""
    if not text:
        return ""
    file.write_text(text, encoding="utf-8")
    return str(file)


def main() -> None:
    """Serve on the program's own streams."""
    serve(sys.stdin.buffer, sys.stdout.buffer)
