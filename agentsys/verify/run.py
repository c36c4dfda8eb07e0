"""A verification: the checks of the table in a sandbox, tried again where the sandbox fails, and written down.

The replay is the same on what git holds, in a brand-new sandbox, installed from the repository's own lock.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_exponential

from agentsys.core.artifacts import Verdict
from agentsys.core.events import EventLog, Stage
from agentsys.core.files import sha256_bytes, write_atomic
from agentsys.core.gitrepo import GitRepo
from agentsys.core.tree import RESULTS, source_files
from agentsys.verify.checks.audit import with_installed
from agentsys.verify.checks.base import Bench, Found, Infrastructure, Job
from agentsys.verify.checks.install import lock_of
from agentsys.verify.checks.results import keep_results
from agentsys.verify.checks.table import Seen, make_verdict, run_checks
from agentsys.verify.watching import watch_failed
from agentsys_sandbox.base import Sandbox, SandboxGone, Unavailable

SandboxFactory = Callable[[], Sandbox]
ATTEMPTS = 3
"""Sandboxes that are tried where the infrastructure fails."""


async def verify(job: Job, sandbox_factory: SandboxFactory, audit: Found | None) -> Verdict:
    """Verify the files of a job, and write logs, `verdict.json` and `diagnostics.json` to `job.out`.

    Args:
        sandbox_factory: makes a new sandbox, opened and closed here.
        audit: what the policy says of these files; without it the check is `not_run` and the verdict cannot pass.

    The measured results are copied to `job.keep_in` where the results check passed.

    Raises: WeakSandbox. Faults of the code are in the verdict; a sandbox that keeps failing is in `Verdict.infra`.
    """
    seen = await _attempts(job, sandbox_factory)
    if audit is None:
        seen.why_not["audit"] = "no audit was handed in"
    elif not seen.infra:
        seen.found["audit"] = with_installed(audit, seen.screened)
    verdict = make_verdict(job, seen).model_copy(update={"wrote": seen.wrote})
    write_atomic(job.out / "verdict.json", verdict.model_dump_json(indent=1) + "\n")
    rows = [item.model_dump(mode="json") | {"fingerprint": item.fingerprint} for item in verdict.diagnostics]
    write_atomic(job.out / "diagnostics.json", json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    say_diagnostics(job.events, verdict, job.stage)
    return verdict


async def replay(job: Job, repo: Path, sandbox_factory: SandboxFactory, audit: Found | None) -> Verdict:
    """Verify the last commit from nothing but its files: no constraints from outside, no working tree, a new sandbox.

    Args:
        job: what is verified otherwise; its files, constraints and stage are replaced, and no results are kept.
        repo: the delivered git repository; it is not changed.

    Exactly what the repository's requirements.lock names is installed, if it has one.

    Raises: GitError where `repo` is not a repository, or has no commit.
    """
    files = source_files(GitRepo(repo).files("HEAD"))
    again = replace(job, files=files, constraints=(), lock=lock_of(files), stage="replay", keep_in=None)
    return await verify(again, sandbox_factory, audit)


def hash_results(exported: Path) -> dict[str, str]:
    """Return the SHA-256 of what a run left in its results folder, by the path that it has in the repository."""
    files = [path for path in sorted(exported.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {f"{RESULTS}/{path.relative_to(exported).as_posix()}": sha256_bytes(path.read_bytes()) for path in files}


def say_diagnostics(events: EventLog, verdict: Verdict, stage: Stage) -> None:
    """Emit an event for each diagnostic of a verdict."""
    for item in verdict.diagnostics:
        events.emit(
            "diagnostic.found",
            stage=stage,
            round=verdict.round,
            kind=item.kind,
            path=item.path,
            line=item.line,
            message=item.message[:300],
            fingerprint=item.fingerprint,
        )


def retrying(job: Job) -> AsyncRetrying:
    """Return what tries again, with new sandboxes, while the infrastructure fails."""

    def report(call: RetryCallState) -> None:
        error = call.outcome.exception() if call.outcome else None
        job.events.emit(
            "warning", stage=job.stage, round=job.round, message=f"trying with a new sandbox: {_words(error)}"
        )

    return AsyncRetrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=0.5, max=10),
        retry=retry_if_exception_type((Infrastructure, SandboxGone, Unavailable)),
        before_sleep=report,
        reraise=True,
    )


async def _attempts(job: Job, sandbox_factory: SandboxFactory) -> Seen:
    try:
        return await retrying(job)(_once, job, sandbox_factory)
    except (Infrastructure, SandboxGone, Unavailable) as error:
        return Seen(infra=_words(error))


async def _once(job: Job, sandbox_factory: SandboxFactory) -> Seen:
    async with sandbox_factory() as sandbox:
        description = sandbox.describe()
        job.events.emit("sandbox.started", stage=job.stage, round=job.round, backend=description.backend)
        try:
            bench = Bench(sandbox, job)
            seen = await run_checks(bench, second=sandbox_factory if job.two_sandboxes else None)
            if job.stage == "verify":
                await watch_failed(bench, seen)
        finally:
            job.events.emit("sandbox.stopped", stage=job.stage, round=job.round)
    if bench.exported is not None and seen.passed("results"):
        seen.wrote = hash_results(bench.exported)
        if job.keep_in is not None:
            keep_results(bench.exported, job.keep_in)
    return seen


def _words(error: BaseException | None) -> str:
    return str(error) or type(error).__name__
