"""An environment on the host looks as it must look inside, and nothing in it ran."""

from __future__ import annotations

import asyncio
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from agentsys_sandbox.packages.environment import Environment, pack
from agentsys_sandbox.packages.lock import Lock
from agentsys_sandbox.packages.scratch import scratch
from agentsys_sandbox.packages.store import PackageStore
from agentsys_sandbox.packages.target import Target
from agentsys_sandbox.packages.wish import Wish
from agentsys_sandbox.spec import IndexRules, Outcome
from unit.sandbox.packages.shelf import Shelf

TARGET = Target("3.11.7", "x86_64-manylinux_2_36")


async def locked(store: PackageStore, *lines: str, target: Target = TARGET) -> Lock:
    found = await store.resolve(Wish(lines), target, IndexRules())
    assert found.lock is not None, found.result
    return found.lock


async def linked(store: PackageStore, *lines: str, target: Target = TARGET) -> Path:
    made = await store.link(await locked(store, *lines, target=target), target)
    assert made.folder is not None, made.result
    return made.folder


async def test_it_has_the_layout_of_a_virtual_environment_of_the_sandboxs_python(
    store: PackageStore, shelf: Shelf
) -> None:
    shelf.wheel("lib", "1.0", entry="say = lib:version")
    folder = await linked(store, "lib")
    assert (folder / "lib/python3.11/site-packages/lib.py").is_file()
    assert str((folder / "bin/python").readlink()) == "/usr/local/bin/python3"
    assert (folder / "bin/say").read_text().startswith("#!/work/venv/bin/python\n")
    assert os.access(folder / "bin/say", os.X_OK)
    assert "home = /usr/local/bin\n" in (folder / "pyvenv.cfg").read_text()
    assert str(folder.parent) not in (folder / "bin/say").read_text()


async def test_another_python_than_the_hosts_has_its_own_place(store: PackageStore, shelf: Shelf) -> None:
    shelf.wheel("lib", "1.0", tag="cp313-cp313-manylinux_2_17_x86_64")
    folder = await linked(store, "lib", target=Target("3.13.1", "x86_64-manylinux_2_36"))
    assert [each.name for each in (folder / "lib").iterdir()] == ["python3.13"]
    assert (folder / "lib/python3.13/site-packages/lib.py").is_file()


async def test_a_pth_file_runs_neither_now_nor_when_the_environment_is_made_again(
    store: PackageStore, shelf: Shelf, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    shelf.wheel("lib", "1.0", files={"lib.py": "", "lib.pth": f"import os; open({str(mark)!r}, 'w').close()\n"})
    folder = await linked(store, "lib")
    await linked(store, "lib")
    bytecode = store.bytecode()
    bytecode.start(folder, TARGET)
    await bytecode.wait()
    await bytecode.close()
    assert (folder / "lib/python3.11/site-packages/lib.pth").is_file()
    assert not mark.exists()


async def test_a_distribution_cannot_change_what_the_environment_starts_with(store: PackageStore, shelf: Shelf) -> None:
    brought = {f"lib-1.0.data/data/{name}": "evil\n" for name in ("pyvenv.cfg", "bin/activate")}
    shelf.wheel("lib", "1.0", files=brought)
    folder = await linked(store, "lib")
    assert "evil" not in (folder / "pyvenv.cfg").read_text() + (folder / "bin/activate").read_text()


async def test_a_distribution_that_brings_an_interpreter_is_refused(store: PackageStore, shelf: Shelf) -> None:
    shelf.wheel("lib", "1.0", files={"lib-1.0.data/scripts/python": "#!python\n"})
    made = await store.link(await locked(store, "lib"), TARGET)
    assert made.folder is None
    assert made.result.outcome is Outcome.NONZERO


async def test_another_uid_can_read_it_whatever_the_umask(store: PackageStore, shelf: Shelf) -> None:
    shelf.wheel("lib", "1.0", entry="say = lib:version")
    old = os.umask(0o077)
    try:
        folder = await linked(store, "lib")
    finally:
        os.umask(old)
    for path in (folder, *folder.rglob("*")):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode):
            assert mode & 0o777 == (0o755 if stat.S_ISDIR(mode) or path.name == "say" else 0o644), path


async def test_files_are_shared_with_uvs_cache_and_not_copied(store: PackageStore, shelf: Shelf) -> None:
    shelf.wheel("lib", "1.0")
    folder = await linked(store, "lib")
    assert (folder / "lib/python3.11/site-packages/lib.py").stat().st_nlink > 1


async def test_the_second_time_nothing_is_installed(store: PackageStore, shelf: Shelf) -> None:
    shelf.wheel("lib", "1.0")
    lock = await locked(store, "lib")
    first = await store.link(lock, TARGET)
    assert first.folder is not None
    inode = first.folder.stat().st_ino
    second = await store.link(lock, TARGET)
    assert second.folder is not None
    assert second.folder.stat().st_ino == inode


async def test_sixteen_at_once_get_the_same_whole_environment(tmp_path: Path, shelf: Shelf) -> None:
    for number in range(5):
        shelf.wheel(f"lib{number}", "1.0")
    names = tuple(f"lib{number}" for number in range(5))

    async def one() -> Path:
        return await linked(PackageStore(tmp_path / "cache", shelf.host()), *names)

    folders = set(await asyncio.gather(*(one() for _ in range(16))))
    assert len(folders) == 1
    site = folders.pop() / "lib/python3.11/site-packages"
    assert all((site / f"{name}.py").is_file() for name in names)
    assert list((tmp_path / "cache/environments").glob(".work-*")) == []


async def test_a_file_that_changed_since_it_was_locked_is_not_linked(store: PackageStore, shelf: Shelf) -> None:
    shelf.wheel("lib", "1.0")
    lock = await locked(store, "lib")
    page = shelf.folder / "lib"
    whole = next(page.glob("*.whl"))
    other = PackageStore(shelf.folder.parent / "other", shelf.host())
    whole.write_bytes(whole.read_bytes() + b"\0")
    made: Environment = await other.link(lock, TARGET)
    assert made.folder is None
    assert made.result.outcome is Outcome.NONZERO
    assert "mismatch" in made.result.text().lower()


async def test_what_a_killed_owner_left_is_removed_and_what_is_in_use_stays(shelf: Shelf, tmp_path: Path) -> None:
    environments = tmp_path / "cache/environments"
    (environments / ".work-dead/venv").mkdir(parents=True)
    shelf.wheel("lib", "1.0")
    with scratch(environments) as used:
        await linked(PackageStore(tmp_path / "cache", shelf.host()), "lib")
        assert used.is_dir()
    assert not (environments / ".work-dead").exists()


async def test_it_packs_as_roots_with_links_kept(store: PackageStore, shelf: Shelf) -> None:
    shelf.wheel("lib", "1.0")
    out = io.BytesIO()
    pack(await linked(store, "lib"), out)
    out.seek(0)
    with tarfile.open(fileobj=out) as archive:
        members = {member.name: member for member in archive}
    assert members["./bin/python"].linkname == "/usr/local/bin/python3"
    assert members["./lib/python3.11/site-packages/lib.py"].isreg()
    assert {member.uid for member in members.values()} == {0}


async def test_the_empty_wish_makes_an_empty_environment(store: PackageStore) -> None:
    folder = await linked(store)
    assert list((folder / "lib/python3.11/site-packages").iterdir()) == []


@pytest.mark.parametrize("closed", [True, False])
async def test_bytecode_is_made_in_the_background_for_the_path_inside_unless_it_is_closed(
    store: PackageStore, shelf: Shelf, closed: bool
) -> None:
    import platform

    target = Target(platform.python_version(), "x86_64-manylinux_2_36")
    shelf.wheel("lib", "1.0", files={"lib.py": "raise RuntimeError('nobody runs this here')\n"})
    folder = await linked(store, "lib", target=target)
    bytecode = store.bytecode()
    bytecode.start(folder, target)
    if not closed:
        await bytecode.wait()
    await bytecode.close()
    found = list(folder.rglob("lib.*.pyc"))
    if not closed:
        assert b"/work/venv/lib/python3." in found[0].read_bytes()
    assert list(folder.rglob("*.pyc.*")) == []
