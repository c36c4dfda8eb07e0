"""Sandboxes for the live tests: small limits, one run id for each test, and a look at what stays behind."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import pytest

from agentsys_sandbox.base import OnOutput, Sandbox, SandboxError
from agentsys_sandbox.choose import detect, open_sandbox
from agentsys_sandbox.spec import ExecResult, InstallResult, Limits, SandboxSpec
from live.hostwatch import left_behind

MIB = 1 << 20
# Enough processes for a module of tests in one box: a slow init on the host lets ended ones linger and count.
SMALL = Limits(
    memory=256 * MIB, cpus=1.0, pids=256, disk=512 * MIB, open_files=256, tmp=64 * MIB, shm=64 * MIB, ttl=600.0
)
BACKENDS = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("bwrap", marks=pytest.mark.bwrap)]


@cache
def missing(backend: str) -> str:
    """Why a backend cannot be used here; empty where it can."""
    try:
        detect(backend)
    except SandboxError as error:
        return error.message
    return ""


def need(backend: str) -> None:
    """Skip the test where the backend is not there."""
    if missing(backend):
        pytest.skip(missing(backend))


@dataclass
class Place:
    """A backend to open sandboxes on, under one run id."""

    backend: str
    run: str = field(default_factory=lambda: f"t{secrets.token_hex(4)}")
    shared_cache: bool = False
    """Packages are kept where runs of this machine keep theirs; otherwise nothing is known before."""

    @asynccontextmanager
    async def open(self, limits: Limits = SMALL, **changes: object) -> AsyncIterator[Sandbox]:
        """Open one; `changes` are fields of the limits."""
        async with open_sandbox(self.spec(replace(limits, **changes)), self.backend) as sandbox:
            yield sandbox

    def spec(self, limits: Limits = SMALL) -> SandboxSpec:
        """Return what is asked for here."""
        cache = None if self.shared_cache else Path(tempfile.gettempdir(), f"packages-{self.run}")
        return SandboxSpec(run=self.run, limits=limits, allow_weak=self.backend == "bwrap", cache_dir=cache)

    def residue(self) -> list[str]:
        """Everything of this run that is still there: containers, volumes, networks, folders, processes."""
        return left_behind(self.run)


async def install(
    sandbox: Sandbox,
    requirements: Sequence[str] = (),
    *,
    constraints: Sequence[str] = (),
    files: Mapping[str, bytes] | None = None,
    timeout: float = 120.0,
    on_output: OnOutput | None = None,
) -> InstallResult:
    """Resolve and install, with nothing in between."""
    found = await sandbox.resolve(
        requirements, constraints=constraints, project=files, timeout=timeout, on_output=on_output
    )
    if found.lock is None:
        return InstallResult(found.result)
    return await sandbox.install(found.lock, project=found.project, timeout=timeout)


async def python(sandbox: Sandbox, code: str, *, timeout: float = 30.0, **options: object) -> ExecResult:
    """Run a piece of Python in the sandbox."""
    return await sandbox.exec(["python3", "-c", code], timeout=timeout, **options)  # type: ignore[arg-type]


async def others(sandbox: Sandbox) -> int:
    """How many processes of the code's user run, besides the one that counts."""
    code = (
        "import os; me=os.getuid(); n=0\n"
        "for p in os.listdir('/proc'):\n"
        "    try: n += p.isdigit() and int(p) not in (1, os.getpid()) and os.stat('/proc/'+p).st_uid == me"
        " and b'(python3) Z' not in open(f'/proc/{p}/stat','rb').read()\n"
        "    except OSError: pass\n"
        "print(n)"
    )
    return int((await python(sandbox, code)).stdout)


def runs_on_host(mark: str) -> bool:
    """True if this machine has a process with the mark in its command line, in whatever container."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False
