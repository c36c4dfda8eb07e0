from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsys.core.errors import UnsafePath
from agentsys.core.paths import safe_path

HOSTILE = [
    "",
    "./",
    ".",
    "..",
    "/etc/passwd",
    "//etc/passwd",
    "~/x",
    "../x.py",
    "a/../../x.py",
    "a/./b.py",
    "a//b.py",
    "a/",
    ".git/config",
    ".GIT/hooks/pre-commit",
    "sub/.git/config",
    "sub/.Git",
    ".git",
    ".git /config",
    ".git./config",
    "git~1/config",
    ".gitmodules",
    ".lock",
    "C:/x.py",
    "a\\..\\x.py",
    "nul",
    "CON.py",
    "src/aux.txt",
    "com1.log",
    "a" * 201,
    "d/" + "é" * 70,
    "a\x00b",
    "a\nb.py",
    "a\x1b[31m.py",
    "a\u202eyp.py",
    "a\u200b.py",
    "a\udcff.py",
    "e\u0301.py",
    "a.py ",
    " a.py",
    "a.",
    "a ./b.py",
    "-rf",
    "a/-x.py",
    "a?.py",
    "a*.py",
]


@pytest.mark.parametrize("name", HOSTILE, ids=[ascii(name)[:40] for name in HOSTILE])
def test_a_hostile_path_is_refused_and_touches_nothing(tmp_path: Path, name: str) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    with pytest.raises(UnsafePath):
        safe_path(repo, name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["repo"]


@pytest.mark.parametrize(
    "name", ["a.py", "./a.py", "src/pkg/model.py", ".gitignore", "uv.lock", "data/größe.txt", ".github/x.yml"]
)
def test_ordinary_paths_stay_inside_the_repository(tmp_path: Path, name: str) -> None:
    place = safe_path(tmp_path, name)
    assert place.relative_to(tmp_path).as_posix() == name.removeprefix("./")


def test_a_path_through_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    repo, outside = tmp_path / "repo", tmp_path / "outside"
    repo.mkdir()
    outside.mkdir()
    (repo / "link").symlink_to(outside)
    (repo / "file.py").symlink_to(outside / "x.py")
    for name in ("link/x.py", "link", "file.py"):
        with pytest.raises(UnsafePath, match="symbolic link"):
            safe_path(repo, name)


def test_a_name_that_differs_only_in_case_from_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Model").mkdir()
    (tmp_path / "Model" / "net.py").touch()
    for name in ("model/net.py", "Model/Net.py"):
        with pytest.raises(UnsafePath, match="only in case"):
            safe_path(tmp_path, name)
    assert safe_path(tmp_path, "Model/net.py").exists()


def test_folders_pipes_and_files_in_the_way_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "file/x.py", "pipe", "pipe/x"):
        with pytest.raises(UnsafePath):
            safe_path(tmp_path, name)
