"""Transfers against a real server: broken ones go on, redirects stay with the source, sizes are bounded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentsys.core.errors import BlockedError, Interrupted, LimitReached, PrerequisiteError
from agentsys.verify.data.wire import ATTEMPTS, Remote, Wire
from unit.verify.fetched.server import Site, serving

DATA = bytes(range(256)) * 4000
URL = "https://data.example.org/x.bin"
REMOTE = Remote(URL, "x.bin")
BIG = 1 << 30


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site({"/x.bin": DATA})) as made:
        yield made


@pytest.fixture
def wire(site: Site) -> Wire:
    return Wire(["example.org"], {"data.example.org": site.base}, pause=0.0)


def test_a_file_arrives_whole_and_no_password_is_sent(wire: Wire, site: Site, tmp_path: Path) -> None:
    wire.download(REMOTE, tmp_path / "part", BIG)
    assert (tmp_path / "part").read_bytes() == DATA
    assert not any("authorization" in {name.lower() for name in row} for row in site.headers)


@pytest.mark.parametrize("lie", [False, True])
def test_a_broken_transfer_goes_on_where_it_broke(wire: Wire, site: Site, tmp_path: Path, lie: bool) -> None:
    site.cut["/x.bin"], site.lie = [1000, 200_000], lie
    wire.download(Remote(URL, "x.bin", len(DATA)), tmp_path / "part", BIG)
    assert (tmp_path / "part").read_bytes() == DATA
    assert [wanted for _, wanted in site.asked] == ["", "bytes=1000-", "bytes=201000-"]


def test_a_server_without_ranges_begins_again(wire: Wire, site: Site, tmp_path: Path) -> None:
    site.cut["/x.bin"], site.ranges = [5000], False
    wire.download(REMOTE, tmp_path / "part", BIG)
    assert (tmp_path / "part").read_bytes() == DATA


def test_a_file_that_changed_meanwhile_is_not_put_together_of_two_versions(
    wire: Wire, site: Site, tmp_path: Path
) -> None:
    site.cut["/x.bin"] = [1000]
    other = bytes(reversed(DATA))

    def change(_url: str, _size: int) -> None:
        site.files["/x.bin"] = other

    wire.said = change
    wire.download(REMOTE, tmp_path / "part", BIG)
    assert (tmp_path / "part").read_bytes() == other


@pytest.mark.parametrize("tags", [False, True])
def test_what_an_earlier_process_left_is_taken_only_where_something_tells_that_it_belongs(
    wire: Wire, site: Site, tmp_path: Path, tags: bool
) -> None:
    site.tags = tags
    (tmp_path / "part").write_bytes(b"another file")
    wire.download(REMOTE, tmp_path / "part", BIG)
    assert (tmp_path / "part").read_bytes() == DATA and site.asked == [("/x.bin", "")]


def test_a_server_that_never_delivers_is_given_up_with_what_to_do(wire: Wire, site: Site, tmp_path: Path) -> None:
    site.status["/x.bin"] = [503] * 50
    with pytest.raises(PrerequisiteError, match="status 503") as caught:
        wire.download(REMOTE, tmp_path / "part", BIG)
    assert site.paths["/x.bin"] == ATTEMPTS and "goes on" in caught.value.hint


@pytest.mark.parametrize(("status", "words"), [(403, "not public"), (404, "there is nothing")])
def test_what_is_refused_or_absent_is_asked_for_once(
    wire: Wire, site: Site, tmp_path: Path, status: int, words: str
) -> None:
    site.status["/x.bin"] = [status] * 3
    with pytest.raises(PrerequisiteError, match=words):
        wire.download(REMOTE, tmp_path / "part", BIG)
    assert site.paths["/x.bin"] == 1


@pytest.mark.parametrize(
    "target",
    ["https://evil.example.com/x.bin", "http://127.0.0.1:9/x.bin", "http://169.254.169.254/x", "//evil.test/x"],
)
def test_a_redirect_to_another_host_is_refused_and_nothing_is_asked_there(
    wire: Wire, site: Site, tmp_path: Path, target: str
) -> None:
    site.redirects["/x.bin"] = target
    with pytest.raises(BlockedError, match="another host"):
        wire.download(REMOTE, tmp_path / "part", BIG)
    assert site.asked == [("/x.bin", "")] and not (tmp_path / "part").exists()


def test_a_redirect_within_the_source_or_to_where_it_keeps_its_files_is_followed(
    wire: Wire, site: Site, tmp_path: Path
) -> None:
    site.redirects["/old.bin"] = "/moved.bin"
    site.redirects["/moved.bin"] = "https://files.cdn.example/x.bin"
    wire.mirrors = {**wire.mirrors, "files.cdn.example": site.base}
    wire.download(Remote("https://data.example.org/old.bin", "x", 0, "", ("cdn.example",)), tmp_path / "part", BIG)
    assert (tmp_path / "part").read_bytes() == DATA


def test_redirects_in_a_circle_end(wire: Wire, site: Site, tmp_path: Path) -> None:
    site.redirects["/x.bin"] = "/x.bin"
    with pytest.raises(PrerequisiteError, match="too often"):
        wire.download(REMOTE, tmp_path / "part", BIG)


@pytest.mark.parametrize("url", ["https://other.org/x", "http://data.example.org/x", "https://example.org.evil.test/x"])
def test_a_host_that_the_policy_does_not_permit_is_not_asked(wire: Wire, site: Site, tmp_path: Path, url: str) -> None:
    with pytest.raises(BlockedError, match="permits no data from"):
        wire.download(Remote(url, "x"), tmp_path / "part", BIG)
    with pytest.raises(BlockedError):
        wire.json(url)
    assert site.asked == []


@pytest.mark.parametrize("lie", [False, True])
def test_no_more_is_taken_than_is_allowed(wire: Wire, site: Site, tmp_path: Path, lie: bool) -> None:
    site.lie = lie
    with pytest.raises(LimitReached, match="data_budget"):
        wire.download(REMOTE, tmp_path / "part", 1000)
    assert not (tmp_path / "part").exists() or (tmp_path / "part").stat().st_size <= 1000


def test_a_transfer_stops_soon_after_it_is_told_to(wire: Wire, site: Site, tmp_path: Path) -> None:
    site.held = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            wire.download(REMOTE, tmp_path / "part", BIG)
        except Interrupted as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert site.begun.wait(20)
    wire.stop.set()
    site.held.set()
    thread.join(20)
    assert failed and not thread.is_alive()


def test_json_that_is_none_is_named(wire: Wire, site: Site) -> None:
    with pytest.raises(PrerequisiteError, match="no JSON"):
        wire.json(URL)
    site.add_json("/a", {"x": 1})
    assert wire.json("https://data.example.org/a") == {"x": 1}
