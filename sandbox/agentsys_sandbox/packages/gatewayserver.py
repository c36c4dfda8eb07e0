"""The HTTP side of the gateway: which requests there are, and the answer to each.

Refusals are answers (403, 404), never a dropped connection: installers try again for a long time after a drop. A fault
on the way to an index is answered with 424, which no installer retries, because the gateway has retried already.
"""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from agentsys_sandbox.base import SandboxError
from agentsys_sandbox.packages.filestore import FileStore
from agentsys_sandbox.packages.index import Index
from agentsys_sandbox.packages.indexpage import JSON_TYPE, FileLink, normalise, render_html, render_json
from agentsys_sandbox.packages.requestlog import Entry, RequestLog, printable
from agentsys_sandbox.packages.upstream import Upstream

if TYPE_CHECKING:
    from agentsys_sandbox.packages.gateway import GatewayOptions

_PROJECT = re.compile(r"/simple/([A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?)/?\Z")
_FILE = re.compile(r"/files/([0-9a-f]{32})/([^/\\?#]{1,300})\Z")
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})\Z")
_MAX_PART = 64 << 20
_MAX_DISCARDED = 1 << 20
_CHUNK = 1 << 18
_CONNECTIONS = 64
_IDLE_SECONDS = 120.0


class Refused(SandboxError):
    """A request that gets a refusal as its answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Span:
    """Bytes `start` to `end`, inclusive."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.end - self.start + 1


class GatewayServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens on a unix socket (a path) or on an address and port; a thread for each connection, bounded in number."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        place: Path | tuple[str, int],
        index: Index,
        files: FileStore,
        upstream: Upstream,
        requests: RequestLog,
        options: GatewayOptions,
    ) -> None:
        self.index = index
        self.files = files
        self.upstream = upstream
        self.requests = requests
        self.options = options
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)
        if isinstance(place, Path):
            self.address_family = socket.AF_UNIX
            super().__init__(cast(Any, str(place)), _Handler)
            # Inside, another uid connects; the folder above keeps other users of the host out.
            place.chmod(0o666)
        else:
            super().__init__(place, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread, or hang up where too many connections are open."""
        if not self._slots.acquire(timeout=5):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection and free its place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no event; everything else is a bug that must be seen."""
        import sys

        error = sys.exception()
        if isinstance(error, (OSError, TimeoutError)):
            return
        self.requests.fault(f"the gateway failed on a request: {error!r}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "agentsys-index"
    sys_version = ""
    timeout = _IDLE_SECONDS

    @property
    def _gateway(self) -> GatewayServer:
        return cast(GatewayServer, self.server)

    def do_GET(self) -> None:
        """Answer with a page or a file."""
        self._entry: dict[str, Any] = {}
        try:
            if not self._gateway.requests.admit():
                self.close_connection = True
                raise Refused(HTTPStatus.FORBIDDEN, "this installation asked more often than any installation needs to")
            self._answer()
        except Refused as refusal:
            self._refuse(refusal.status, refusal.message)
        except SandboxError as fault:
            self._gateway.requests.fault(fault.message)
            self._refuse(HTTPStatus.FAILED_DEPENDENCY, fault.message)

    do_HEAD = do_GET

    def _deny_method(self) -> None:
        self._entry = {}
        self._discard_body()
        self._refuse(HTTPStatus.FORBIDDEN, "this index can only be read")

    def _discard_body(self) -> None:
        """Read what is sent along and forget it: closing on unread data would take the answer away from the client."""
        self.close_connection = True
        length = self.headers.get("Content-Length", "")
        if length.isdecimal():
            self.rfile.read(min(int(length), _MAX_DISCARDED))

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_CONNECT = do_TRACE = _deny_method

    def _answer(self) -> None:
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self._discard_body()
            raise Refused(HTTPStatus.FORBIDDEN, "a request carries no body here")
        if not self.path.startswith("/"):
            raise Refused(HTTPStatus.FORBIDDEN, "other hosts cannot be reached from here")
        if "?" in self.path or "#" in self.path:
            raise Refused(HTTPStatus.FORBIDDEN, "query strings are not passed on")
        if match := _PROJECT.match(self.path):
            return self._project(normalise(match[1]))
        if match := _FILE.match(self.path):
            return self._file(match[1], unquote(match[2]))
        raise Refused(HTTPStatus.FORBIDDEN, "there is nothing but /simple/<name>/ and /files/")

    def _project(self, package: str) -> None:
        self._entry = {"package": package}
        self._check_denied(package)
        links = self._gateway.index.project(package)
        if links is None:
            raise Refused(HTTPStatus.NOT_FOUND, f"no package index of the host has `{package}`")
        if JSON_TYPE in self.headers.get("Accept", ""):
            body, kind = render_json(package, links), JSON_TYPE
        else:
            body, kind = render_html(package, links), "text/html; charset=utf-8"
        self._claim(len(body))
        self._begin(HTTPStatus.OK, {"Content-Type": kind, "Content-Length": str(len(body))}, len(body))
        self._send(body)

    def _file(self, key: str, name: str) -> None:
        metadata = name.endswith(".metadata")
        found = self._gateway.index.file(key)
        if found is None or found[1].filename != (name.removesuffix(".metadata") if metadata else name):
            raise Refused(HTTPStatus.NOT_FOUND, "no page of this index has named such a file")
        package, link = found
        self._entry = {"package": package, "version": link.version, "sha256": link.sha256}
        self._check_denied(package)
        if metadata:
            return self._metadata(link)
        wanted = self.headers.get("Range", "")
        path = self._gateway.files.ready(link)
        if path is None and (wanted or self.command == "HEAD") and self._passed_through(link, wanted):
            return None
        path = path or self._gateway.files.fetch(link)
        self._entry["sha256"] = self._gateway.files.sha256(link)
        return self._serve(path, wanted)

    def _metadata(self, link: FileLink) -> None:
        if link.metadata is None:
            raise Refused(HTTPStatus.NOT_FOUND, "the index has no separate metadata of this file")
        body = self._gateway.files.metadata(link)
        self._claim(len(body))
        self._begin(HTTPStatus.OK, {"Content-Type": "text/plain", "Content-Length": str(len(body))}, len(body))
        self._send(body)

    def _passed_through(self, link: FileLink, wanted: str) -> bool:
        """Answer from the upstream without the whole file, as installers ask while they choose versions.

        Such bytes cannot be checked; they only choose. What is installed is a whole file, and that is checked.
        """
        size = link.size if link.size is not None else self._gateway.upstream.size(link.url)
        if size is None:
            return False
        if self.command == "HEAD" and not wanted:
            self._begin(HTTPStatus.OK, _file_headers(size), 0)
            return True
        span = _span(wanted, size)
        if span is None or span.size > _MAX_PART or span.size == size:
            return False
        body = b"" if self.command == "HEAD" else self._gateway.upstream.part(link.url, span.start, span.end)
        if body is None:
            return False
        self._claim(len(body))
        headers = _file_headers(span.size) | {"Content-Range": f"bytes {span.start}-{span.end}/{size}"}
        self._begin(HTTPStatus.PARTIAL_CONTENT, headers, len(body))
        self._send(body)
        return True

    def _serve(self, path: Path, wanted: str) -> None:
        size = path.stat().st_size
        span = _span(wanted, size)
        headers = _file_headers(span.size if span else size)
        if span:
            headers["Content-Range"] = f"bytes {span.start}-{span.end}/{size}"
        sent = 0 if self.command == "HEAD" else (span.size if span else size)
        self._claim(sent)
        self._begin(HTTPStatus.PARTIAL_CONTENT if span else HTTPStatus.OK, headers, sent)
        if self.command == "HEAD":
            return
        with path.open("rb") as content:
            content.seek(span.start if span else 0)
            while sent > 0 and (chunk := content.read(min(_CHUNK, sent))):
                self.wfile.write(chunk)
                sent -= len(chunk)

    def _check_denied(self, package: str) -> None:
        reason = self._gateway.options.denied.get(package)
        if reason is not None:
            raise Refused(HTTPStatus.FORBIDDEN, f"`{package}` is refused: {reason}")

    def _claim(self, size: int) -> None:
        quota = self._gateway.options.quota
        if self.command != "HEAD" and not self._gateway.requests.claim(size, quota):
            raise Refused(HTTPStatus.FORBIDDEN, f"the quota of {quota} bytes is used up")

    def _begin(self, status: int, headers: dict[str, str], sent: int) -> None:
        self._note(status, "served", sent)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, body: bytes) -> None:
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: int, reason: str) -> None:
        body = f"agentsys index gateway: {reason}\n".encode()
        self._note(status, reason, 0)
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self._send(body)

    def _note(self, status: int, decision: str, sent: int) -> None:
        entry = Entry(
            printable(self.command or ""), printable(self.path), int(status), decision, bytes=sent, **self._entry
        )
        self._gateway.requests.add(entry)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Malformed requests, which the base class finds: written down like the others."""
        self.command, self.path = getattr(self, "command", ""), getattr(self, "path", "")
        self._entry = {}
        self.close_connection = True
        self._refuse(code, message or "malformed request")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal: the request log has it all."""


def _file_headers(size: int) -> dict[str, str]:
    return {"Content-Type": "application/octet-stream", "Content-Length": str(size), "Accept-Ranges": "bytes"}


def _span(wanted: str, size: int) -> Span | None:
    """The bytes that a Range header asks for; None where there is none, or one that may be ignored (RFC 9110, 14.2)."""
    match = _RANGE.match(wanted)
    if not match or (not match[1] and not match[2]):
        return None
    if not match[1]:
        start, end = max(0, size - int(match[2])), size - 1
    else:
        start, end = int(match[1]), min(int(match[2] or size - 1), size - 1)
    if start > end:
        raise Refused(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"the file has {size} bytes")
    return Span(start, end)
