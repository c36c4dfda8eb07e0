"""The user's data on its way into the sandbox: whole, bounded, and nothing but regular files."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.core.errors import UsageError
from agentsys.verify import datafiles
from agentsys.verify.datafiles import place, read_folder
from agentsys_sandbox.fake import Call, FakeSandbox, Files, Script, passed
from agentsys_sandbox.spec import ExecResult, Outcome

BASE = "/work/repo/data"


def sandbox() -> FakeSandbox:
    """Joins parts as the shell would."""

    def answer(call: Call, files: Files) -> ExecResult:
        if call.argv[0] == "sh":
            part, target = call.argv[-2:]
            files[target] = files.get(target, b"") + files[part]
        return passed()

    return FakeSandbox(Script(default=answer))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "train").mkdir(parents=True)
    (root / "train/a.txt").write_bytes(b"one")
    (root / "b.bin").write_bytes(bytes(range(10)))
    (root / "empty").write_bytes(b"")
    return root


@pytest.mark.parametrize("chunk", [3, 4, 10, 100])
async def test_every_file_arrives_whole_whatever_its_size(
    folder: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(datafiles, "CHUNK", chunk)
    async with sandbox() as box:
        digest = await place(read_folder(folder), box)
        arrived = {name: data for name, data in box.files.items() if name.startswith(BASE)}
        assert arrived == {f"{BASE}/train/a.txt": b"one", f"{BASE}/b.bin": bytes(range(10)), f"{BASE}/empty": b""}
        assert box.calls[-1].argv[:2] == ("find", "data"), "made read-only at the end"
    monkeypatch.setattr(datafiles, "CHUNK", 1 << 20)
    async with sandbox() as box:
        assert await place(read_folder(folder), box) == digest
        (folder / "b.bin").write_bytes(bytes(range(9, -1, -1)))
        assert await place(read_folder(folder), box) != digest


def test_links_and_special_files_are_left_out_and_counted(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path)
    found = read_folder(folder)
    assert [name for name, _ in found.files] == ["b.bin", "empty", "train/a.txt"] and found.skipped == 2
    assert "2 links" in found.words and found.size == 13


def test_what_is_too_large_empty_or_no_folder_is_refused_before_anything_runs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        read_folder(folder / "b.bin")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UsageError, match="holds no file"):
        read_folder(tmp_path / "nothing")
    monkeypatch.setattr(datafiles, "MAX_BYTES", 12)
    with pytest.raises(UsageError, match="more than"):
        read_folder(folder)
    monkeypatch.setattr(datafiles, "MAX_FILES", 2)
    with pytest.raises(UsageError, match="more than 2 files"):
        read_folder(folder)


def test_a_name_that_cannot_stand_in_the_sandbox_is_refused(folder: Path) -> None:
    (folder / "a\nb").write_text("x")
    with pytest.raises(UsageError, match="cannot be put into the sandbox"):
        read_folder(folder)


async def test_a_file_that_grows_or_shrinks_meanwhile_is_refused(folder: Path) -> None:
    found = read_folder(folder)
    for text in (b"four", b"1"):
        (folder / "train/a.txt").write_bytes(text)
        async with sandbox() as box:
            with pytest.raises(UsageError, match="was changed while it was read"):
                await place(found, box)


async def test_a_full_disk_in_the_sandbox_is_no_success(folder: Path) -> None:
    failed = ExecResult(Outcome.NONZERO, 1, b"", b"chmod: no space", 0.1)
    async with FakeSandbox(Script(default=failed)) as box:
        with pytest.raises(UsageError, match="could not be put into the sandbox: chmod: no space"):
            await place(read_folder(folder), box)
