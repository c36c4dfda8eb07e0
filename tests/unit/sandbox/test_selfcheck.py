"""A control counts as effective only where the probe saw it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentsys_sandbox.selfcheck import Expected, judge

EXPECTED = Expected(memory=1 << 30, pids=64, cpus=1.0, tmp=1 << 20, shm=1 << 20, ulimits={"core": 0, "nofile": 256})
GOOD: dict[str, Any] = {
    "uid": 1000,
    "capabilities": "0000000000000000",
    "bounding": "0000000000000000",
    "no_new_privs": "1",
    "seccomp": "2",
    "root_write": "EROFS",
    "usr_write": "EROFS",
    "work_write": "",
    "venv_write": "EROFS",
    "sysctl_write": "EACCES",
    "interfaces": ["lo"],
    "sockets": dict.fromkeys(("vsock", "packet", "netlink", "alg"), "EPERM"),
    "calls": dict.fromkeys(("io_uring_setup", "userfaultfd", "bpf", "perf_event_open", "keyctl"), "EPERM"),
    "user_namespace": "EPERM",
    "mknod": "EPERM",
    "threads": "",
    "keeper": "EPERM",
    "engine_sockets": [],
    "environment": {"HOME": "/tmp"},
    "cgroup": {
        "oom": "under_oom 0\noom_kill 0",
        "memory": str(1 << 30),
        "swap": str(1 << 30),
        "pids": "64",
        "cpu_quota": "100000",
        "cpu_period": "100000",
    },
    "limits": {"core": 0, "nofile": 256},
    "tmp": 1 << 20,
    "shm": 1 << 20,
    "apparmor": "docker-default (enforce)",
}

BREAKS: dict[str, Any] = {
    "uid": 0,
    "capabilities": "00000000a80425fb",
    "bounding": "00000000a80425fb",
    "no_new_privs": "0",
    "seccomp": "0",
    "root_write": "",
    "usr_write": "",
    "work_write": "EACCES",
    "venv_write": "",
    "sysctl_write": "",
    "interfaces": ["eth0", "lo"],
    "user_namespace": "",
    "mknod": "",
    "threads": "can't start new thread",
    "keeper": "",
    "engine_sockets": ["/var/run/docker.sock"],
    "cgroup": {**GOOD["cgroup"], "memory": "9223372036854771712"},
    "limits": {"core": -1, "nofile": 256},
    "tmp": 0,
    "shm": 1 << 40,
}


def test_a_good_answer_leaves_nothing_missing() -> None:
    found = judge(GOOD, EXPECTED)
    assert found.missing == ()
    assert [each.name for each in found.controls if not each.effective] == ["hard disk quota"]


@pytest.mark.parametrize(("key", "value"), BREAKS.items(), ids=BREAKS)
def test_each_demanded_control_is_missed_when_it_is_off(key: str, value: Any) -> None:
    found = judge({**GOOD, key: value}, EXPECTED)
    assert len(found.missing) == 1
    assert found.missing[0].remedy


@pytest.mark.parametrize("key", [key for key in GOOD if key not in ("sockets", "calls", "apparmor")])
def test_what_the_probe_did_not_answer_is_not_effective(key: str) -> None:
    assert judge({name: value for name, value in GOOD.items() if name != key}, EXPECTED).missing


@pytest.mark.parametrize(("pids", "cpu"), [("max", "max 100000"), ("128", "200000 100000"), ("", "")])
def test_limits_that_are_unbounded_or_too_high_are_missed(pids: str, cpu: str) -> None:
    group = {"oom": "oom_kill 0", "memory": str(1 << 30), "pids": pids, "cpu": cpu}
    missing = {each.name for each in judge({**GOOD, "cgroup": group}, EXPECTED).missing}
    assert missing == {"process limit", "processor limit"}


def test_a_variable_with_the_hosts_value_is_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "canary")
    found = judge({**GOOD, "environment": {"SECRET_TOKEN": "canary", "OTHER": "x"}}, EXPECTED)
    assert [(each.name, each.detail) for each in found.missing] == [("no host environment", "SECRET_TOKEN")]


def test_a_variable_that_the_sandbox_sets_itself_is_no_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    expected = replace(EXPECTED, known=frozenset({"MPLBACKEND"}))
    assert judge({**GOOD, "environment": {"MPLBACKEND": "Agg"}}, expected).missing == ()


def test_a_call_that_was_let_in_is_told_apart_from_a_refusal() -> None:
    calls = {**GOOD["calls"], "io_uring_setup": "EFAULT"}
    found = {each.name: each for each in judge({**GOOD, "calls": calls}, EXPECTED).controls}
    assert not found["no io_uring_setup"].effective
    assert "EFAULT" in found["no io_uring_setup"].detail
