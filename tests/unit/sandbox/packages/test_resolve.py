"""Wheels and nothing but wheels, from the user's sources, and each failure under its own name."""

from __future__ import annotations

import asyncio
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agentsys_sandbox.packages.lock import Lock, parse_lock
from agentsys_sandbox.packages.store import PackageStore
from agentsys_sandbox.packages.target import Target
from agentsys_sandbox.packages.wish import Wish
from agentsys_sandbox.spec import IndexRules, Outcome
from unit.sandbox.packages.shelf import Shelf, wheel

TARGET = Target("3.11.7", "x86_64-manylinux_2_36")
RULES = IndexRules()


async def test_a_wish_becomes_a_lock_with_the_hash_of_the_chosen_file_first(store: PackageStore, shelf: Shelf) -> None:
    plain = shelf.wheel("lib", "1.0")
    compiled = shelf.wheel("lib", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    shelf.wheel("lib", "1.0", tag="cp311-cp311-win_amd64")
    shelf.wheel("app", "2.0", "lib>=1")
    found = await store.resolve(Wish(("app",)), TARGET, RULES)
    assert found.lock is not None, found.result
    assert found.lock.pins == ("app==2.0", "lib==1.0")
    assert {each.name: each.sha256 for each in found.lock.packages}["lib"] == compiled
    arm = await store.resolve(Wish(("app",)), Target("3.11.7", "aarch64-manylinux_2_36"), RULES)
    assert arm.lock is not None
    assert (found.lock.rows[1].hashes[0], arm.lock.rows[1].hashes[0]) == (compiled, plain)
    assert set(found.lock.rows[1].hashes) == set(arm.lock.rows[1].hashes)
    assert parse_lock(found.lock.text).rows == found.lock.rows


async def test_nothing_of_a_source_distribution_runs_on_the_host(
    store: PackageStore, shelf: Shelf, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    setup = f"open({str(mark)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='onlysource', version='1.0')\n"
    shelf.sdist("onlysource", "1.0", {"setup.py": setup, "PKG-INFO": "Metadata-Version: 2.1\nName: onlysource\n"})
    found = await store.resolve(Wish(("onlysource",)), TARGET, RULES)
    assert found.result.outcome is Outcome.NONZERO
    assert "`onlysource`: only a source distribution fits" in found.result.message
    assert not mark.exists()


async def test_a_newer_source_distribution_does_not_hide_an_older_wheel(store: PackageStore, shelf: Shelf) -> None:
    shelf.wheel("lib", "1.0")
    shelf.sdist("lib", "2.0", {"setup.py": "raise SystemExit"})
    found = await store.resolve(Wish(("lib",)), TARGET, RULES)
    assert found.lock is not None
    assert found.lock.pins == ("lib==1.0",)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("absent",), "absent was not found in the package registry"),
        (("lib==9",), "no version of lib==9"),
        (("lib==1.0", "lib==2.0"), "lib==1.0 and lib==2.0"),
        (("app", "lib>=2"), "of app depend on lib<2"),
        (("lib=>1",), "Failed to parse: `lib=>1`"),
    ],
)
async def test_a_wrong_requirement_is_told_in_uvs_words(
    store: PackageStore, shelf: Shelf, lines: tuple[str, ...], words: str
) -> None:
    shelf.wheel("lib", "1.0")
    shelf.wheel("lib", "2.0")
    shelf.wheel("app", "1.0", "lib<2")
    found = await store.resolve(Wish(lines), TARGET, RULES)
    assert found.result.outcome is Outcome.NONZERO
    assert words in " ".join(found.result.text().split())


@pytest.mark.parametrize(
    "line",
    [
        "-r /etc/passwd",
        "--index-url=http://host.invalid",
        "lib @ file:lib.whl",
        "lib @ https://host.invalid/x",
        "./lib",
    ],
)
async def test_what_would_reach_around_the_index_is_refused(store: PackageStore, line: str) -> None:
    found = await store.resolve(Wish((line,)), TARGET, RULES)
    assert found.result.outcome is Outcome.DENIED_BY_POLICY
    constrained = await store.resolve(Wish(("lib",), (line,)), TARGET, RULES)
    assert constrained.result.outcome is Outcome.DENIED_BY_POLICY


async def test_a_denied_name_deep_in_the_set_refuses_the_whole_with_the_reason(
    store: PackageStore, shelf: Shelf
) -> None:
    shelf.wheel("bad", "1.0")
    shelf.wheel("app", "1.0", "bad")
    found = await store.resolve(Wish(("app",)), TARGET, IndexRules(denied={"bad": "it steals"}))
    assert found.result.outcome is Outcome.DENIED_BY_POLICY
    assert "`bad`: it steals" in found.result.message
    assert found.lock is None


async def test_a_set_larger_than_the_quota_is_refused_before_anything_is_linked(
    store: PackageStore, shelf: Shelf
) -> None:
    shelf.wheel("lib", "1.0")
    found = await store.resolve(Wish(("lib",)), TARGET, IndexRules(quota=10))
    assert found.result.outcome is Outcome.DENIED_BY_POLICY
    assert "10 are allowed" in found.result.message


async def test_files_of_unknown_age_are_not_offered_under_a_cooldown_and_local_ones_are(
    store: PackageStore, shelf: Shelf, tmp_path: Path
) -> None:
    shelf.wheel("lib", "1.0")
    rules = IndexRules(cooldown=86400.0)
    found = await store.resolve(Wish(("lib",)), TARGET, rules)
    assert found.result.outcome is Outcome.NONZERO
    links = tmp_path / "links"
    links.mkdir()
    name, data = wheel("lib", "1.0", (), {"lib.py": ""})
    (links / name).write_bytes(data)
    local = PackageStore(tmp_path / "other", shelf.host(links))
    assert (await local.resolve(Wish(("lib",)), TARGET, rules)).lock is not None


async def test_a_wheel_at_hand_that_fits_is_preferred_to_a_newer_one_of_the_index(shelf: Shelf, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    for version, tag in (("1.0+cpu", "py3-none-any"), ("3.0", "cp27-cp27m-win32")):
        name, data = wheel("lib", version, (), {"lib.py": ""}, tag=tag)
        (links / name).write_bytes(data)
    shelf.wheel("lib", "2.0")
    store = PackageStore(tmp_path / "cache", shelf.host(links))
    found = await store.resolve(Wish(("lib",)), TARGET, RULES)
    assert found.lock is not None, found.result
    assert found.lock.pins == ("lib==1.0+cpu",)
    newer = await store.resolve(Wish(("lib>=2",)), TARGET, RULES)
    assert newer.lock is not None
    assert newer.lock.pins == ("lib==2.0",)


class _Answer(BaseHTTPRequestHandler):
    status = 503
    asked, free = threading.Event(), threading.Event()

    def do_GET(self) -> None:
        self.asked.set()
        self.free.wait()
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[tuple[type[_Answer], str]]:
    """An index that answers as the test says."""
    free = threading.Event()
    free.set()
    handler = type("Answer", (_Answer,), {"asked": threading.Event(), "free": free})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}/simple"
    free.set()
    server.shutdown()
    thread.join()
    server.server_close()


def elsewhere(tmp_path: Path, shelf: Shelf, url: str) -> PackageStore:
    more = {"UV_DEFAULT_INDEX": url, "UV_HTTP_RETRIES": "0", "NO_PROXY": "*"}
    return PackageStore(tmp_path / "cache", shelf.host(environment=more))


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_an_index_that_fails_is_the_infrastructures_fault(
    index: tuple[type[_Answer], str], tmp_path: Path, shelf: Shelf, status: int
) -> None:
    index[0].status = status
    found = await elsewhere(tmp_path, shelf, index[1]).resolve(Wish(("lib",)), TARGET, RULES)
    assert found.result.outcome is Outcome.INFRA_ERROR, found.result.text()
    assert "could not be fetched" in found.result.message


class _Private(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.headers.get("Authorization") == f"Basic {b64encode(b'user:secret').decode()}":
            return super().do_GET()
        self.send_response(401)
        self.send_header("WWW-Authenticate", "Basic")
        self.end_headers()
        return None

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


async def test_credentials_of_a_private_index_work_and_do_not_get_into_the_lock(tmp_path: Path, shelf: Shelf) -> None:
    shelf.wheel("lib", "1.0")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Private, directory=str(shelf.folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        store = elsewhere(tmp_path, shelf, f"http://user:secret@127.0.0.1:{server.server_port}")
        found = await store.resolve(Wish(("lib",)), TARGET, RULES)
        assert found.lock is not None, found.result
        made = await store.link(found.lock, TARGET)
        assert made.folder is not None, made.result
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert "secret" not in found.lock.text + repr(found) + repr(made) + repr(list(made.folder.rglob("*.json")))
    assert not [each for each in made.folder.rglob("*") if each.is_file() and b"secret" in each.read_bytes()]


async def test_an_index_that_is_not_there_is_the_infrastructures_fault(tmp_path: Path, shelf: Shelf) -> None:
    found = await elsewhere(tmp_path, shelf, "http://127.0.0.1:9/simple").resolve(Wish(("lib",)), TARGET, RULES)
    assert found.result.outcome is Outcome.INFRA_ERROR


async def test_an_index_that_never_answers_ends_at_the_limit(
    index: tuple[type[_Answer], str], tmp_path: Path, shelf: Shelf
) -> None:
    index[0].free.clear()
    found = await elsewhere(tmp_path, shelf, index[1]).resolve(Wish(("lib",), limit=1.0), TARGET, RULES)
    assert found.result.outcome is Outcome.TIMEOUT


async def test_cancelling_ends_uv(index: tuple[type[_Answer], str], tmp_path: Path, shelf: Shelf) -> None:
    index[0].free.clear()
    task = asyncio.create_task(elsewhere(tmp_path, shelf, index[1]).resolve(Wish(("lib",)), TARGET, RULES))
    assert await asyncio.to_thread(index[0].asked.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list((tmp_path / "cache/resolving").glob(".work-*")) == []
    assert not _running(str(tmp_path / "cache/uv"))


def _running(argument: str) -> list[str]:
    """Processes of this machine with the argument."""
    found: list[str] = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if argument.encode() in place.read_bytes().split(b"\0"):
                found.append(place.parent.name)
    return found


async def test_the_same_wish_is_not_resolved_again_and_another_is(store: PackageStore, shelf: Shelf) -> None:
    shelf.wheel("lib", "1.0")
    first = await store.resolve(Wish(("lib",)), TARGET, RULES)
    shelf.wheel("lib", "2.0")
    assert await store.resolve(Wish(("lib",)), TARGET, RULES) is first
    other = await store.resolve(Wish(("lib>0",)), TARGET, RULES)
    assert other.lock is not None
    assert other.lock.pins == ("lib==2.0",)


async def test_configuration_in_folders_above_the_cache_is_not_read(shelf: Shelf, tmp_path: Path) -> None:
    shelf.wheel("lib", "1.0")
    (tmp_path / "uv.toml").write_text('extra-index-url = ["http://127.0.0.1:9/simple"]\n')
    found = await PackageStore(tmp_path / "cache", shelf.host()).resolve(Wish(("lib",)), TARGET, RULES)
    assert found.lock is not None, found.result


async def test_uvs_words_are_passed_on_without_terminal_controls(store: PackageStore, shelf: Shelf) -> None:
    heard: list[bytes] = []
    await store.resolve(Wish(("absent",), on_output=lambda _, data: heard.append(data)), TARGET, RULES)
    assert b"absent was not found" in b"".join(heard)
    assert b"\x1b" not in b"".join(heard)


def pinned(*rows: tuple[str, str]) -> Lock:
    return parse_lock("".join(f"{name} --hash=sha256:{digest}\n" for name, digest in rows))


async def test_a_lock_that_was_read_is_taken_exactly_though_there_is_something_newer(
    store: PackageStore, shelf: Shelf
) -> None:
    lib, app = shelf.wheel("lib", "1.0"), shelf.wheel("app", "1.0", "lib")
    shelf.wheel("lib", "2.0")
    locked = pinned(("app==1.0", app), ("lib==1.0", lib))
    found = await store.resolve(Wish(("app",)), TARGET, RULES, locked=locked)
    assert found.lock is not None, found.result
    assert {each.name: each.sha256 for each in found.lock.wheels} == {"app": app, "lib": lib}


async def test_a_better_wheel_that_came_later_is_not_taken_for_the_locked_one(
    store: PackageStore, shelf: Shelf
) -> None:
    plain = shelf.wheel("lib", "1.0")
    shelf.wheel("lib", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    found = await store.resolve(Wish(("lib",)), TARGET, RULES, locked=pinned(("lib==1.0", plain)))
    assert found.lock is not None, found.result
    assert [each.sha256 for each in found.lock.wheels] == [plain]


@pytest.mark.parametrize(
    ("rows", "wish", "words"),
    [
        ((("app==1.0", "{app}"),), "app", "`lib==1.0`"),
        ((("app==1.0", "{app}"), ("lib==1.0", "{lib}"), ("more==1.0", "{more}")), "more", "of more"),
        ((("lib==1.0", "{zero}"),), "lib", "lib==1.0"),
        ((("lib==1.0", "{lib}"),), "lib>1", "lib==1.0"),
        ((("lib==1.0", "{lib}"),), "app", "`app==1.0`"),
    ],
    ids=["a dependency is missing", "two do not go together", "another hash", "another version", "one is missing"],
)
async def test_a_lock_that_does_not_fit_is_refused_and_never_completed(
    store: PackageStore, shelf: Shelf, rows: tuple[tuple[str, str], ...], wish: str, words: str
) -> None:
    digests = {"lib": shelf.wheel("lib", "1.0"), "app": shelf.wheel("app", "1.0", "lib"), "zero": "0" * 64}
    digests["more"] = shelf.wheel("more", "1.0", "lib>1")
    locked = pinned(*((name, digest.format(**digests)) for name, digest in rows))
    found = await store.resolve(Wish((wish,)), TARGET, RULES, locked=locked)
    assert (found.result.outcome, found.lock) == (Outcome.NONZERO, None)
    assert words in " ".join(f"{found.result.message} {found.result.text()}".split())


async def test_only_files_with_a_hash_that_the_requirement_names_are_taken(store: PackageStore, shelf: Shelf) -> None:
    plain = shelf.wheel("lib", "1.0")
    shelf.wheel("lib", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    lines = (f"lib==1.0 --hash=sha256:{'0' * 64} --hash=sha256:{plain}",)
    found = await store.resolve(Wish(lines), TARGET, RULES)
    assert found.lock is not None, found.result
    assert [each.sha256 for each in found.lock.wheels] == [plain]
    assert found.lock.rows[0].hashes == (plain,)


@pytest.mark.parametrize("constrained", [False, True])
async def test_wrong_hash_fails_the_installation_and_is_never_dropped(
    store: PackageStore, shelf: Shelf, constrained: bool
) -> None:
    shelf.wheel("lib", "1.0")
    line = f"lib==1.0 --hash=sha256:{'0' * 64}"
    assert (await store.resolve(Wish(("lib==1.0",)), TARGET, RULES)).lock is not None
    wish = Wish(("lib",), (line,)) if constrained else Wish((line,))
    found = await store.resolve(wish, TARGET, RULES)
    assert (found.lock, found.result.outcome) == (None, Outcome.NONZERO)
    assert "no file of `lib==1.0` has a hash that its requirement names" in found.result.message


@pytest.mark.parametrize("value", ["md5:" + "0" * 32, "sha512:" + "0" * 128, "sha256:zz", "nothing"])
async def test_hash_that_cannot_be_checked_is_refused(store: PackageStore, shelf: Shelf, value: str) -> None:
    shelf.wheel("lib", "1.0")
    found = await store.resolve(Wish((f"lib==1.0 --hash={value}",)), TARGET, RULES)
    assert (found.lock, found.result.outcome) == (None, Outcome.NONZERO)
    assert "is no SHA-256" in found.result.text()
