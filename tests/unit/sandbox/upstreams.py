"""A package index on the loopback interface that behaves as a test wants, and a client for the gateway's socket."""

from __future__ import annotations

import hashlib
import http.client
import io
import re
import socket
import socketserver
import threading
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from agentsys_sandbox.packages.gateway import SOCKET_NAME, Gateway, GatewayOptions
from agentsys_sandbox.packages.indexconfig import IndexConfig
from agentsys_sandbox.packages.upstream import Timeouts

Handler = Callable[[BaseHTTPRequestHandler], None]
QUICK = Timeouts(connect=2.0, read=0.5, page=2.0)


def wheel(name: str = "tinypkg", version: str = "1.0", body: str = "VALUE = 42\n") -> bytes:
    """A real wheel with one module; the same arguments give the same bytes."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": body,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class FakeIndex:
    """Answers by path; everything else is 404. `seen` has each request line with its Range header."""

    url: str = ""
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict[str, tuple[str, bytes]])
    handlers: dict[str, Handler] = field(default_factory=dict[str, Handler])
    ranges: bool = True
    seen: list[str] = field(default_factory=list[str])

    def publish(self, filename: str, data: bytes, *, digest: str | None = None, page: str = "tinypkg") -> None:
        """Put one file on a project's page."""
        fragment = f"#sha256={sha256(data) if digest is None else digest}" if digest != "" else ""
        old = self.pages.get(f"/simple/{page}/", ("", b""))[1]
        self.pages[f"/simple/{page}/"] = (
            "text/html",
            (old or b"<!DOCTYPE html>") + f'<a href="/packages/{filename}{fragment}">{filename}</a>'.encode(),
        )
        self.pages[f"/packages/{filename}"] = ("application/octet-stream", data)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range", "")
        self.seen.append(f"{request.command} {request.path} {wanted}".strip())
        if request.path in self.handlers:
            return self.handlers[request.path](request)
        kind, body = self.pages.get(request.path, ("", b""))
        status = 200 if kind else 404
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted)
        headers = {}
        if span and self.ranges and kind:
            start, end = int(span[1]), min(int(span[2]), len(body) - 1)
            status, headers = 206, {"Content-Range": f"bytes {start}-{end}/{len(body)}"}
            body = body[start : end + 1]
        request.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
        return None


class _Listener(socketserver.ThreadingTCPServer):
    # Not http.server's: that one asks the resolver for its own name.
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


@contextmanager
def fake_index() -> Iterator[FakeIndex]:
    """Serve a fake index on 127.0.0.1 until the end of the block."""
    index = FakeIndex()

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.answer(self)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    server = _Listener(("127.0.0.1", 0), Server)
    index.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()


@asynccontextmanager
async def gateway_to(
    index: FakeIndex | str, cache: Path, *, find_links: tuple[str, ...] = (), **options: object
) -> AsyncIterator[Gateway]:
    """A gateway whose only index is this one, impatient and without retries."""
    url = index if isinstance(index, str) else f"{index.url}/simple/"
    config = IndexConfig(indexes=(url,) if url else (), find_links=find_links)
    wanted = {"config": config, "timeouts": QUICK, "attempts": 1} | options
    async with Gateway(cache, GatewayOptions(**wanted)) as gateway:  # type: ignore[arg-type]
        yield gateway


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def links(self) -> list[str]:
        """Addresses on a page."""
        return re.findall(r'href="([^"#]*)', self.text)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self._path)


def ask(gateway: Gateway, target: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """One request on the gateway's socket; the target is sent as it is."""
    connection = _UnixConnection(str(gateway.socket_dir / SOCKET_NAME))
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()
