"""A mounted folder holds exactly one environment, and what was linked once is handed on and not linked again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentsys_sandbox.packages.mounted import MountedCopy


def environment(store: Path, name: str, *files: str) -> Path:
    """An environment as the store has it."""
    folder = store / name
    (folder / "lib/site").mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin/python").symlink_to("/usr/local/bin/python3")
    (folder / "lib64").symlink_to("lib")
    for each in files:
        (folder / "lib/site" / each).write_text(each)
    return folder


def content(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return environment(tmp_path, "one", "a.py", "b.py")


def mounted(tmp_path: Path, name: str = "mount") -> MountedCopy:
    (tmp_path / name).mkdir()
    return MountedCopy(tmp_path / name)


def test_it_holds_what_the_environment_holds_by_hard_links_in_the_same_folder(tmp_path: Path, one: Path) -> None:
    copy = mounted(tmp_path)
    (copy.folder / ".marker").touch()
    inode = copy.folder.stat().st_ino
    copy.hold(one)
    assert content(copy.folder) == content(one)
    assert copy.folder.stat().st_ino == inode
    assert (copy.folder / "lib/site/a.py").samefile(one / "lib/site/a.py")
    assert (copy.folder / "bin/python").readlink() == Path("/usr/local/bin/python3")
    assert (copy.folder / "lib64").readlink() == Path("lib")
    other = environment(tmp_path, "other", "c.py")
    copy.hold(other)
    assert content(copy.folder) == content(other)


def test_what_is_handed_on_is_taken_by_one_other_and_not_linked_again(tmp_path: Path, one: Path) -> None:
    first = mounted(tmp_path)
    first.hold(one)
    inode = (first.folder / "lib/site").stat().st_ino
    first.hand_on()
    assert content(first.folder) == set()
    second, third = mounted(tmp_path, "second"), mounted(tmp_path, "third")
    second.hold(one)
    third.hold(one)
    assert (second.folder / "lib/site").stat().st_ino == inode
    assert (third.folder / "lib/site").stat().st_ino != inode
    assert content(second.folder) == content(third.folder) == content(one)


def test_many_at_once_each_get_a_whole_copy(tmp_path: Path, one: Path) -> None:
    for number in range(4):
        mounted(tmp_path, f"before{number}").hold(one)
    copies = [mounted(tmp_path, f"m{number}") for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        for _ in range(5):
            list(pool.map(lambda copy: copy.hold(one), copies))
            assert all(content(copy.folder) == content(one) for copy in copies)
            list(pool.map(lambda copy: copy.hand_on(), copies))


def test_bytecode_that_came_later_is_added_and_copies_without_it_are_not_taken_then(tmp_path: Path, one: Path) -> None:
    early, late = mounted(tmp_path), mounted(tmp_path, "late")
    early.hold(one)
    late.hold(one)
    (one / "lib/site/a.pyc").touch()
    one.with_name("one.compiled").touch()
    late.complete(one)
    assert content(late.folder) == content(one)
    early.hand_on()
    late.hand_on()
    fresh = [mounted(tmp_path, f"fresh{number}") for number in range(2)]
    for copy in fresh:
        copy.hold(one)
        assert content(copy.folder) == content(one)


def test_a_copy_that_cannot_be_kept_leaves_the_folder_usable(tmp_path: Path, one: Path) -> None:
    copy = mounted(tmp_path)
    copy.hold(one)
    one.with_name("one.copies").write_text("a file stands where the folder belongs")
    copy.hand_on()
    other = environment(tmp_path, "other", "c.py")
    copy.hold(other)
    assert content(copy.folder) == content(other)
