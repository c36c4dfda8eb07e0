"""Whether a node's driver runs the CUDA that the locked packages were built for."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable

from agentsys.core.errors import SandboxUnavailable
from agentsys.verify.checks.install import read_lock
from agentsys_sandbox.packages.lock import Row

LEAST_DRIVER = {11: 450, 12: 525, 13: 580}
"""Least driver for each major release of CUDA, whose minor releases all run on it.

Source: https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html, table 1.
"""
_RUNTIME = re.compile(r"nvidia-cuda-runtime(?:-cu\d+)?")
_DRIVER = re.compile(r"\d+(?:\.\d+)+")
_LOCAL = re.compile(r"\+cu(\d\d)\d")
_ASK = ("nvidia-smi", "--query-gpu=driver_version,name", "--format=csv,noheader")


def require_driver(lock: str, hint: str) -> None:
    """See that this machine's GPUs run what is locked, before anything is installed.

    Args:
        lock: text of requirements.lock.
        hint: what can be done where they do not.

    Raises: SandboxUnavailable.
    """
    found = read_lock(lock)
    if fault := driver_fault(ask_driver(), found.rows if found is not None else ()):
        raise SandboxUnavailable(fault, hint)


def ask_driver() -> str:
    """Return what `nvidia-smi` says; empty where there is none, or it fails."""
    try:
        done = subprocess.run(_ASK, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def driver_fault(said: str, rows: Iterable[Row]) -> str:
    """Return why these packages cannot use this node's GPUs; empty where nothing speaks against it.

    Args:
        said: rows `driver version, name of the GPU`, by `nvidia-smi`.
        rows: of the lock.
    """
    locked = tuple(rows)
    if build := next((row for row in locked if row.version.endswith("+cpu")), None):
        return f"GPUs were asked for, and `{build.name}` is locked as {build.version}, a build that uses none"
    cuda = max((_cuda_of(row) for row in locked), default=0)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    driver = _DRIVER.match(lines[0]) if lines else None
    if driver is None:
        return "GPUs were asked for, and `nvidia-smi` finds none on this node"
    least = LEAST_DRIVER.get(cuda)
    if least is None:
        return ""
    if int(driver[0].partition(".")[0]) >= least:
        return ""
    return (
        f"the driver {driver[0]} of this node is too old for CUDA {cuda}, which the locked packages were built for: it "
        f"takes {least} or newer"
    )


def _cuda_of(row: Row) -> int:
    """Return the major release of CUDA that a distribution brings along or was built for; 0 for most."""
    if _RUNTIME.fullmatch(row.name):
        return int(row.version.partition(".")[0])
    local = _LOCAL.search(row.version) if row.name in ("torch", "jaxlib") else None
    return int(local[1]) if local else 0
