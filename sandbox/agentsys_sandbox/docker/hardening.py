"""How containers are confined: the engine's arguments for a set of limits."""

from __future__ import annotations

from typing import Any

from agentsys_sandbox.docker.records import EngineInfo
from agentsys_sandbox.errors import Unavailable
from agentsys_sandbox.spec import Limits

KEEPER = "65534:65534"
"""User of the first process. Another one than the code's, or `kill -9 -1` would end the sandbox from inside."""
USER = "1000:1000"
"""User of everything else."""
_SMALLEST_MEMORY = 6 << 20  # the engine refuses less


def host_config(
    limits: Limits,
    info: EngineInfo,
    *,
    gpu: bool = False,
    seccomp: str | None = None,
    runtime: str = "",
) -> dict[str, Any]:
    """Host configuration (keyword arguments of the SDK) of every container: no network, no privileges, bounded.

    Memory and swap limits are equal, so that nothing is swapped out. The `ipc` namespace is private with a sized
    /dev/shm, because multiprocessing and data loaders need shared memory.

    Args:
        gpu: pass all GPUs on.
        seccomp: a profile as JSON text; None leaves the engine's own in force.
        runtime: name of a container runtime that the engine knows; empty takes its default.
    """
    memory = max(_SMALLEST_MEMORY, limits.memory)
    config: dict[str, Any] = {
        "network_mode": "none",
        "read_only": True,
        "init": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "ipc_mode": "private",
        "shm_size": limits.shm,
        "mem_limit": memory,
        "memswap_limit": memory,
        "pids_limit": limits.pids,
        "nano_cpus": int(cpus(limits, info) * 1e9),
        "tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,size={limits.tmp},mode=1777"},
        "log_config": {"Type": "none", "Config": {}},
        "restart_policy": {"Name": "no"},
    }
    if info.cgroup_version == "2":
        config["cgroupns"] = "private"  # or the counters inside would be those of the whole host
    if runtime:
        config["runtime"] = runtime
    if seccomp is not None:
        config["security_opt"].append(f"seccomp={seccomp}")
    if gpu:
        config["device_requests"] = [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]
    return config


def check_runtime(wanted: str, info: EngineInfo) -> None:
    """See that the engine has a runtime. Raises: Unavailable."""
    if wanted and wanted not in info.runtimes:
        known = ", ".join(f"`{each}`" for each in info.runtimes)
        raise Unavailable(
            f"the engine has no container runtime `{wanted}`, it has {known}",
            "install it and name it in the engine's `daemon.json`, or leave `runtime` empty",
        )


def cpus(limits: Limits, info: EngineInfo) -> float:
    """Processors to ask for: the engine refuses more than the machine has."""
    return max(0.01, min(limits.cpus, float(info.cpus)))


def ulimits(limits: Limits) -> dict[str, int]:
    """Limits of each process: no core dumps, open files, and no file larger than the work folder may be."""
    return {"core": 0, "nofile": limits.open_files, "fsize": limits.disk}
