"""What goes wrong on the way to an index is the infrastructure's fault, and never looks like a missing package."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from agentsys_sandbox.packages.indexconfig import IndexConfig
from agentsys_sandbox.packages.upstream import Upstream, UpstreamFault, shown
from unit.sandbox.upstreams import QUICK, FakeIndex, Handler, ask, fake_index, gateway_to, sha256, wheel

WHEEL = "tinypkg-1.0-py3-none-any.whl"
PAGE = "/simple/tinypkg/"


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with fake_index() as found:
        found.publish(WHEEL, wheel())
        yield found


def status(code: int) -> Handler:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def hang(request: BaseHTTPRequestHandler) -> None:
    time.sleep(1.5)
    request.close_connection = True


def body(kind: str, data: bytes, length: int | None = None) -> Handler:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(data) if length is None else length))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data)

    return answer


def drip(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "text/html")
    request.end_headers()
    for _ in range(100):
        try:
            request.wfile.write(b" ")
            request.wfile.flush()
        except OSError:
            return
        time.sleep(0.1)


FAULTS: dict[str, tuple[Handler, str]] = {
    "a server error": (status(500), "status 500"),
    "a refusal": (status(403), "status 403"),
    "missing credentials": (status(401), "status 401"),
    "a server that hangs": (hang, "did not answer in time"),
    "a page that never ends": (drip, "did not come within"),
    "a picture": (body("image/png", b"\x89PNG"), "image/png"),
    "broken JSON": (body("application/vnd.pypi.simple.v1+json", b'{"files": [{'), "JSON"),
    "JSON of something else": (body("application/vnd.pypi.simple.v1+json", b'["hello"]'), "JSON"),
    "a log-in page": (body("text/html", b"<html><a href='/login'>Please log in</a></html>"), "no file of this package"),
    "an error text": (body("text/html", b"upstream connect error"), "no file of this package"),
    "half a page": (body("text/html", b"<!DOCTYPE html><html>", length=5000), "broke off"),
}


@pytest.mark.parametrize(("handler", "words"), FAULTS.values(), ids=FAULTS)
async def test_a_failing_index_is_a_fault_and_no_missing_package(
    index: FakeIndex, tmp_path: Path, handler: Handler, words: str
) -> None:
    index.handlers[PAGE] = handler
    async with gateway_to(index, tmp_path) as gateway:
        answer = await asyncio.to_thread(ask, gateway, PAGE)
        faults = gateway.faults
    assert answer.status == 424
    assert len(faults) == 1
    assert words in faults[0]


async def test_a_package_that_no_index_has_is_404_and_no_fault(index: FakeIndex, tmp_path: Path) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        assert (await asyncio.to_thread(ask, gateway, "/simple/absent/")).status == 404
        assert gateway.faults == []


async def test_a_package_without_files_is_an_empty_page(index: FakeIndex, tmp_path: Path) -> None:
    index.pages["/simple/empty/"] = ("text/html", b"<!DOCTYPE html><html><body><h1>Links for empty</h1></body></html>")
    async with gateway_to(index, tmp_path) as gateway:
        answer = await asyncio.to_thread(ask, gateway, "/simple/empty/")
    assert (answer.status, answer.links()) == (200, [])


async def test_an_index_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with gateway_to(f"http://127.0.0.1:{port}/simple/", tmp_path) as gateway:
        assert (await asyncio.to_thread(ask, gateway, PAGE)).status == 424
        assert "cannot be reached" in gateway.faults[0]


async def test_one_failing_index_of_two_makes_the_answer_fail(index: FakeIndex, tmp_path: Path) -> None:
    index.handlers["/broken/tinypkg/"] = status(503)
    config = IndexConfig(indexes=(f"{index.url}/simple/", f"{index.url}/broken/"))
    async with gateway_to("", tmp_path, config=config) as gateway:
        assert (await asyncio.to_thread(ask, gateway, PAGE)).status == 424


async def test_a_fault_that_passes_is_tried_again(index: FakeIndex, tmp_path: Path) -> None:
    def once(request: BaseHTTPRequestHandler) -> None:
        del index.handlers[PAGE]
        status(503)(request)

    index.handlers[PAGE] = once
    async with gateway_to(index, tmp_path, attempts=2) as gateway:
        assert (await asyncio.to_thread(ask, gateway, PAGE)).status == 200
        assert gateway.faults == []


async def test_a_file_with_another_hash_is_refused_and_not_kept(index: FakeIndex, tmp_path: Path) -> None:
    index.publish("tinypkg-2.0-py3-none-any.whl", wheel(version="2.0"), digest="0" * 64)
    async with gateway_to(index, tmp_path) as gateway:
        link = (await asyncio.to_thread(ask, gateway, PAGE)).links()[1]
        answer = await asyncio.to_thread(ask, gateway, link)
        faults = gateway.faults
    assert answer.status == 424
    assert wheel(version="2.0") not in answer.body
    assert sha256(wheel(version="2.0")) in faults[0]
    assert [path for path in (tmp_path / "downloads").rglob("*") if path.is_file()] == []


async def test_a_download_that_breaks_off_is_a_fault_and_leaves_nothing(index: FakeIndex, tmp_path: Path) -> None:
    index.handlers[f"/packages/{WHEEL}"] = body("application/octet-stream", wheel()[:50], length=len(wheel()))
    async with gateway_to(index, tmp_path) as gateway:
        link = (await asyncio.to_thread(ask, gateway, PAGE)).links()[0]
        assert (await asyncio.to_thread(ask, gateway, link)).status == 424
    assert [path for path in (tmp_path / "downloads").rglob("*") if path.is_file()] == []


async def test_a_page_from_the_network_cannot_name_files_of_the_host(index: FakeIndex, tmp_path: Path) -> None:
    secret = tmp_path / WHEEL
    secret.write_bytes(b"secret")
    links = f'<a href="{secret.as_uri()}">x</a><a href="/packages/tinypkg-3.0.tar.gz">y</a>'
    index.pages[PAGE] = ("text/html", b"<!DOCTYPE html>" + links.encode())
    async with gateway_to(index, tmp_path / "cache") as gateway:
        found = (await asyncio.to_thread(ask, gateway, PAGE)).links()
    assert [link.rsplit("/", 1)[1] for link in found] == ["tinypkg-3.0.tar.gz"]


async def test_credentials_of_the_index_are_used_and_never_shown(index: FakeIndex, tmp_path: Path) -> None:
    seen: list[str] = []

    def guarded(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers.get("Authorization", ""))
        status(500)(request)

    index.handlers[PAGE] = guarded
    url = index.url.replace("http://", "http://someone:hunter2@") + "/simple/"
    async with gateway_to(url, tmp_path) as gateway:
        answer = await asyncio.to_thread(ask, gateway, PAGE)
        told = f"{gateway.faults}{gateway.log}{answer.text}"
    assert seen == ["Basic c29tZW9uZTpodW50ZXIy"]
    assert "hunter2" not in told


def test_addresses_are_shown_without_credentials() -> None:
    assert shown("https://me:pw@host.invalid:8443/simple/x/") == "https://host.invalid:8443/simple/x/"


@pytest.fixture
def untrusted(tmp_path: Path) -> Iterator[str]:
    """An index whose certificate nobody has signed but itself."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(cert)]
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip("openssl cannot make a certificate here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body("text/html", f'<!DOCTYPE html><a href="/{WHEEL}">x</a>'.encode())(self)

        def log_message(self, format: str, *args: object) -> None: ...

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Server)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}/simple/"
    server.shutdown()
    server.server_close()


def test_a_certificate_that_is_not_trusted_is_a_fault_with_its_remedy(untrusted: str) -> None:
    upstream = Upstream(IndexConfig(indexes=(untrusted,)), QUICK, attempts=1)
    with pytest.raises(UpstreamFault, match="certificate") as caught:
        upstream.page(f"{untrusted}tinypkg/", "text/html")
    assert "cert" in caught.value.hint
    upstream.close()


def test_a_bundle_in_pips_configuration_is_trusted(untrusted: str, tmp_path: Path) -> None:
    config = IndexConfig(indexes=(untrusted,), cert=str(tmp_path / "cert.pem"))
    upstream = Upstream(config, QUICK, attempts=1)
    page = upstream.page(f"{untrusted}tinypkg/", "text/html")
    assert page is not None
    assert WHEEL in page.text
    upstream.close()
