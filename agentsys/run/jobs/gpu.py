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


class DriverUnfit(SandboxUnavailable):
    """The GPUs are there, and other builds of the same packages might run on them.

    Args:
        driver: its version.
    """

    def __init__(self, message: str, hint: str, driver: str) -> None:
        super().__init__(message, hint)
        self.driver = driver


def require_driver(lock: str, hint: str) -> None:
    """See that this machine's GPUs run what is locked, before anything is installed.

    Args:
        lock: text of requirements.lock.
        hint: what can be done where they do not.

    Raises: DriverUnfit where PyTorch is locked, of which there are builds for several drivers; SandboxUnavailable.
    """
    found = read_lock(lock)
    rows, said = found.rows if found is not None else (), ask_driver()
    if not (fault := driver_fault(said, rows)):
        return
    driver = _driver_of(said)
    if driver and any(row.name == "torch" for row in rows):
        raise DriverUnfit(fault, hint, driver)
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
    driver = _driver_of(said)
    if not driver:
        return "GPUs were asked for, and `nvidia-smi` finds none on this node"
    least = LEAST_DRIVER.get(cuda)
    if least is None:
        return ""
    if int(driver.partition(".")[0]) >= least:
        return ""
    return (
        f"the driver {driver} of this node is too old for CUDA {cuda}, which the locked packages were built for: it "
        f"takes {least} or newer"
    )


def _driver_of(said: str) -> str:
    """Return the version that `nvidia-smi` says first; empty where it says none."""
    found = _DRIVER.match(said.lstrip())
    return found[0] if found is not None else ""


def _cuda_of(row: Row) -> int:
    """Return the major release of CUDA that a distribution brings along or was built for; 0 for most."""
    if _RUNTIME.fullmatch(row.name):
        return int(row.version.partition(".")[0])
    local = _LOCAL.search(row.version) if row.name in ("torch", "jaxlib") else None
    return int(local[1]) if local else 0
