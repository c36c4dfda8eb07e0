"""Counters are read from either version of control groups, or not at all."""

from __future__ import annotations

import pytest

from agentsys_sandbox.counters import Counters, parse

V1 = b"""/sys/fs/cgroup/memory/memory.oom_control oom_kill_disable 0
/sys/fs/cgroup/memory/memory.oom_control under_oom 0
/sys/fs/cgroup/memory/memory.oom_control oom_kill 3
/sys/fs/cgroup/pids/pids.events max 12
done
"""
V2 = b"""/sys/fs/cgroup/memory.events low 0
/sys/fs/cgroup/memory.events max 77
/sys/fs/cgroup/memory.events oom_kill 2
/sys/fs/cgroup/memory.events oom_group_kill 0
/sys/fs/cgroup/pids.events max 5
done
"""


def test_both_versions_give_the_same_two_numbers() -> None:
    assert parse(V1) == Counters(3, 12)
    assert parse(V2) == Counters(2, 5)


@pytest.mark.parametrize("output", [b"", b"don", V1.removesuffix(b"done\n"), V2[:50]])
def test_an_incomplete_reading_is_none_and_not_zero(output: bytes) -> None:
    assert parse(output) is None


def test_a_counter_that_the_kernel_lacks_stays_at_zero() -> None:
    assert parse(b"done\n") == Counters(0, 0)
    assert parse(V1.replace(b"oom_kill 3", b"other 3")) == Counters(0, 12)


def test_differences_count_from_the_last_reading() -> None:
    assert Counters(3, 12).since(Counters(1, 12)) == Counters(2, 0)
