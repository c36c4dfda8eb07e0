"""Builds of locked packages that a node's GPUs run: the same versions, from PyTorch's indexes, as uv chooses them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from packaging.version import Version

from agentsys.core.errors import SandboxUnavailable
from agentsys.core.settings import Settings
from agentsys.run.jobs.gpu import driver_fault
from agentsys.verify.checks.base import Bench, Infrastructure, Job, Screened
from agentsys.verify.checks.install import LOCK, read_lock
from agentsys.verify.checks.table import run_checks
from agentsys.verify.environment import judge_by
from agentsys.verify.sandboxspec import sandbox_spec
from agentsys_sandbox.base import Sandbox, SandboxError
from agentsys_sandbox.packages.lock import Row
from agentsys_sandbox.spec import SandboxSpec

_HINT = "ask for GPUs with another driver, or lock a version that PyTorch has builds of for this one"
_OF_A_BUILD = ("nvidia-", "triton", "pytorch-triton", "cuda-")
"""How names of distributions begin that come and go with a build of PyTorch."""


@dataclass(frozen=True)
class Builds:
    """What is installed in place of what is locked."""

    lock: str
    """Text of a requirements.lock."""
    words: str
    """What differs, for a reader."""


async def builds_for(
    driver: str, job: Job, settings: Settings, run: str, opener: Callable[[SandboxSpec], Sandbox]
) -> Builds:
    """Resolve what is locked anew for a driver, have the policy judge it, and install it into the cache.

    Args:
        driver: version, as `nvidia-smi` says it.
        job: its lock is the one that was verified; logs go to its `out`.
        run: id.

    Raises: SandboxUnavailable where there are no such builds, or the policy refuses them.
    """
    locked = _rows(job.lock)
    chosen = settings.model_copy(update={"gpu_driver": driver, "gpu": False})  # there may be none where this is called
    try:
        lock = await _resolved(replace(job, lock="\n".join(pins(locked))), chosen, run, opener)
    except (SandboxError, Infrastructure) as error:
        raise SandboxUnavailable(f"no builds for the driver {driver} could be had: {error}", _HINT) from error
    found = _rows(lock)
    if fault := driver_fault(driver, found):
        words = f"PyTorch has no builds of these versions for the driver {driver}: {fault}"
        raise SandboxUnavailable(words, _HINT)
    return Builds(lock, f"{difference(locked, found)} for the driver {driver}")


def pins(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return what holds the versions and leaves the builds open, as constraints."""
    kept = [row for row in rows if not row.name.startswith(_OF_A_BUILD)]
    return tuple(f"{row.name}=={Version(row.version).public}{f' ; {row.marker}' * bool(row.marker)}" for row in kept)


def difference(before: Sequence[Row], after: Sequence[Row]) -> str:
    """Return which builds were taken in place of which: `torch 2.8.0+cu126 in place of 2.8.0+cpu`."""
    old = {row.name: row.version for row in before}
    changed = [row for row in after if row.name in old and row.version != old[row.name]]
    kept = [row for row in changed if not row.name.startswith(_OF_A_BUILD)]
    return ", ".join(f"{row.name} {row.version} in place of {old[row.name]}" for row in kept)


def _rows(lock: str) -> tuple[Row, ...]:
    found = read_lock(lock)
    return found.rows if found is not None else ()


async def _resolved(job: Job, settings: Settings, run: str, opener: Callable[[SandboxSpec], Sandbox]) -> str:
    """Raises: SandboxUnavailable, SandboxError, Infrastructure."""
    refuses = judge_by(settings)

    async def screen(bench: Bench) -> Screened:
        why = refuses(bench.packages)
        return Screened(note=why, refused=bool(why), may_run=not why)

    sandbox = await asyncio.to_thread(opener, sandbox_spec(settings, run))
    async with sandbox:
        bench = Bench(sandbox, replace(job, screen=screen))
        seen = await run_checks(bench, only=("install",))
    if not seen.passed("install"):
        refused = bench.screened.note if bench.screened is not None else ""
        said = [item.message for found in seen.found.values() for item in found.diagnostics]
        why = refused or "; ".join(said[:1]) or "they could not be installed"
        raise SandboxUnavailable(f"no builds for the driver {settings.gpu_driver} could be had: {why}", _HINT)
    return (job.out / LOCK).read_text(encoding="utf-8")
