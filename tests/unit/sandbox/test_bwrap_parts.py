"""Parts of the embedded backend that need no bubblewrap."""

from __future__ import annotations

import fcntl
import os
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agentsys_sandbox import cachedir
from agentsys_sandbox.base import SandboxError, Unavailable
from agentsys_sandbox.bwrap import box as bwrap_box
from agentsys_sandbox.bwrap import cgroup as bwrap_cgroup
from agentsys_sandbox.bwrap import identity as bwrap_identity
from agentsys_sandbox.bwrap import memory as bwrap_memory
from agentsys_sandbox.bwrap import reap as bwrap_reap
from agentsys_sandbox.bwrap.cgroup import Cgroup
from agentsys_sandbox.bwrap.command import Bubblewrap, Layout, launch
from agentsys_sandbox.bwrap.identity import Identity
from agentsys_sandbox.counters import Counters
from agentsys_sandbox.labels import labels
from agentsys_sandbox.spec import Limits


def command(**changes: object) -> list[str]:
    layout = Layout(
        Path("/root-fs"),
        Path("/w"),
        Path("/v"),
        Path("/i"),
        Limits(),
        Identity(61000, 61000, ("setpriv", "--reuid=61000")),
        **changes,  # type: ignore[arg-type]
    )
    bubblewrap = Bubblewrap("/usr/bin/bwrap", "0.8.0", frozenset({"--disable-userns"}))
    return launch(bubblewrap, layout, ["echo", "hi"], "/work/repo", {"HOME": "/tmp"}, status_fd=9).argv


@pytest.mark.parametrize(("folder", "inside"), [("/v", "/work/venv"), ("/i", "/work/instruments")])
def test_environment_and_instruments_are_read_only(folder: str, inside: str) -> None:
    argv = command()
    assert argv[argv.index(folder) - 1 : argv.index(folder) + 2] == ["--ro-bind", folder, inside]
    assert argv.index("/w") < argv.index(folder)  # or the work folder would cover it


def test_the_command_gives_up_root_before_bubblewrap_and_has_no_network() -> None:
    argv = command()
    assert argv.index("setpriv") < argv.index("/usr/bin/bwrap")
    for option in (
        "--unshare-net",
        "--unshare-user",
        "--unshare-pid",
        "--die-with-parent",
        "--new-session",
        "--clearenv",
    ):
        assert option in argv
    assert "--share-net" not in argv
    assert argv[-2:] == ["echo", "hi"]


def test_every_tmpfs_has_a_size_and_the_base_is_read_only() -> None:
    argv = command()
    for at, word in enumerate(argv):
        if word == "--tmpfs":
            assert argv[at - 2] == "--size"
    assert argv[argv.index("--ro-bind") + 1 :][:2] == ["/root-fs", "/"]
    assert argv.count("--bind") == 1  # the work folder


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (b'{ "child-pid": 7 }\n{ "exit-code": 3 }\n', 3),
        (b'{ "child-pid": 7 }\n', None),
        (b"", None),
        (b"garbage\n", None),
    ],
)
def test_an_exit_code_counts_only_where_bubblewrap_reports_one(status: bytes, code: int | None) -> None:
    read, write = os.pipe()
    os.write(write, status)
    os.set_blocking(read, False)
    assert bwrap_box._exit_code(read) == code
    os.close(read)
    os.close(write)


def test_counters_are_read_from_both_versions_of_control_groups(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (one / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    (one / "pids.events").write_text("max 5\n")
    (two / "memory.events").write_text("low 0\nmax 9\noom 1\noom_kill 3\n")
    assert Cgroup({"memory": one, "pids": one}).counters() == Counters(2, 5)
    assert Cgroup({"memory": two}).counters() == Counters(3, 0)


def test_limits_are_read_back_and_not_assumed(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1048576\n")
    (tmp_path / "pids.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert Cgroup(dict.fromkeys(("memory", "pids", "cpu"), tmp_path)).seen() == {"memory": 1048576, "cpu": 150}


def test_no_group_is_made_where_none_is_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bwrap_cgroup, "_mounts", lambda: iter(()))
    assert bwrap_cgroup.create("agentsys-test-x", Limits()) is None


def test_a_group_of_version_two_gets_its_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("")
    monkeypatch.setattr(bwrap_cgroup, "_mounts", lambda: iter([(tmp_path, "/", "cgroup2", "rw")]))
    made = bwrap_cgroup.create("agentsys-test-y", Limits(memory=1 << 20, pids=10, cpus=1.5))
    assert made is not None
    folder = made.folders["memory"]
    assert (folder / "memory.max").read_text() == str(1 << 20)
    assert (folder / "cpu.max").read_text() == "150000 100000"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up root")
def test_a_uid_in_use_by_another_sandbox_is_not_taken(tmp_path: Path) -> None:
    with bwrap_identity.identity(tmp_path) as first, bwrap_identity.identity(tmp_path) as second:
        assert first.uid != second.uid
        assert min(first.uid, second.uid) >= 61000
    with (tmp_path / str(first.uid)).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_an_ordinary_user_stays_who_he_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    with bwrap_identity.identity(tmp_path) as found:
        assert (found.uid, found.dropped) == (1234, False)


def test_root_without_setpriv_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(bwrap_identity, "PATH", "/nonexistent")
    with pytest.raises(Unavailable, match="setpriv"), bwrap_identity.identity(tmp_path):
        pytest.fail("it must not go on as root")


def test_a_private_cache_folder_is_refused_for_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("AGENTSYS_CACHE_DIR", str(private / "cache"))
    with pytest.raises(Unavailable, match="cannot enter"):
        cachedir.shared_dir()
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    assert cachedir.shared_dir() == private / "cache"


def sandbox_folder(place: Path, name: str, **changes: str) -> Path:
    folder = place / name
    (folder / "work").mkdir(parents=True)
    bwrap_reap.write_owner(folder, labels("r", 3600) | changes)
    return folder


def test_only_folders_without_a_living_owner_are_left_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bwrap_reap, "sandboxes_dir", lambda: tmp_path)
    sandbox_folder(tmp_path, "agentsys-mine")
    dead = sandbox_folder(tmp_path, "agentsys-dead", **{"agentsys.pid": "999999999"})
    (tmp_path / "not-ours").mkdir()
    (tmp_path / "agentsys-broken").mkdir()
    (tmp_path / "agentsys-broken/owner.json").write_text("{")
    found = bwrap_reap.leftovers()
    assert [each.name for each in found] == ["agentsys-dead"]
    found[0].remove()
    assert not dead.exists()
    assert (tmp_path / "agentsys-mine").exists()


def test_a_group_is_found_by_its_name_and_no_other_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = [(tmp_path / "v1", "/", "cgroup", "rw,memory"), (tmp_path / "v2", "/", "cgroup2", "rw")]
    ours = [tmp_path / "v1/some/where/agentsys-a", tmp_path / "v2/agentsys-a"]
    other = tmp_path / "v2/agentsys-ab"
    for folder in (*ours, other):
        folder.mkdir(parents=True)
    monkeypatch.setattr(bwrap_cgroup, "_mounts", lambda: iter(mounts))
    found = bwrap_cgroup.find("agentsys-a")
    assert sorted(found.folders.values()) == sorted(ours)
    assert found.remove()
    assert [folder.exists() for folder in (*ours, other)] == [False, False, True]


def test_a_group_that_stays_is_told_and_its_folder_kept_for_the_next_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bwrap_reap, "sandboxes_dir", lambda: tmp_path)
    folder = sandbox_folder(tmp_path, "agentsys-dead", **{"agentsys.pid": "999999999"})
    stuck = tmp_path / "stuck"
    (stuck / "child").mkdir(parents=True)  # as with a process that the kernel cannot end: rmdir fails
    group = Cgroup({"memory": stuck})
    monkeypatch.setattr(bwrap_cgroup, "find", lambda name: group)
    monkeypatch.setattr(Cgroup, "remove", partial(Cgroup.remove, group, 0.0))
    with pytest.raises(SandboxError, match="control group"):
        bwrap_reap.leftovers()[0].remove()
    assert folder.exists()


def test_a_tree_is_removed_without_following_links(tmp_path: Path) -> None:
    keep, tree = tmp_path / "keep", tmp_path / "tree"
    keep.mkdir()
    (keep / "file").write_text("x")
    tree.mkdir()
    (tree / "link").symlink_to(keep)
    bwrap_reap.remove_tree(tree)
    assert not tree.exists()
    assert (keep / "file").exists()


def test_memory_of_all_descendants_is_counted_and_of_nobody_else(tmp_path: Path) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    # pid: (parent, resident, shared); a name with brackets and blanks must not confuse.
    for pid, (parent, resident, shared) in {10: (1, 5, 1), 11: (10, 7, 0), 12: (11, 9, 2), 20: (1, 100, 0)}.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a ) b) S {parent} 0 0\n")
        (tmp_path / str(pid) / "statm").write_text(f"500 {resident} {shared} 0 0 0 0\n")
    (tmp_path / "13").mkdir()  # ended meanwhile
    assert bwrap_memory.held_by(10, tmp_path) == (4 + 7 + 7) * page


def test_a_removal_that_a_signal_ended_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, run = tmp_path / "tree", bwrap_reap.subprocess.run
    tree.mkdir()
    begun: list[list[str]] = []

    def killed_at_first(argv: list[str], **options: Any) -> Any:
        begun.append(argv)
        return subprocess.CompletedProcess(argv, -15) if len(begun) == 1 else run(argv, **options)

    monkeypatch.setattr(bwrap_reap.subprocess, "run", killed_at_first)
    bwrap_reap.remove_tree(tree)
    assert len(begun) == 2 and not tree.exists()
