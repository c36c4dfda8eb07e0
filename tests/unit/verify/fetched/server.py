"""A real HTTP server on 127.0.0.1 for tests of transfers: files with ranges, faults that it is told to make."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import unquote, urlsplit


@dataclass
class Site:
    """What the server serves and how it misbehaves."""

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """Path -> content."""
    redirects: dict[str, str] = field(default_factory=dict[str, str])
    cut: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """Path -> after how many bytes each of the next answers breaks off."""
    status: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """Path -> statuses of the next answers."""
    ranges: bool = True
    tags: bool = True
    lie: bool = False
    """Announce no length, so that only the size or the hash tells that something is missing."""
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Path and range of each request."""
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    held: threading.Event | None = None
    """A file is sent in full only once this is set."""
    begun: threading.Event = field(default_factory=threading.Event)
    base: str = ""

    def add_json(self, path: str, value: object) -> None:
        self.files[path] = json.dumps(value).encode()

    @property
    def paths(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(path for path, _ in self.asked)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def site(self) -> Site:
        return cast("Any", self.server).site

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        site, path = self.site, unquote(urlsplit(self.path).path)
        site.asked.append((path, self.headers.get("Range", "")))
        site.headers.append(dict(self.headers))
        status = site.status.get(path, [])
        if status:
            self._plain(status.pop(0), b"")
        elif path in site.redirects:
            self.send_response(302)
            self.send_header("Location", site.redirects[path])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path in site.files:
            self._file(path, site.files[path])
        else:
            self._plain(404, b"absent")

    def _plain(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, path: str, data: bytes) -> None:
        site, start = self.site, 0
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        wanted = self.headers.get("Range", "")
        if wanted and site.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self._plain(416, b"")
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        if site.tags:
            self.send_header("ETag", tag)
        body = data[start:]
        breaks = site.cut.get(path, [])
        sent = body[: breaks.pop(0)] if breaks else body
        if site.lie:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if site.held is not None:
            self.wfile.write(sent[: len(sent) // 2])
            self.wfile.flush()
            site.begun.set()
            site.held.wait(30)
            sent = sent[len(sent) // 2 :]
        self.wfile.write(sent)
        if len(sent) < len(body) and site.held is None:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what some tests are about."""


@contextmanager
def serving(site: Site) -> Generator[Site]:
    """Serve a site until the end of the block."""
    server = _Server(("127.0.0.1", 0), _Handler)
    cast("Any", server).site = site
    site.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        if site.held is not None:
            site.held.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def hub(site: Site, repo: str, files: dict[str, bytes], *, kind: str = "datasets", commit: str = "c" * 40) -> None:
    """Serve a repository as the hub does: a listing with sizes and hashes, and each file below `resolve`."""
    rows = [
        {"rfilename": name, "size": len(data), "blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()}
        | ({"lfs": _pointer(data)} if b"\0" in data else {})
        for name, data in files.items()
    ]  # fmt: skip
    told = {"id": repo, "sha": commit, "siblings": rows, "cardData": {"license": "mit"}, "private": False, "tags": []}
    for path in (f"/api/{kind}/{repo}", f"/api/{kind}/{repo}/revision/{commit}"):
        site.add_json(path, told)
    folder = "" if kind == "models" else f"{kind}/"
    for name, data in files.items():
        site.files[f"/{folder}{repo}/resolve/{commit}/{name}"] = data


def _pointer(data: bytes) -> dict[str, object]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 130}
