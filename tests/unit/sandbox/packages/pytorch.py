"""PyTorch's own indexes as uv finds them, on this machine: a proxy that answers for their host from folders."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from unit.sandbox.packages.shelf import Shelf

HOST = "download.pytorch.org"
BUILDS = ("cpu", "cu118", "cu126", "cu128", "cu130")
"""Indexes that have the version; PyTorch's other ones do not."""


def fill(folder: Path, version: str = "2.8.0") -> dict[str, str]:
    """Make `torch` of each build, and a `numpy` that must not be taken from there; return the SHA-256 by build."""
    made: dict[str, str] = {}
    for build in BUILDS:
        shelf = Shelf(folder / "whl" / build)
        suffix, cuda = f"-{build[:4]}" * (build < "cu13"), f"{build[2:4]}.{build[4:]}.1"
        needs = [] if build == "cpu" else [f"nvidia-cuda-runtime{suffix}=={cuda}"]
        files = {"torch.py": f"build = {build!r}\n"}
        made[build] = shelf.wheel("torch", f"{version}+{build}", "numpy", *needs, files=files)
        shelf.wheel("numpy", "9.0")
    return made


@contextmanager
def serving(folder: Path, place: Path) -> Generator[dict[str, str]]:
    """Serve the indexes of a folder; yields the variables with which uv comes here for every https address.

    Args:
        place: takes keys.
    """
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_certificate(place))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Proxy, context, folder))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        yield {"HTTPS_PROXY": address, "SSL_CERT_FILE": str(place / "ca.pem"), "UV_HTTP_RETRIES": "0", "NO_PROXY": ""}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class _Proxy(BaseHTTPRequestHandler):
    """Takes CONNECT to the one host, and answers itself in its place."""

    def __init__(self, context: ssl.SSLContext, folder: Path, *rest: object) -> None:
        self._context, self._folder = context, folder
        super().__init__(*rest)  # pyright: ignore[reportArgumentType]

    def do_CONNECT(self) -> None:
        if self.path != f"{HOST}:443":
            self.send_error(502)
            return
        self.send_response(200)
        self.end_headers()
        try:
            inside = self._context.wrap_socket(self.connection, server_side=True)
            _Files(inside, self.client_address, self.server, directory=str(self._folder))  # pyright: ignore[reportArgumentType]
        except OSError:  # uv closes what it no longer needs
            return
        finally:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


def _certificate(place: Path) -> tuple[Path, Path]:
    place.mkdir(parents=True, exist_ok=True)
    (place / "names").write_text(f"subjectAltName=DNS:{HOST}\n")
    for words in (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout ca-key.pem -out ca.pem",
        f"openssl req -newkey rsa:2048 -nodes -subj /CN={HOST} -keyout key.pem -out request.pem",
        "openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile names"
        " -out cert.pem",
    ):
        subprocess.run(words.split(), cwd=place, check=True, capture_output=True)
    return place / "cert.pem", place / "key.pem"
