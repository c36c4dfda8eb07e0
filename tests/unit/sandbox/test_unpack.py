"""A hostile archive puts nothing on the host but regular files where they belong."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from agentsys_sandbox.unpack import Entry, choose_entries, unpack


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type = kind
    for key, value in fields.items():
        setattr(found, key, value)
    return found


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for header, data in members:
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return buffer


HOSTILE = {
    "symbolic link": member("work/x", tarfile.SYMTYPE, linkname="/etc/passwd"),
    "hard link": member("work/x", tarfile.LNKTYPE, linkname="/etc/passwd"),
    "named pipe": member("work/x", tarfile.FIFOTYPE),
    "character device": member("work/x", tarfile.CHRTYPE, devmajor=1, devminor=5),
    "block device": member("work/x", tarfile.BLKTYPE, devmajor=8),
    "contiguous": member("work/x", tarfile.CONTTYPE),
}


@pytest.mark.parametrize("header", HOSTILE.values(), ids=HOSTILE)
def test_only_regular_files_are_unpacked(header: tarfile.TarInfo, tmp_path: Path) -> None:
    written, dropped = unpack(archive((header, b"")), tmp_path, {"x"}, 1000)
    if header.isreg():
        assert written == ("x",)
        return
    assert written == ()
    assert dropped == (("x", "not a regular file"),)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["/etc/x", "../x", "work/../x", "work/../../x", "x", "work/other", "/work/x", "work//x"]
)
def test_names_that_were_not_asked_for_are_dropped(name: str, tmp_path: Path) -> None:
    written, dropped = unpack(archive((member(name), b"evil")), tmp_path / "d", {"y"}, 1000)
    assert written == ()
    assert len(dropped) == 2
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_link_and_a_file_through_it_cannot_work_together(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    tar = archive((member("work/d", tarfile.SYMTYPE, linkname=str(outside)), b""), (member("work/d/f"), b"evil"))
    written, _ = unpack(tar, tmp_path / "dest", {"d", "d/f"}, 1000)
    assert written == ("d/f",)
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "dest/d").is_symlink()


def test_modes_and_owners_do_not_come_along(tmp_path: Path) -> None:
    header = member("work/x", mode=0o6777, uid=0, gid=0)
    unpack(archive((header, b"1"), (member("work/y", mode=0), b"2")), tmp_path, {"x", "y"}, 1000)
    assert (tmp_path / "x").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "y").stat().st_mode & 0o7777 == 0o644


def test_an_archive_that_ends_early_names_what_is_missing(tmp_path: Path) -> None:
    whole = archive((member("work/a"), b"x" * 2000), (member("work/b"), b"y" * 2000)).getvalue()
    written, dropped = unpack(io.BytesIO(whole[:3500]), tmp_path, {"a", "b"}, 10_000)
    assert written == ("a",)
    assert dropped[-1][0] == "b"
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("data", [b"", b"not a tar at all", b"\0" * 100, b"\xff" * 5000])
def test_what_is_no_archive_gives_nothing(data: bytes, tmp_path: Path) -> None:
    written, dropped = unpack(io.BytesIO(data), tmp_path, {"a"}, 1000)
    assert (written, [name for name, _ in dropped]) == ((), ["a"])


def test_more_bytes_than_allowed_are_not_written(tmp_path: Path) -> None:
    tar = archive((member("work/a"), b"x" * 600), (member("work/b"), b"x" * 600))
    written, dropped = unpack(tar, tmp_path, {"a", "b"}, 1000)
    assert (written, dropped) == (("a",), (("b", "over the limit of bytes"),))


def test_a_listing_is_divided_by_kind_name_count_and_size() -> None:
    entries = [
        Entry("d", 4096, "out"),
        Entry("f", 10, "out/a"),
        Entry("l", 10, "out/link"),
        Entry("f", 10**12, "out/sparse"),
        Entry("f", 1, "out/odd\n"),
        Entry("f", 5, "out/b"),
        Entry("f", 5, "out/c"),
    ]
    wanted, dropped = choose_entries(entries, max_files=3, max_bytes=100)
    assert [entry.path for entry in wanted] == ["out", "out/a", "out/b"]
    assert [name for name, _ in dropped] == ["out/link", "out/sparse", "out/odd\n", "out/c"]
    assert all(reason.isprintable() for _, reason in dropped)


def test_a_very_long_list_of_dropped_names_is_shortened_with_a_count() -> None:
    _, dropped = choose_entries([Entry("l", 0, str(i)) for i in range(5000)], 10, 10)
    assert len(dropped) == 1001
    assert dropped[-1] == ("", "and 4000 more")
