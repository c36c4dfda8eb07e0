"""The package index gateway gives files of packages and nothing else, checked and written down."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentsys_sandbox.packages.gateway import SOCKET_NAME, forwarder_command
from unit.sandbox.upstreams import FakeIndex, ask, fake_index, gateway_to, sha256, wheel

WHEEL = "tinypkg-1.0-py3-none-any.whl"


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with fake_index() as found:
        found.publish(WHEEL, wheel())
        yield found


async def test_a_page_names_files_by_addresses_of_the_gateway_alone(index: FakeIndex, tmp_path: Path) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        page = await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")
    assert page.status == 200
    assert [link.split("/")[1] for link in page.links()] == ["files"]
    assert index.url not in page.text
    assert f"#sha256={sha256(wheel())}" in page.text


async def test_the_same_page_is_there_in_json(index: FakeIndex, tmp_path: Path) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        kind = "application/vnd.pypi.simple.v1+json"
        page = await asyncio.to_thread(ask, gateway, "/simple/tinypkg/", Accept=kind)
    found = json.loads(page.body)
    assert page.headers["content-type"] == kind
    assert [(each["filename"], each["hashes"]) for each in found["files"]] == [(WHEEL, {"sha256": sha256(wheel())})]


async def test_a_file_comes_whole_and_the_log_says_what_it_was(index: FakeIndex, tmp_path: Path) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        link = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()[0]
        answer = await asyncio.to_thread(ask, gateway, link)
        entry = gateway.log[-1]
    assert answer.body == wheel()
    assert (entry["package"], entry["version"]) == ("tinypkg", "1.0")
    assert (entry["sha256"], entry["bytes"], entry["decision"]) == (sha256(wheel()), len(wheel()), "served")


async def test_a_second_run_takes_the_file_from_the_cache(index: FakeIndex, tmp_path: Path) -> None:
    for _ in range(2):
        async with gateway_to(index, tmp_path) as gateway:
            link = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()[0]
            assert (await asyncio.to_thread(ask, gateway, link)).body == wheel()
    assert index.seen.count(f"GET /packages/{WHEEL}") == 1


async def test_what_a_killed_download_left_is_removed_and_a_running_one_is_not(
    index: FakeIndex, tmp_path: Path
) -> None:
    folder = tmp_path / "downloads" / "ab"
    folder.mkdir(parents=True)
    old, young = folder / ".part-old", folder / ".part-young"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    async with gateway_to(index, tmp_path):
        assert (old.exists(), young.exists()) == (False, True)


async def test_a_damaged_cache_is_not_served(index: FakeIndex, tmp_path: Path) -> None:
    for _ in range(2):
        async with gateway_to(index, tmp_path) as gateway:
            link = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()[0]
            assert (await asyncio.to_thread(ask, gateway, link)).body == wheel()
        cached = next(path for path in (tmp_path / "downloads").rglob("*") if path.is_file())
        cached.write_bytes(b"something else")


@pytest.mark.parametrize(
    ("header", "expected", "content_range"),
    [
        ("bytes=0-9", slice(0, 10), "bytes 0-9/"),
        ("bytes=10-", slice(10, None), "bytes 10-"),
        ("bytes=-8", slice(-8, None), "bytes "),
    ],
)
@pytest.mark.parametrize("downloaded", [False, True])
async def test_parts_of_a_file_are_served(
    index: FakeIndex, tmp_path: Path, header: str, expected: slice, content_range: str, downloaded: bool
) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        link = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()[0]
        if downloaded:
            await asyncio.to_thread(ask, gateway, link)
        answer = await asyncio.to_thread(ask, gateway, link, Range=header)
    assert (answer.status, answer.body) == (206, wheel()[expected])
    assert answer.headers["content-range"].startswith(content_range)
    assert answer.headers["content-range"].endswith(f"/{len(wheel())}")


async def test_a_part_beyond_the_end_is_416(index: FakeIndex, tmp_path: Path) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        link = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()[0]
        assert (await asyncio.to_thread(ask, gateway, link, Range="bytes=999999-")).status == 416


async def test_an_upstream_without_parts_still_gives_the_right_bytes(index: FakeIndex, tmp_path: Path) -> None:
    index.ranges = False
    async with gateway_to(index, tmp_path) as gateway:
        link = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()[0]
        assert (await asyncio.to_thread(ask, gateway, link, Range="bytes=5-14")).body == wheel()[5:15]


async def test_head_tells_the_size_and_sends_nothing(index: FakeIndex, tmp_path: Path) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        link = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()[0]
        answer = await asyncio.to_thread(ask, gateway, link, "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(len(wheel()))
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"])
async def test_nothing_can_be_sent(index: FakeIndex, tmp_path: Path, method: str) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        answer = await asyncio.to_thread(ask, gateway, "/simple/tinypkg/", method, b"secret")
        entry = gateway.log[-1]
    assert answer.status == 403
    assert (entry["method"], entry["status"]) == (method, 403)
    assert index.seen == []


async def test_a_body_on_a_get_is_refused(index: FakeIndex, tmp_path: Path) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        assert (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/", "GET", b"secret")).status == 403
    assert index.seen == []


@pytest.mark.parametrize(
    "target",
    [
        "/simple/tinypkg/?leak=secret",
        "/simple/tinypkg/#secret",
        "http://127.0.0.1:1/simple/tinypkg/",
        "http://example.invalid/simple/tinypkg/",
        "//example.invalid/simple/tinypkg/",
        "/simple/../secret/",
        "/simple/..%2fsecret/",
        "/simple/tiny%70kg/",
        "/simple/tinypkg/../../secret",
        "/simple/",
        "/",
        "/simple/-/",
        "/simple/" + "a" * 200 + "/",
        "/files/../../../../etc/passwd",
        "/files/0123/x.whl",
        "/packages/" + WHEEL,
        "*",
    ],
)
async def test_every_other_path_is_refused_and_reaches_no_index(index: FakeIndex, tmp_path: Path, target: str) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        answer = await asyncio.to_thread(ask, gateway, target)
        assert answer.status in (403, 404)
        assert gateway.log[-1]["status"] == answer.status
        assert gateway.faults == []
    assert index.seen == []


@pytest.mark.parametrize(
    ("target", "words"),
    [("/simple/tinypkg/?q=1", "query strings"), ("http://example.invalid/simple/tinypkg/", "other hosts")],
)
async def test_a_refusal_says_why(index: FakeIndex, tmp_path: Path, target: str, words: str) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        answer = await asyncio.to_thread(ask, gateway, target)
        decision = str(gateway.log[-1]["decision"])
    assert words in answer.text
    assert words in decision


async def test_a_file_that_no_page_has_named_is_not_there(index: FakeIndex, tmp_path: Path) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        link = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()[0]
        other = link.rsplit("/", 1)[0] + "/other-1.0-py3-none-any.whl"
        invented = f"/files/{'0' * 32}/{WHEEL}"
        assert (await asyncio.to_thread(ask, gateway, other)).status == 404
        assert (await asyncio.to_thread(ask, gateway, invented)).status == 404


def send(path: Path, data: bytes) -> bytes:
    """Bytes as they are, and the beginning of the answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return client.recv(1000)


@pytest.mark.parametrize(
    "data", [b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"BREW /simple/x/ HTTP/1.1\r\n\r\n", b"GET / HTTP/9\r\n\r\n"]
)
async def test_garbage_on_the_socket_is_answered_and_does_no_harm(
    index: FakeIndex, tmp_path: Path, data: bytes
) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        answer = await asyncio.to_thread(send, gateway.socket_dir / SOCKET_NAME, data)
        assert b"agentsys" in answer
        assert (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).status == 200
        assert gateway.faults == []


async def test_what_the_sandbox_writes_into_a_request_cannot_harm_the_log(index: FakeIndex, tmp_path: Path) -> None:
    request = b"GET /\x1b]0;owned\x07\xff" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n"
    async with gateway_to(index, tmp_path) as gateway:
        await asyncio.to_thread(send, gateway.socket_dir / SOCKET_NAME, request)
        entry = gateway.log[-1]
    assert entry["status"] == 403
    assert str(entry["path"]).isascii() and str(entry["path"]).isprintable()
    assert len(str(entry["path"])) < 2000


async def test_a_denied_package_is_refused_with_its_reason(index: FakeIndex, tmp_path: Path) -> None:
    async with gateway_to(index, tmp_path, denied={"tinypkg": "a known typing trap"}) as gateway:
        answer = await asyncio.to_thread(ask, gateway, "/simple/TinyPkg/")
    assert answer.status == 403
    assert "a known typing trap" in answer.text
    assert index.seen == []


async def test_files_younger_than_the_cooling_time_or_of_unknown_age_are_not_offered(
    index: FakeIndex, tmp_path: Path
) -> None:
    times = {
        "1.0": "2024-01-01T00:00:00Z",
        "2.0": "2024-05-01T00:00:00.5",
        "3.0": "2024-07-01T00:00:00Z",
        "4.0": "soon",
    }
    anchors = [f'<a href="/p/tinypkg-{v}.tar.gz" data-upload-time="{time}">x</a>' for v, time in times.items()]
    anchors.append('<a href="/p/tinypkg-5.0.tar.gz">x</a>')
    index.pages["/simple/tinypkg/"] = ("text/html", ("<!DOCTYPE html>" + "".join(anchors)).encode())
    before = datetime(2024, 6, 1, tzinfo=UTC)
    async with gateway_to(index, tmp_path, uploaded_before=before) as gateway:
        links = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()
    assert [link.rsplit("/", 1)[1] for link in links] == ["tinypkg-1.0.tar.gz", "tinypkg-2.0.tar.gz"]


async def test_the_quota_ends_the_service(index: FakeIndex, tmp_path: Path) -> None:
    async with gateway_to(index, tmp_path, quota=len(wheel()) + 500) as gateway:
        link = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()[0]
        assert (await asyncio.to_thread(ask, gateway, link)).status == 200
        answer = await asyncio.to_thread(ask, gateway, link)
    assert answer.status == 403
    assert "quota" in answer.text


async def test_local_wheels_come_before_the_index(index: FakeIndex, tmp_path: Path) -> None:
    local = tmp_path / "wheels"
    local.mkdir()
    (local / WHEEL).write_bytes(wheel(body="VALUE = 'local'\n"))
    (local / "tinypkg-1.0+cpu-py3-none-any.whl").write_bytes(wheel(version="1.0+cpu"))
    async with gateway_to(index, tmp_path / "cache", find_links=(str(local),)) as gateway:
        links = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()
        bodies = [(await asyncio.to_thread(ask, gateway, link)).body for link in links]
        entry = gateway.log[-1]
    assert bodies == [wheel(version="1.0+cpu"), wheel(body="VALUE = 'local'\n")]
    assert entry["sha256"] == sha256(wheel(body="VALUE = 'local'\n"))


async def test_an_encoded_plus_names_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "tinypkg-1.0+cpu-py3-none-any.whl").write_bytes(wheel(version="1.0+cpu"))
    async with gateway_to("", tmp_path / "cache", find_links=(str(tmp_path),)) as gateway:
        link = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()[0]
        assert (await asyncio.to_thread(ask, gateway, link.replace("+", "%2B"))).status == 200


async def test_an_index_in_a_folder_works_and_its_hashes_are_checked(tmp_path: Path) -> None:
    project = tmp_path / "simple" / "tinypkg"
    project.mkdir(parents=True)
    (tmp_path / WHEEL).write_bytes(wheel())
    (project / "index.html").write_text(f'<a href="../../{WHEEL}#sha256={"0" * 64}">{WHEEL}</a>')
    async with gateway_to((tmp_path / "simple").as_uri(), tmp_path / "cache") as gateway:
        link = (await asyncio.to_thread(ask, gateway, "/simple/tinypkg/")).links()[0]
        answer = await asyncio.to_thread(ask, gateway, link)
        assert (await asyncio.to_thread(ask, gateway, "/simple/absent/")).status == 404
    assert answer.status == 424


async def test_the_socket_is_for_the_sandbox_and_nobody_else(index: FakeIndex, tmp_path: Path) -> None:
    async with gateway_to(index, tmp_path) as gateway:
        folder = gateway.socket_dir
        assert [each.name for each in folder.iterdir()] == [SOCKET_NAME]
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert not folder.parent.exists()


async def test_a_gateway_is_closed_after_an_error_too(index: FakeIndex, tmp_path: Path) -> None:
    folder = Path()
    with pytest.raises(ZeroDivisionError):
        async with gateway_to(index, tmp_path) as gateway:
            folder = gateway.socket_dir
            raise ZeroDivisionError
    assert not folder.exists()


def test_a_command_is_wrapped_with_the_forwarder() -> None:
    found = forwarder_command("/run/agentsys/index.sock", ["uv", "pip", "install", "x"])
    assert found[-5:] == ["/run/agentsys/index.sock", "uv", "pip", "install", "x"]
