"""Wishes that change how well a container is confined: another runtime, a GPU."""

from __future__ import annotations

from typing import Any, cast

import pytest

from agentsys_sandbox.base import Unavailable
from agentsys_sandbox.docker.hardening import check_runtime, host_config
from agentsys_sandbox.docker.pool import Share, capacity, need, shares_of
from agentsys_sandbox.docker.records import EngineInfo
from agentsys_sandbox.docker.sandbox import DockerSandbox
from agentsys_sandbox.selfcheck import Checked, Expected, judge
from agentsys_sandbox.spec import Limits, SandboxSpec

INFO = EngineInfo("docker", "28", 4, 8 << 30, "2", (), ("io.containerd.runc.v2", "runc", "runsc"), "x86_64", True)


class StandIn:
    """What a sandbox that is not opened needs of an engine."""

    info = INFO


def closed(**wishes: Any) -> DockerSandbox:
    return DockerSandbox(SandboxSpec(run="x", **wishes), cast(Any, StandIn()))


def test_the_runtime_is_asked_for_where_one_is_wished() -> None:
    assert host_config(Limits(), INFO, runtime="runsc")["runtime"] == "runsc"
    assert "runtime" not in host_config(Limits(), INFO)


def test_a_runtime_that_is_missing_is_one_clear_message() -> None:
    check_runtime("", INFO)
    check_runtime("runsc", INFO)
    with pytest.raises(Unavailable, match="no container runtime `kata`, it has `io") as caught:
        check_runtime("kata", INFO)
    assert "daemon.json" in caught.value.hint


def test_under_another_kernel_what_it_hides_is_not_effective_but_not_demanded() -> None:
    seen = {"seccomp": "0", "cgroup": {}}
    names = {"system call filter", "memory limit", "process limit", "processor limit", "memory kills are counted"}
    plain = judge(seen, Expected(1, 1, 1.0, 1, 1, {}))
    other = judge(seen, Expected(1, 1, 1.0, 1, 1, {}, own_kernel=True))
    assert names <= {each.name for each in plain.missing}
    assert not names & {each.name for each in other.missing}
    assert not any(each.effective for each in other.controls if each.name in names)
    assert "no network" in {each.name for each in other.missing}  # everything else stays demanded


def test_a_gpu_is_asked_for_and_its_price_is_said() -> None:
    assert host_config(Limits(), INFO, gpu=True)["device_requests"][0]["Capabilities"] == [["gpu"]]
    assert "device_requests" not in host_config(Limits(), INFO)
    box = closed(gpu=True)
    box._judge(Checked((), ()))  # pyright: ignore[reportPrivateUsage]
    description = box.describe()
    control = {each.name: each for each in description.controls}["no GPU"]
    assert description.weak
    assert not control.effective
    assert "driver in the kernel is open to the code" in control.detail
    plain = closed()
    plain._judge(Checked((), ()))  # pyright: ignore[reportPrivateUsage]
    assert not plain.describe().weak


def test_no_container_has_a_network() -> None:
    assert host_config(Limits(), INFO, gpu=True, runtime="runc")["network_mode"] == "none"


def test_shares_of_an_endpoint() -> None:
    assert need(Limits(cpus=16.0, memory=1 << 30), INFO, gpu=True) == Share(4.0, 1 << 30, 1)  # no more than there are
    assert capacity(INFO) == Share(4.0, 8 << 30, 0)
    labels = {"agentsys.sandbox": "a", "agentsys.cpus": "2", "agentsys.memory": "100", "agentsys.gpu": "0"}
    other = labels | {"agentsys.sandbox": "b", "agentsys.gpu": "1"}
    # A sandbox that installs has two containers, one of an earlier version has no labels.
    assert sum(shares_of([labels, labels, other, {}]).values(), Share()) == Share(4.0, 200, 1)
    assert not Share(4.1, 0, 0).fits(capacity(INFO))
    assert not Share(0, 0, 1).fits(capacity(INFO))
