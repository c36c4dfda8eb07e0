"""The user's data on its way to a run: whole, and nothing but regular files; and what the plan says of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsys.core.artifacts import DataSource
from agentsys.core.errors import BlockedError, UsageError
from agentsys.verify import datafiles
from agentsys.verify.data.pins import DataLock, Pinned
from agentsys.verify.data.store import Store, hash_of
from agentsys.verify.datafiles import DataFault, DataFolder, check_data, check_pins, from_cache, read_folder
from agentsys_sandbox.fake import FakeSandbox, Script, passed
from unit.verify.tiny import PLAN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "train").mkdir(parents=True)
    (root / "train/a.txt").write_bytes(b"one")
    (root / "b.bin").write_bytes(bytes(range(10)))
    (root / "empty").write_bytes(b"")
    return root


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_file_is_shown_whole_readable_by_all_and_the_hash_is_of_names_and_contents(
    folder: Path, store: Store
) -> None:
    (folder / "b.bin").chmod(0o600)
    with read_folder(folder).folder(store) as (shown, first):
        assert contents(shown) == contents(folder)
        assert all(path.stat().st_mode & 0o444 == 0o444 for path in shown.rglob("*"))
    assert not shown.exists() and (folder / "b.bin").stat().st_mode & 0o777 == 0o600
    with read_folder(folder).folder(store) as (_, again):
        assert again == first
    (folder / "b.bin").write_bytes(bytes(range(9, -1, -1)))
    with read_folder(folder).folder(store) as (_, other):
        assert other != first


def test_links_and_special_files_are_left_out_and_counted(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    found = read_folder(folder)
    assert list(found.files) == ["b.bin", "empty", "train/a.txt"] and found.skipped == 3
    assert "3 links" in found.words and found.size == 13


def test_a_file_that_became_a_link_meanwhile_is_not_followed(folder: Path, tmp_path: Path, store: Store) -> None:
    (tmp_path / "secret").write_text("s")
    found = read_folder(folder)
    (folder / "b.bin").unlink()
    (folder / "b.bin").symlink_to(tmp_path / "secret")
    with pytest.raises(UsageError, match="cannot be read"), found.folder(store):
        raise AssertionError("it was shown")


def test_what_is_too_much_empty_or_no_folder_is_refused_before_anything_runs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        read_folder(folder / "b.bin")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UsageError, match="holds no file"):
        read_folder(tmp_path / "nothing")
    monkeypatch.setattr(datafiles, "MAX_FILES", 2)
    with pytest.raises(UsageError, match="more than 2 files"):
        read_folder(folder)


def test_a_file_of_the_cache_that_is_not_what_was_pinned_is_not_shown(folder: Path, store: Store) -> None:
    path = store.path(digest := store.put(folder / "b.bin"))
    pins = {"set": Pinned(kind="url", identifier="", files={"b.bin": digest})}
    with from_cache(pins, store).folder(store) as (shown, _):
        assert contents(shown) == {"set/b.bin": bytes(range(10))}
    path.chmod(0o644)
    path.write_bytes(b"other")
    with pytest.raises(BlockedError, match="not what was pinned"), from_cache(pins, store).folder(store):
        raise AssertionError("it was shown")


def test_names_that_do_not_fit_into_the_sandbox_are_said(folder: Path) -> None:
    (folder / "a:b").write_text("x")
    with pytest.raises(UsageError, match="cannot be put into the sandbox"):
        read_folder(folder)


def test_a_folder_with_other_files_than_are_pinned_is_refused(folder: Path) -> None:
    found = read_folder(folder)
    right = Pinned(kind="folder", identifier="", files={"a.txt": hash_of(folder / "train/a.txt")})
    check_pins(found, DataLock(sources={"train": right}))
    wrong = right.model_copy(update={"files": {"a.txt": "0" * 64}})
    with pytest.raises(BlockedError, match=r"not the file that `data\.lock\.json` pins"):
        check_pins(found, DataLock(sources={"train": wrong}))


def source(count: int, kind: str = "folder", files: tuple[str, ...] = ()) -> DataSource:
    split = {"name": "all", "files": files, "count": count}
    return DataSource.model_validate(
        {"name": "train", "kind": kind, "identifier": "pkg", "files": files, "splits": [split]}
    )


async def test_data_that_is_not_what_the_plan_says_stops_before_anything_is_trained(folder: Path) -> None:
    shown: DataFolder = read_folder(folder)
    async with FakeSandbox() as box:
        await check_data(PLAN.model_copy(update={"data": (source(1),)}), shown.files, box)
        with pytest.raises(DataFault, match="holds 1 rows, and the plan says 5") as caught:
            await check_data(PLAN.model_copy(update={"data": (source(5),)}), shown.files, box)
    assert [row.kind for row in caught.value.found] == ["data"]


@pytest.mark.parametrize(("count", "good"), [(2, True), (3, True), (4, False)])
async def test_what_a_package_ships_is_counted_where_it_is_installed(count: int, good: bool) -> None:
    where = "/work/venv/lib/python3.11/site-packages"
    async with FakeSandbox(Script(default=passed(f"{where}\n".encode()))) as box:
        box.files[f"{where}/pkg/x.csv"] = b"x\n1\n2\n"
        plan = PLAN.model_copy(update={"data": (source(count, "package", ("pkg/x.csv",)),)})
        if good:
            await check_data(plan, {}, box)
        else:
            with pytest.raises(DataFault, match="3 or 2 rows"):
                await check_data(plan, {}, box)


async def test_a_file_that_a_package_does_not_ship_is_absent() -> None:
    async with FakeSandbox(Script(default=passed(b"/work/venv/lib/python3.11/site-packages\n"))) as box:
        plan = PLAN.model_copy(update={"data": (source(1, "package", ("pkg/x.csv",)),)})
        with pytest.raises(DataFault, match="is absent"):
            await check_data(plan, {}, box)
