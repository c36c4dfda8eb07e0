from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsys.core import tree as upload
from agentsys.core.errors import InternalError
from agentsys.core.tree import read_tree, tree_hash
from agentsys.verify.checks.results import keep_results
from unit.verify.tiny import GREEN, write_repo


def test_results_caches_links_and_pipes_are_not_verified(tmp_path: Path) -> None:
    repo = write_repo(tmp_path / "repo", GREEN)
    for name in (
        "results/results.json",
        "results/.gitkeep",
        ".git/config",
        "tiny/__pycache__/m.pyc",
        ".venv/x.py",
        "x.egg-info/P",
    ):
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text("x")
    (repo / "link.py").symlink_to("/etc/passwd")
    os.mkfifo(repo / "pipe")
    assert set(read_tree(repo)) == {*GREEN, "results/.gitkeep"}


def test_the_hash_follows_paths_and_contents_only() -> None:
    one = {"a": b"1", "b": b"2"}
    assert tree_hash(one) == tree_hash({"b": b"2", "a": b"1"})
    assert (
        len(
            {
                tree_hash(one),
                tree_hash({"a": b"12", "b": b""}),
                tree_hash({"a": b"1"}),
                tree_hash({"a": b"1", "c": b"2"}),
            }
        )
        == 4
    )


def test_only_named_files_are_read_if_names_are_given(tmp_path: Path) -> None:
    repo = write_repo(tmp_path, GREEN)
    assert set(read_tree(repo, ["reproduce.sh", "gone.py"])) == {"reproduce.sh"}


def test_a_repository_beyond_all_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "MAX_FILES", 3)
    with pytest.raises(InternalError):
        read_tree(write_repo(tmp_path, GREEN))


def test_results_replace_the_old_ones_and_follow_no_link(tmp_path: Path) -> None:
    repo, exported, outside = tmp_path / "repo", tmp_path / "export", tmp_path / "outside"
    for folder in (repo / "results/old", exported / "plots", outside):
        folder.mkdir(parents=True)
    (repo / "results/.gitkeep").touch()
    (repo / "results/stale.json").touch()
    (exported / "results.json").write_text("{}")
    (exported / "plots/a.png").write_bytes(b"x")
    (exported / "link").symlink_to("/etc/passwd")
    assert keep_results(exported, repo) == ["results/plots/a.png", "results/results.json"]
    assert sorted(path.name for path in (repo / "results").iterdir()) == [".gitkeep", "plots", "results.json"]


def test_a_results_link_is_replaced_not_followed(tmp_path: Path) -> None:
    repo, exported, outside = tmp_path / "repo", tmp_path / "export", tmp_path / "outside"
    for folder in (repo, exported, outside):
        folder.mkdir()
    (exported / "results.json").write_text("{}")
    (repo / "results").symlink_to(outside)
    keep_results(exported, repo)
    assert not list(outside.iterdir()) and (repo / "results/results.json").is_file()


def test_names_that_a_run_made_up_to_do_harm_are_left_out(tmp_path: Path) -> None:
    repo, exported = tmp_path / "repo", tmp_path / "export"
    repo.mkdir()
    for name in ("results.json", ".git/config", "sub/.git/HEAD", "a\nb.txt", "nul", "fine/plot.png"):
        (exported / name).parent.mkdir(parents=True, exist_ok=True)
        (exported / name).write_text("x")
    assert keep_results(exported, repo) == ["results/fine/plot.png", "results/results.json"]
