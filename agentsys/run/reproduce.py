"""Run a profile of a delivered repository later, and keep what came of it beside the run.

Nothing of the repository is changed: logs, results and the comparison with the paper go to `reproductions/NN/`, and the
report of the run is made anew. Only code that the safety audit allowed, as it stands, is executed.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from agentsys.audit.policy import load_policy
from agentsys.core.artifacts import MeasuredResult, Plan
from agentsys.core.errors import BlockedError, SandboxUnavailable, UsageError
from agentsys.core.events import EventLog, utc_now
from agentsys.core.files import write_atomic
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord
from agentsys.core.settings import Settings
from agentsys.core.tree import read_tree
from agentsys.plan.workspace import code_hash
from agentsys.run.jobs.builds import Builds, builds_for
from agentsys.run.jobs.gpu import DriverUnfit, require_driver
from agentsys.verify.checks.audit import GATES, audit_found
from agentsys.verify.checks.base import Found, Infrastructure, Job
from agentsys.verify.checks.install import lock_of
from agentsys.verify.compare import compare_file
from agentsys.verify.data.planned import require_all, survey
from agentsys.verify.datafiles import DataFolder
from agentsys.verify.dependence.report import FILE as DEPENDENCE
from agentsys.verify.dependence.report import Dependence
from agentsys.verify.environment import judge_by
from agentsys.verify.reproduction import FILE, Outcome, Reproduction, Task, run_profile
from agentsys.verify.sandboxspec import sandbox_spec
from agentsys_policies.schema import Decision
from agentsys_sandbox.base import OnOutput, Sandbox, SandboxError
from agentsys_sandbox.spec import SandboxSpec

Profile = Literal["full", "smoke"]
BUILDS = "builds"
"""Folder of a reproduction with the logs of how builds were chosen."""
SPARE_SECONDS = 7200.0
"""How much longer than its run a sandbox may live: for the installation, the data and the results."""


@dataclass(frozen=True)
class Order:
    """What the user asks for. `timeout` is for each command, in seconds."""

    profile: Profile
    timeout: float
    data: DataFolder | None = None
    on_output: OnOutput | None = None
    opener: Callable[[SandboxSpec], Sandbox] | None = None
    """Makes the sandbox; None takes the settings' backend."""
    where: str = ""
    """The machine and job, for the record, where this is not beside the run."""
    keep: Path | None = None
    """Takes the results so far where the run is cancelled."""
    resumed: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """Results so far of an earlier run that was cancelled, by path in their folder."""
    doubt: float = 0.0
    """See `Job.doubt`."""


@dataclass(frozen=True)
class Reproduced:
    """A finished reproduction: its record, the comparison with the paper, its folder."""

    record: Reproduction
    rows: tuple[MeasuredResult, ...]
    folder: Path


async def reproduce(run: RunDir, settings: Settings, order: Order) -> Reproduced:
    """Run one profile of a run's repository in a sandbox and write `reproductions/NN/`.

    Raises: UsageError (no repository, another process has the run), BlockedError (the audit is missing, older than the
    code, or does not allow it), SandboxUnavailable. Faults of the code are in the record.
    """
    from agentsys.report.pages import write_reports

    run.lock()
    try:
        done = await reproduce_locked(run, settings, order)
        write_reports(run)
        return done
    finally:
        run.unlock()


async def reproduce_locked(run: RunDir, settings: Settings, order: Order) -> Reproduced:
    """Do what `reproduce` does for a run that this process has, and leave its report as it is."""
    code = allowed_code(run, settings, ("bash", "reproduce.sh", order.profile))
    data = order.data or await asyncio.to_thread(data_for, run, code.plan, settings, order.profile)
    order = replace(order, data=data)
    driver = ""
    if settings.gpu and not settings.docker_hosts:  # what other machines have is not seen from here
        try:
            await asyncio.to_thread(require_driver, code.lock, "run it on a machine with another driver: `--on`")
        except DriverUnfit as unfit:
            driver = unfit.driver
    number, out = next_folder(run.reproductions)
    if driver:
        builds = await chosen_builds(driver, run, settings, code, out / BUILDS, order.opener)
        code, settings = code.with_builds(builds), settings.model_copy(update={"gpu_driver": driver})
    return await run_order(run.read(), settings, order, code, number, out)


async def chosen_builds(
    driver: str,
    run: RunDir,
    settings: Settings,
    code: Code,
    out: Path,
    opener: Callable[[SandboxSpec], Sandbox] | None = None,
) -> Builds:
    """Have builds of what is locked for a driver, in the cache and by their lock. Raises: SandboxUnavailable.

    Args:
        out: folder of the logs.
    """
    await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
    events = EventLog(out / "events.jsonl", run.path.name)
    job = Job(
        files=code.files,
        out=out,
        plan=code.plan,
        events=events,
        timeout=settings.round_timeout,
        lock=code.lock,
        stage="replay",
    )
    try:
        return await builds_for(driver, job, settings, run.read().id, opener or opener_of(settings))
    finally:
        events.close()


@dataclass(frozen=True)
class Code:
    """A repository as it lies there, which the audit allows to be run."""

    plan: Plan
    files: dict[str, bytes]
    tree: str
    """Hash of the code."""
    audit: Found
    lock: str
    """Text of the requirements.lock that is installed: the repository's, unless a driver asked for other builds."""
    builds: str = ""
    """How it differs from the repository's, for a reader."""

    def with_builds(self, builds: Builds) -> Code:
        """Return it with other builds of the same packages."""
        return replace(self, lock=builds.lock, builds=builds.words)


def allowed_code(run: RunDir, settings: Settings, command: Sequence[str]) -> Code:
    """Return the repository of a run. Raises: UsageError, BlockedError; see `reproduce`.

    Args:
        command: what is to be run, which the policy looks at too.
    """
    from agentsys.plan.files import load_plan

    plan = load_plan(run.plan)
    if plan is None or not (run.repo / "reproduce.sh").is_file():
        raise UsageError(f"run `{run.path.name}` has no repository that can be run", "finish it with `resume`")
    files = read_tree(run.repo)
    tree = code_hash(run.repo, files)
    return Code(plan, files, tree, _audit(run, tree, settings, command), lock_of(files))


def reproduced(run: RunDir, number: int) -> Reproduced | None:
    """Return a reproduction that came to its end; None where there is none of this number."""
    folder = run.reproductions / f"{number:02d}"
    if not (folder / FILE).is_file():
        return None
    rows = json.loads((folder / "table.json").read_bytes())
    record = Reproduction.model_validate_json((folder / FILE).read_bytes())
    return Reproduced(record, tuple(MeasuredResult.model_validate(row) for row in rows), folder)


def data_for(run: RunDir, plan: Plan, settings: Settings, profile: str) -> DataFolder | None:
    """Return what a profile finds below `data/`: the user's folder, or for the full one what the plan names.

    Raises: PrerequisiteError where the full profile needs data that is not here; UsageError, BlockedError.
    """
    if settings.data_dir is None and (profile != "full" or not plan.data):
        return None
    got = survey(run, plan, settings, told=False)
    if profile == "full":
        require_all(plan, got)
    return got.shown


def wants_full(run: RunDir) -> bool:
    """True for a run whose results are of a smaller scale than the paper's, and that no full run has followed yet."""
    rounds = sorted(run.rounds.glob(f"[0-9]*/{DEPENDENCE}"))
    small = bool(rounds) and not Dependence.model_validate_json(rounds[-1].read_bytes()).paper_scale
    return small and not any(run.reproductions.glob(f"[0-9]*/{FILE}"))


async def run_order(
    record: RunRecord, settings: Settings, order: Order, code: Code, number: int, out: Path
) -> Reproduced:
    """Run a profile, and write what came of it to `out`.

    Args:
        number: of the reproduction.
    """
    events = EventLog(out / "events.jsonl", record.id)
    job = Job(
        files=code.files,
        out=out,
        plan=code.plan,
        events=events,
        timeout=order.timeout,
        round=number,
        lock=code.lock,
        profile=order.profile,
        stage="replay",
        tree=code.tree,
        on_output=order.on_output,
        doubt=order.doubt,
    )
    task = Task(job, code.audit, order.data, judge_by(settings), order.keep, order.resumed)
    started, clock = utc_now(), time.monotonic()
    try:
        outcome = await _in_sandbox(record, settings, order, task)
    finally:
        events.close()
    seconds = next((check.seconds for check in outcome.verdict.checks if check.name == "smoke"), 0.0)
    written = Reproduction(
        number=number,
        profile=order.profile,
        tree=code.tree,
        started=started,
        finished=utc_now(),
        seconds=seconds or round(time.monotonic() - clock, 3),
        backend=outcome.verdict.backend,
        weak=outcome.verdict.weak,
        where=order.where,
        builds=code.builds,
        timeout=order.timeout,
        memory_mb=settings.memory_mb,
        cpus=settings.cpus,
        data=order.data.words if order.data is not None else "",
        data_sha256=outcome.data_sha256,
        passed=outcome.passed,
        reason=outcome.reason,
        hint=outcome.hint,
    )
    rows = compare_file(code.plan, out / "results.json", profile=order.profile)
    table = json.dumps([row.model_dump(mode="json") for row in rows], indent=1, ensure_ascii=False)
    write_atomic(out / "table.json", table + "\n")
    # Last: with this file the reproduction is finished, without it it was cut off.
    write_atomic(out / FILE, written.model_dump_json(indent=1) + "\n")
    return Reproduced(written, rows, out)


async def _in_sandbox(record: RunRecord, settings: Settings, order: Order, task: Task) -> Outcome:
    spec = living(sandbox_spec(settings, record.id), order.timeout)
    try:
        sandbox = await asyncio.to_thread(order.opener or opener_of(settings), spec)
        async with sandbox:
            return await run_profile(task, sandbox)
    except SandboxError as error:
        raise SandboxUnavailable(error.message, error.hint or "see `agentsys doctor`") from error
    except Infrastructure as error:
        raise SandboxUnavailable(f"the sandbox failed: {error}", "see `agentsys doctor`, then try again") from error


def living(spec: SandboxSpec, timeout: float) -> SandboxSpec:
    """Return a specification of a sandbox that lives long enough for a run of `timeout` seconds."""
    return replace(spec, limits=replace(spec.limits, ttl=2 * timeout + SPARE_SECONDS))


def opener_of(settings: Settings) -> Callable[[SandboxSpec], Sandbox]:
    from agentsys_sandbox.choose import open_sandbox

    return lambda spec: open_sandbox(spec, settings.backend, settings.docker_hosts)


def _audit(run: RunDir, tree: str, settings: Settings, command: Sequence[str]) -> Found:
    """Return the audit of exactly this code as a check.

    Raises: BlockedError where there is none by the policy in force, or it does not allow the code or the command.
    """
    policy = load_policy(settings)
    file = run.audit / "code.json"
    again = f"`agentsys resume {run.path.name}` audits the code as it is now"
    if not file.is_file():
        raise BlockedError("the code was never audited", again)
    data = json.loads(file.read_text(encoding="utf-8"))
    if data.get("tree") != tree:
        raise BlockedError("the code was changed after the audit, and nothing that was not audited is run", again)
    if data.get("policy") != policy.ref.sha256:
        raise BlockedError("the audit was made by another policy than the one in force", again)
    decisions = [Decision.model_validate(row) for row in data["decisions"]]
    decisions.append(policy.check_command(tuple(command)))
    if problems := _broken_record(run):
        raise BlockedError(f"the audit record of the run is not whole: {problems}", "do not rely on it")
    refused = [decision for decision in decisions if not decision.allows]
    if refused or {decision.gate for decision in decisions} != GATES:
        gates = ", ".join(f"{decision.gate} {decision.decision}" for decision in refused)
        raise BlockedError(
            f"the safety audit does not allow the code: {gates or 'it is not complete'}",
            f"`agentsys report {run.path.name} --format md` shows the findings",
        )
    return audit_found(decisions, policy)


def _broken_record(run: RunDir) -> str:
    from agentsys_policies.record import MANIFEST, verify

    return "; ".join(verify(run.audit)) if (run.audit / MANIFEST).is_file() else ""


def next_folder(base: Path) -> tuple[int, Path]:
    """Make the folder of the next reproduction; those that were cut off keep their number."""
    numbers = [int(path.name) for path in base.glob("[0-9]*") if path.name.isdecimal()]
    number = max(numbers, default=0) + 1
    out = base / f"{number:02d}"
    out.mkdir(parents=True)
    return number, out
