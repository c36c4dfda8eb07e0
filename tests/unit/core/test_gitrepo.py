from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from agentsys.core.errors import GitError
from agentsys.core.gitrepo import GitRepo


@pytest.fixture
def git(tmp_path: Path) -> GitRepo:
    root = tmp_path / "repo"
    root.mkdir()
    (root / "a.py").write_text("x = 1\n")
    made = GitRepo(root)
    made.init()
    return made


def is_clean(git: GitRepo) -> bool:
    """Whether the folder holds exactly the last commit."""
    there = [file for file in git.path.rglob("*") if file.is_file() and ".git" not in file.parts]
    return {str(file.relative_to(git.path)): file.read_bytes() for file in there} == git.files()


def test_commit_takes_everything_and_names_it(git: GitRepo) -> None:
    (git.path / ".gitignore").write_text("data/\n*.json\n")
    (git.path / "data").mkdir()
    (git.path / "data/loader.py").write_text("y = 2\n")
    sha = git.commit("First")
    assert sorted(git.files()) == [".gitignore", "a.py", "data/loader.py"]
    assert git.head() == sha and len(sha) == 40 and is_clean(git)
    assert git.commit("Nothing new") == sha


def test_the_same_files_give_the_same_commit(tmp_path: Path) -> None:
    ids = set[str]()
    for name in ("one", "two"):
        root = tmp_path / name
        root.mkdir()
        (root / "a.py").write_text("x = 1\n")
        repo = GitRepo(root)
        repo.init()
        first = repo.commit("First")
        (root / "a.py").write_text("x = 2\n")
        ids.add(first + repo.commit("Second"))
    assert len(ids) == 1


def test_restore_rolls_files_back_as_a_new_commit(git: GitRepo) -> None:
    first = git.commit("First")
    (git.path / "a.py").write_text("x = 2\n")
    (git.path / "b.py").write_text("y = 2\n")
    second = git.commit("Second")
    (git.path / "left-over.txt").write_text("x")
    third = git.restore(first)
    assert git.tree_hash(third) == git.tree_hash(first) and third not in (first, second)
    assert sorted(path.name for path in git.path.iterdir()) == [".git", "a.py"]
    assert (git.path / "a.py").read_text() == "x = 1\n" and is_clean(git)
    assert "+x = 2" in git.diff(first, second)


def test_files_come_back_byte_for_byte_whatever_attributes_say(git: GitRepo) -> None:
    data = b"one\r\ntwo\n$Id$\n\xff\x00"
    (git.path / "b.bin").write_bytes(data)
    (git.path / "empty").write_bytes(b"")
    (git.path / ".gitattributes").write_text("* text eol=crlf ident export-ignore working-tree-encoding=UTF-16\n")
    first = git.commit("First")
    assert git.files()["b.bin"] == data and git.files()["empty"] == b""
    (git.path / "b.bin").unlink()
    git.restore(first)
    assert (git.path / "b.bin").read_bytes() == data


def test_nothing_of_the_repository_or_the_user_is_run(
    git: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    script = f"sh -c 'touch {ran}'"
    home = tmp_path / "home"
    home.mkdir()
    hooks = home / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "post-commit", "post-checkout", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hooks / name).chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = {script}\n\tpager = {script}\n[diff]\n\texternal = {script}\n"
        f'[filter "evil"]\n\tclean = {script}\n\tsmudge = {script}\n[diff "evil"]\n\ttextconv = {script}\n'
        "[commit]\n\tgpgSign = true\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", script)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    (git.path / ".gitattributes").write_text("* filter=evil diff=evil\n")
    first = git.commit("First")
    (git.path / "a.py").write_text("x = 2\n")
    second = git.commit("Second")
    git.diff(first, second)
    git.restore(first)
    assert not ran.exists()


def test_identity_and_configuration_are_our_own(git: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "somebody")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    git.commit("First")
    shown = subprocess.run(
        ["git", "-C", str(git.path), "log", "-1", "--format=%an %ae %cn %ad", "--date=unix"],
        capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert shown.stdout.split() == ["agentsys", "agentsys@localhost", "agentsys", "946684800"]


def test_links_and_embedded_repositories_are_refused(git: GitRepo) -> None:
    (git.path / "link").symlink_to("/etc/passwd")
    git.commit("A link")
    with pytest.raises(GitError, match="link"):
        git.files()
    (git.path / "link").unlink()
    (git.path / "inner").mkdir()
    GitRepo(git.path / "inner").init()
    with pytest.raises(GitError, match="repository of its own"):
        git.commit("Embedded")


def test_a_commit_that_is_not_there_is_named(git: GitRepo) -> None:
    assert git.head() == ""
    git.commit("First")
    for sha in ("deadbeef", "--all", "HEAD~5"):
        with pytest.raises(GitError):
            git.files(sha)


def test_a_git_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /elsewhere\n")
    with pytest.raises(GitError):
        GitRepo(tmp_path).init()


def test_messages_are_data(git: GitRepo) -> None:
    (git.path / "b.py").write_text("")
    git.commit("-m --amend\n\n# not a comment `id` $(id)")
    (git.path / "c.py").write_text("")
    assert git.commit("   ")


def test_chosen_files_are_committed_and_what_lies_half_done_is_not(git: GitRepo) -> None:
    first = git.commit("First")
    (git.path / "a.py").write_text("x = 2  # half done\n")
    (git.path / "status.json").write_text("{}\n")
    second = git.commit_files(["status.json"], "Status")
    assert second != first and git.files() == {"a.py": b"x = 1\n", "status.json": b"{}\n"}
    assert (git.path / "a.py").read_text() == "x = 2  # half done\n"
    assert git.commit_files(["status.json"], "Status") == second
