"""The second version of control groups, from files as a kernel of that version has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys_sandbox import counters
from agentsys_sandbox.bwrap import cgroup as bwrap_cgroup
from agentsys_sandbox.bwrap.cgroup import OVERHEAD, Cgroup
from agentsys_sandbox.counters import Counters
from agentsys_sandbox.docker.hardening import host_config
from agentsys_sandbox.docker.records import EngineInfo
from agentsys_sandbox.selfcheck import Expected, judge
from agentsys_sandbox.spec import Limits

# In the kernel's documented form for the unified hierarchy, after one kill for memory and three refused forks.
MEMORY_EVENTS = "low 0\nhigh 0\nmax 57\noom 1\noom_kill 1\noom_group_kill 0\n"
PIDS_EVENTS = "max 3\n"
LIMITS = Limits(memory=256 << 20, cpus=1.5, pids=64)


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A unified hierarchy in which this process is in a group of its user, with controllers handed down."""
    own = tmp_path / "user.slice"
    own.mkdir()
    for folder in (tmp_path, own):
        (folder / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids rdma misc\n")
        (folder / "cgroup.subtree_control").write_text("")
    lines = {
        "/proc/self/cgroup": ["0::/user.slice"],
        "/proc/self/mountinfo": [f"30 24 0:26 / {tmp_path} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"],
    }
    real = bwrap_cgroup._lines  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(bwrap_cgroup, "_lines", lambda path: lines.get(str(path)) or real(path))
    return tmp_path


def made(folder: Path) -> Cgroup:
    found = bwrap_cgroup.create("box", LIMITS)
    assert found is not None
    assert set(found.folders.values()) == {folder / "user.slice" / "box"}
    return found


def test_a_group_is_made_below_the_own_one_with_all_limits(mounted: Path) -> None:
    group = made(mounted)
    folder = mounted / "user.slice" / "box"
    assert (mounted / "user.slice" / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert (folder / "memory.max").read_text() == str(LIMITS.memory)
    assert (folder / "pids.max").read_text() == str(LIMITS.pids + OVERHEAD)
    assert (folder / "cpu.max").read_text() == "150000 100000"
    assert group.seen() == {"memory": LIMITS.memory, "pids": LIMITS.pids + OVERHEAD, "cpu": 150}
    assert group.enter().count(str(folder / "cgroup.procs")) == 1


def test_swap_is_forbidden_where_the_kernel_counts_it(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.mkdir

    def mkdir(self: Path, *args: object, **kwargs: object) -> None:
        real(self, *args, **kwargs)  # type: ignore[arg-type]
        (self / "memory.swap.max").write_text("max\n")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    made(mounted)
    assert (mounted / "user.slice" / "box" / "memory.swap.max").read_text() == "0"


def test_counters_are_read_from_the_events_files(mounted: Path) -> None:
    group = made(mounted)
    folder = mounted / "user.slice" / "box"
    assert group.counters() == Counters()
    (folder / "memory.events").write_text(MEMORY_EVENTS)
    (folder / "pids.events").write_text(PIDS_EVENTS)
    assert group.counters() == Counters(oom_kills=1, pids_refused=3)


def test_without_the_memory_controller_there_is_no_group(mounted: Path) -> None:
    for folder in (mounted, mounted / "user.slice"):
        (folder / "cgroup.controllers").write_text("cpuset cpu pids\n")
    assert bwrap_cgroup.create("box", LIMITS) is None
    assert not (mounted / "user.slice" / "box").exists()


def test_a_groups_counters_are_read_in_a_container() -> None:
    lines = [f"/sys/fs/cgroup/memory.events {line}" for line in MEMORY_EVENTS.splitlines()]
    lines += [f"/sys/fs/cgroup/pids.events {line}" for line in PIDS_EVENTS.splitlines()]
    assert counters.parse("\n".join([*lines, "done"]).encode()) == Counters(1, 3)


def test_limits_as_a_probe_reads_them_are_judged() -> None:
    group = {
        "memory": str(256 << 20),
        "swap": "0",
        "oom": MEMORY_EVENTS,
        "pids": "64",
        "cpu_quota": "",
        "cpu_period": "",
        "cpu": "150000 100000",
    }
    expected = Expected(256 << 20, 64, 1.5, 1, 1, {})
    names = ("memory limit", "memory kills are counted", "process limit", "processor limit", "no swap")
    found = {each.name: each.effective for each in judge({"cgroup": group}, expected).controls}
    assert {name: found[name] for name in names} == dict.fromkeys(names, True)
    unbounded = group | {"memory": "max", "pids": "max", "cpu": "max 100000", "swap": "max", "oom": ""}
    found = {each.name: each.effective for each in judge({"cgroup": unbounded}, expected).controls}
    assert {name: found[name] for name in names} == dict.fromkeys(names, False)


@pytest.mark.parametrize(("version", "namespace"), [("1", None), ("2", "private")])
def test_a_container_sees_its_own_group_and_not_the_hosts(version: str, namespace: str | None) -> None:
    info = EngineInfo("docker", "28", 4, 8 << 30, version, (), ("runc",), "x86_64", True)
    assert host_config(LIMITS, info).get("cgroupns") == namespace
