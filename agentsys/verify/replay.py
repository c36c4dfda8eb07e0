"""The replay: what git holds, in a brand-new sandbox, installed from the repository's own pins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agentsys.core.artifacts import Plan, Verdict
from agentsys.core.events import EventLog
from agentsys.core.gitrepo import GitRepo
from agentsys.core.tree import is_source
from agentsys.verify.run import Audit, Job, SandboxFactory, Screen, run_job

LOCK = "requirements.lock"
"""What the verified environment held, one pin a line; written by agentsys."""


async def replay(
    repo: Path,
    sandbox_factory: SandboxFactory,
    *,
    round: int,
    out: Path,
    plan: Plan,
    timeout: float,
    events: EventLog,
    audit: Audit | None = None,
    profile: str = "smoke",
    commit: str = "HEAD",
    tree: str = "",
    screen: Screen | None = None,
) -> Verdict:
    """Verify a commit from nothing but its files: no constraints from outside, no working tree, a new sandbox.

    Args:
        repo: the delivered git repository; it is not changed.
        round: number of the round that is replayed.
        out: folder for the logs, two below the run directory (`rounds/replay`).
        tree: how the caller names this tree; empty takes the hash of the files.

    Versions that requirements.txt leaves open are taken from the repository's requirements.lock, if it has one.

    Raises: GitError where `repo` is not a repository or the commit is not there.
    """
    files = {name: data for name, data in GitRepo(repo).files(commit).items() if is_source(name)}
    pins = lock_pins(files)
    job = Job(repo, files, out, plan, events, round, timeout, pins, profile, "replay", keep_results=False, tree=tree)
    return await run_job(replace(job, screen=screen), sandbox_factory, audit)


def lock_pins(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the pins of requirements.lock; none where a repository has no such file."""
    lines = files.get(LOCK, b"").decode("utf-8", "replace").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
