"""The verification of a repository: install, imports, pyright, pytest, smoke run, results, audit, in that order."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_exponential

from agentsys.core.artifacts import CHECKS, Check, CheckName, Diagnostic, Plan, Verdict
from agentsys.core.events import EventLog, Stage
from agentsys.core.files import write_atomic
from agentsys.core.tree import read_tree, tree_hash
from agentsys.plan.distributions import normal_name
from agentsys.plan.repo_facts import RepoFacts
from agentsys.verify.bench import Bench, Found, Infrastructure
from agentsys.verify.diagnostics import order_and_merge
from agentsys.verify.imports import check_imports
from agentsys.verify.install import check_install
from agentsys.verify.pytests import check_pytest
from agentsys.verify.results import check_results, keep_results
from agentsys.verify.smoke import check_smoke
from agentsys.verify.typecheck import check_types
from agentsys_sandbox.base import Sandbox, SandboxGone, Unavailable

SandboxFactory = Callable[[], Sandbox]
AuditResult = tuple[Check, Sequence[Diagnostic]]
Audit = AuditResult | Callable[[], AuditResult | Awaitable[AuditResult]]
"""The audit is the policy's: its check and diagnostics are handed in, ready or as a function to call at the end."""


@dataclass(frozen=True)
class Screened:
    """What the policy says about an environment that was installed, before anything is executed in it."""

    note: str
    refused: bool
    """The audit check fails."""
    may_run: bool
    found: tuple[Diagnostic, ...] = ()


Screen = Callable[[Bench], Awaitable[Screened]]

ATTEMPTS = 3
"""Sandboxes that are tried where the infrastructure fails."""


@dataclass(frozen=True)
class Job:
    """What is verified, and where the evidence goes. `timeout` is for each command, in seconds."""

    repo: Path
    files: Mapping[str, bytes]
    out: Path
    plan: Plan
    events: EventLog
    round: int
    timeout: float
    constraints: tuple[str, ...] = ()
    profile: str = "smoke"
    stage: Stage = "verify"
    keep_results: bool = True
    tree: str = ""
    """Name of the tree for the verdict; empty takes the hash of `files`."""
    screen: Screen | None = None


@dataclass
class _State:
    """Findings of the attempt under way; what a failed attempt saw is dropped."""

    found: dict[CheckName, Found] = field(default_factory=dict[CheckName, Found])
    backend: str = ""
    weak: bool = False
    infra: str = ""
    screened: Screened | None = None


async def verify(
    repo: Path,
    sandbox_factory: SandboxFactory | Sandbox,
    *,
    round: int,
    out: Path,
    plan: Plan,
    timeout: float,
    constraints: Sequence[str] = (),
    events: EventLog,
    audit: Audit | None = None,
    profile: str = "smoke",
    tree: str = "",
    screen: Screen | None = None,
) -> Verdict:
    """Verify the files that lie in `repo` and write logs, `verdict.json` and `diagnostics.json` to `out`.

    Args:
        sandbox_factory: makes a new sandbox, opened and closed here; or one that the caller has opened and will close.
        round: number of the verification, from 1.
        out: `rounds/NN`; log paths in the verdict are relative to the folder two above it.
        timeout: seconds for each command.
        constraints: pins for versions that the repository leaves open.
        audit: the policy's check; without it the check is `not_run` and the verdict cannot pass.
        tree: how the caller names this tree; empty takes the hash of the files.
        screen: the policy's look at what was installed; what it refuses fails the audit, or is not executed at all.

    The measured results are copied to `repo/results` where the results check passed.

    Raises: WeakSandbox. Faults of the code are in the verdict; a sandbox that keeps failing is in `Verdict.infra`.
    """
    files = read_tree(repo)
    job = Job(repo, files, out, plan, events, round, timeout, tuple(constraints), profile, tree=tree, screen=screen)
    return await run_job(job, sandbox_factory, audit)


async def run_job(job: Job, sandbox_factory: SandboxFactory | Sandbox, audit: Audit | None) -> Verdict:
    """Carry out one verification; `verify` and `replay` end here."""
    state = await _attempts(job, sandbox_factory)
    if audit is not None and not state.infra:
        state.found["audit"] = _with_installed(await _audit(audit), state.screened)
    verdict = _verdict(job, state)
    write_atomic(job.out / "verdict.json", verdict.model_dump_json(indent=1) + "\n")
    rows = [item.model_dump(mode="json") | {"fingerprint": item.fingerprint} for item in verdict.diagnostics]
    write_atomic(job.out / "diagnostics.json", json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    for item in verdict.diagnostics:
        job.events.emit(
            "diagnostic.found",
            stage=job.stage,
            round=job.round,
            kind=item.kind,
            path=item.path,
            line=item.line,
            message=item.message[:300],
            fingerprint=item.fingerprint,
        )
    return verdict


async def _attempts(job: Job, sandbox_factory: SandboxFactory | Sandbox) -> _State:
    """Try with new sandboxes while the infrastructure fails."""
    if not callable(sandbox_factory):
        given = sandbox_factory
        try:
            return await _checks(job, given)
        except (Infrastructure, SandboxGone, Unavailable) as error:
            return _State(infra=_words(error))

    def report(call: RetryCallState) -> None:
        error = call.outcome.exception() if call.outcome else None
        job.events.emit(
            "warning", stage=job.stage, round=job.round, message=f"trying with a new sandbox: {_words(error)}"
        )

    retrying = AsyncRetrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=0.5, max=10),
        retry=retry_if_exception_type((Infrastructure, SandboxGone, Unavailable)),
        before_sleep=report,
        reraise=True,
    )
    try:
        return await retrying(_once, job, sandbox_factory)
    except (Infrastructure, SandboxGone, Unavailable) as error:
        return _State(infra=_words(error))


async def _once(job: Job, sandbox_factory: SandboxFactory) -> _State:
    async with sandbox_factory() as sandbox:
        description = sandbox.describe()
        job.events.emit("sandbox.started", stage=job.stage, round=job.round, backend=description.backend)
        try:
            return await _checks(job, sandbox)
        finally:
            job.events.emit("sandbox.stopped", stage=job.stage, round=job.round)


async def _checks(job: Job, sandbox: Sandbox) -> _State:
    description = sandbox.describe()
    state = _State(backend=description.backend, weak=description.weak)
    bench = _bench(job, sandbox)
    await bench.place_repo()
    found = state.found
    found["install"] = await check_install(bench)
    if found["install"].check.state != "passed":
        return state
    if job.screen is not None:
        state.screened = await job.screen(bench)
        if not state.screened.may_run:
            return state
    bench.facts = replace(bench.facts, installed=frozenset(normal_name(item.name) for item in bench.packages))
    found["imports"] = await check_imports(bench)
    found["pyright"] = await check_types(bench)
    if found["imports"].check.outcome in ("timeout", "oom"):
        return state
    found["pytest"] = await check_pytest(bench)
    found["smoke"] = await check_smoke(bench)
    if found["smoke"].check.state == "passed":
        found["results"] = await check_results(bench)
    if job.keep_results and bench.exported is not None and found["results"].check.state == "passed":
        keep_results(bench.exported, job.repo)
    return state


def _bench(job: Job, sandbox: Sandbox) -> Bench:
    names = ("requirements.txt", "pyproject.toml")
    texts = {name: job.files[name].decode("utf-8", "replace") for name in names if name in job.files}
    job.out.mkdir(parents=True, exist_ok=True)
    return Bench(
        sandbox=sandbox,
        files=job.files,
        out=job.out,
        log_base=job.out.parent.parent,
        plan=job.plan,
        facts=RepoFacts(files=frozenset(job.files), plan=job.plan, texts=texts),
        events=job.events,
        round=job.round,
        timeout=job.timeout,
        constraints=job.constraints,
        profile=job.profile,
        stage=job.stage,
    )


async def _audit(audit: Audit) -> Found:
    result = audit() if callable(audit) else audit
    check, diagnostics = await result if inspect.isawaitable(result) else result
    return Found(check, tuple(diagnostics))


def _with_installed(audit: Found, screened: Screened | None) -> Found:
    """Add what was said about the installed environment to the audit of the repository."""
    if screened is None:
        return audit
    note = ", ".join(part for part in (audit.check.note, screened.note) if part)
    state = "failed" if screened.refused else audit.check.state
    check = audit.check.model_copy(update={"note": note, "state": state})
    return Found(check, (*audit.diagnostics, *screened.found))


def _verdict(job: Job, state: _State) -> Verdict:
    checks: list[Check] = []
    for name in CHECKS:
        if name in state.found:
            checks.append(state.found[name].check)
        elif state.infra:
            checks.append(Check(name=name, state="infra_error", note=state.infra))
        else:
            checks.append(Check(name=name, state="not_run", note=_why_not_run(name, state)))
    diagnostics = [item for found in state.found.values() for item in found.diagnostics]
    return Verdict(
        round=job.round,
        tree=job.tree or tree_hash(job.files),
        checks=tuple(checks),
        diagnostics=order_and_merge(diagnostics),
        backend=state.backend,
        weak=state.weak,
        infra=state.infra,
    )


def _why_not_run(name: CheckName, state: _State) -> str:
    if name == "audit":
        return "no audit was handed in"
    if state.screened is not None and not state.screened.may_run:
        return "the policy refuses what was installed"
    before = CHECKS[: CHECKS.index(name)]
    failed = [item for item in before if item in state.found and state.found[item].check.state != "passed"]
    return f"{failed[0 if name != 'results' else -1]} failed" if failed else "not reached"


def _words(error: BaseException | None) -> str:
    return str(error) or type(error).__name__
