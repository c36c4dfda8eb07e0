"""The folder of a package index gateway says whose it is; only what a dead owner left is removed."""

from __future__ import annotations

import json
import stat
import tempfile
from pathlib import Path

import pytest

from agentsys_sandbox.labels import PID, PID_START, labels
from agentsys_sandbox.packages import indexfolder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where such folders are looked for."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(indexfolder, "_FALLBACK", str(tmp_path))
    return tmp_path


def found(place: Path) -> list[Path]:
    return [folder for folder, _ in indexfolder.leftovers() if folder.is_relative_to(place)]


def disowned(folder: Path) -> Path:
    """Give it to a process that is not there."""
    told = {**labels("index", 60), PID: "1", PID_START: "never"}
    (folder / indexfolder.OWNER_FILE).write_text(json.dumps(told))
    return folder


def test_only_the_socket_can_be_reached_and_the_owner_is_named(place: Path) -> None:
    folder = indexfolder.make("index.sock", None)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "socket").stat().st_mode) == 0o755
    assert list((folder / "socket").iterdir()) == []
    assert json.loads((folder / indexfolder.OWNER_FILE).read_text()).keys() == labels("x", 1).keys()


def test_a_living_owner_keeps_it_and_a_dead_one_loses_it(place: Path) -> None:
    kept, lost = indexfolder.make("index.sock", None), disowned(indexfolder.make("index.sock", None))
    assert found(place) == [lost]
    indexfolder.remove(lost)
    assert (found(place), kept.exists(), lost.exists()) == ([], True, False)


def test_folders_of_nobody_and_links_are_left_alone(place: Path) -> None:
    (place / f"{indexfolder.PREFIX}empty").mkdir()
    elsewhere = disowned(indexfolder.make("index.sock", None)).rename(place / "elsewhere")
    (place / f"{indexfolder.PREFIX}link").symlink_to(elsewhere)
    assert found(place) == []


def test_a_temporary_folder_with_a_long_name_is_not_used(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setattr(indexfolder, "_FALLBACK", short)
        assert indexfolder.make("index.sock", None).is_relative_to(short)
    assert list(deep.iterdir()) == []
