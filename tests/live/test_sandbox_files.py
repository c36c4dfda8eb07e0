"""Files go in and out through checks: no path leaves the work folder, no link or special file comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys_sandbox.base import Sandbox, SandboxGone
from live.sandboxes import Place, python

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_files_arrive_with_their_folders_and_scripts_can_be_run(box: Sandbox) -> None:
    await box.write_files({"a/b/c.txt": b"\x00\xff", "run.sh": b"#!/bin/sh\ncat a/b/c.txt\n", "übung.py": b""})
    result = await box.exec(["./run.sh"], timeout=20)
    assert result.stdout == b"\x00\xff"
    assert await box.read_file("/work/repo/übung.py") == b""


async def test_files_belong_to_the_code_and_can_be_changed_by_it(box: Sandbox) -> None:
    await box.write_files({"a/f": b"1"})
    assert (await python(box, "open('a/f','w').write('2'); open('a/g','w').write('3')")).ok
    assert await box.read_file("repo/a/f") == b"2"


async def test_writing_again_replaces_the_content(box: Sandbox) -> None:
    await box.write_files({"f": b"long content"})
    await box.write_files({"f": b"short"})
    assert await box.read_file("repo/f") == b"short"


async def test_two_thousand_files_are_written_and_exported(box: Sandbox, tmp_path: Path) -> None:
    files = {f"d{i % 50}/{i}.txt": str(i).encode() for i in range(1900)}
    await box.write_files(files)
    report = await box.export(["repo"], tmp_path)
    assert {name.removeprefix("repo/"): (tmp_path / name).read_bytes() for name in report.written} == files
    assert report.dropped == ()


async def test_a_link_in_the_way_is_replaced_and_not_followed(box: Sandbox) -> None:
    await python(
        box, "import os; os.mkdir('/work/other'); os.symlink('/work/other', 'd'); os.symlink('/work/other/f', 'f')"
    )
    await box.write_files({"d/x": b"1", "f": b"2"})
    assert (
        await python(box, "import os; print(os.listdir('/work/other'), os.path.islink('d'))")
    ).stdout == b"[] False\n"
    assert await box.read_file("repo/d/x") == b"1"


@pytest.mark.parametrize(
    "code",
    [
        "os.rmdir('/work/repo'); os.symlink('/tmp', '/work/repo')",
        "os.rmdir('/work/repo'); open('/work/repo', 'w').close()",
        "os.makedirs('d/x/full/er'); os.chmod('d/x', 0); os.chmod('d', 0)",
        "open('d', 'w').close()",
        "os.makedirs('d/x'); os.mkfifo('d/x/y'); os.chmod('.', 0o555)",
    ],
)
async def test_whatever_the_code_left_in_the_way_is_replaced_by_what_is_written(box: Sandbox, code: str) -> None:
    assert (await python(box, f"import os; {code}")).ok
    await box.write_files({"d/x": b"1", "e": b"2"})
    assert await box.read_file("repo/d/x") == b"1"
    assert await box.read_file("repo/e") == b"2"


async def test_removing_takes_folders_and_unreadable_things_and_forgives_absent_ones(box: Sandbox) -> None:
    await box.write_files({"d/e/f": b"", "keep": b"k"})
    await python(box, "import os; os.chmod('d/e', 0); os.symlink('/work/repo/keep', 'l')")
    await box.remove(["d", "l", "absent"])
    assert (await box.exec(["ls"], timeout=20)).stdout == b"keep\n"


async def test_reading_never_follows_links_and_never_blocks(box: Sandbox) -> None:
    code = (
        "import os\nos.symlink('/etc/passwd', 'link'); os.mkfifo('pipe'); os.mkdir('dir')\n"
        "os.symlink('dir', 'dirlink')\n"
        "open('dir/f','w').write('x'); os.symlink('/proc/self/environ', 'proc'); os.symlink('loop', 'loop')\n"
        "open('secret','w').close(); os.chmod('secret', 0)"
    )
    assert (await python(box, code)).ok
    for name in ("link", "pipe", "dir", "dirlink/f", "proc", "loop", "secret", "absent"):
        assert await box.read_file(f"/work/repo/{name}") is None, name
    assert await box.read_file("/work/repo/dir/f") == b"x"


async def test_reading_is_bounded(box: Sandbox) -> None:
    await box.write_files({"big": b"0123456789" * 100_000})
    assert await box.read_file("repo/big", max_bytes=25) == b"0123456789012345678901234"


HOSTILE = r"""
import os, socket
os.makedirs('out/deep')
open('out/good.txt','w').write('good'); open('out/deep/run','w').write('x'); os.chmod('out/deep/run', 0o4755)
os.symlink('/etc/passwd', 'out/absolute'); os.symlink('../../..', 'out/climbing'); os.symlink('good.txt', 'out/near')
os.symlink('/etc', 'out/folder'); os.mkfifo('out/pipe'); os.link('out/good.txt', 'out/hard')
socket.socket(socket.AF_UNIX).bind('out/socket')
open('out/new\nline','w').close(); open(b'out/\xff\xfe','w').close(); open('out/\x1b[31mred','w').close()
open('out/-rf','w').write('dash'); open('out/ space ','w').write('space')
open('out/huge','wb').truncate(400 << 20)
"""


async def test_only_regular_files_and_folders_come_out(box: Sandbox, tmp_path: Path) -> None:
    assert (await python(box, HOSTILE)).ok
    report = await box.export(["/work/repo/out", "/work/repo/absent"], tmp_path / "d")
    good = {"good.txt": "good", "deep/run": "x", "hard": "good", "-rf": "dash", " space ": "space"}
    assert {name.removeprefix("repo/out/"): (tmp_path / "d" / name).read_text() for name in report.written} == good
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink() or not (path.is_file() or path.is_dir())]
    assert (tmp_path / "d/repo/out/deep/run").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "d/repo/out/good.txt").stat().st_nlink == 1
    dropped = dict(report.dropped)
    names = {"absolute", "climbing", "near", "folder", "pipe", "socket", "huge"}
    assert {f"repo/out/{name}" for name in names} | {"repo/absent"} <= set(dropped)
    assert len(dropped) == len(names) + 1 + 3
    assert not any("\x1b" in name or "\x1b" in reason for name, reason in report.dropped)


async def test_a_path_through_a_link_is_not_exported(box: Sandbox, tmp_path: Path) -> None:
    await python(box, "import os; os.symlink('/etc', 'l')")
    report = await box.export(["repo/l/passwd", "repo/l"], tmp_path)
    assert report.written == ()
    assert {name for name, _ in report.dropped} == {"repo/l", "repo/l/passwd"}


async def test_count_and_size_are_capped_and_the_rest_is_named(box: Sandbox, tmp_path: Path) -> None:
    await box.write_files({f"{i:02}": b"x" * 1000 for i in range(20)})
    few = await box.export(["repo"], tmp_path / "few", max_files=6)
    small = await box.export(["repo"], tmp_path / "small", max_bytes=3500)
    assert 1 <= len(few.written) <= 6
    assert len(few.written) + len(few.dropped) >= 20
    assert (len(small.written), len(small.dropped)) == (3, 17)


@pytest.mark.slow
async def test_a_hundred_thousand_files_are_counted_and_cut(place: Place, tmp_path: Path) -> None:
    async with place.open(disk=1 << 30) as box:
        code = "for i in range(100_000): open(f'/work/repo/{i:06}', 'w').close()"
        assert (await python(box, code, timeout=120)).ok
        report = await box.export(["repo"], tmp_path)
        assert 1900 <= len(report.written) <= 2000
        assert report.dropped


async def test_links_that_stand_in_the_destination_are_not_followed(box: Sandbox, tmp_path: Path) -> None:
    await box.write_files({"d/f": b"evil", "g": b"evil"})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("mine")
    (tmp_path / "dest/repo").mkdir(parents=True)
    (tmp_path / "dest/repo/d").symlink_to(outside)
    (tmp_path / "dest/repo/g").symlink_to(outside / "f")
    report = await box.export(["repo"], tmp_path / "dest")
    assert (outside / "f").read_text() == "mine"
    assert [name for name, _ in report.dropped] == ["repo/d", "repo/d/f"]
    assert (tmp_path / "dest/repo/g").read_bytes() == b"evil"


async def test_a_closed_sandbox_says_so(place: Place) -> None:
    async with place.open() as box:
        assert await box.health()
    assert not await box.health()
    with pytest.raises(SandboxGone):
        await box.exec(["true"])
    with pytest.raises(SandboxGone):
        await box.write_files({"f": b""})
