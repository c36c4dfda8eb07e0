"""What a task does: a whole profile, or its share of the cells of claims."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from agentsys.core.errors import SandboxUnavailable
from agentsys.core.events import EventLog
from agentsys.core.settings import Settings
from agentsys.run.jobs.builds import Builds
from agentsys.run.jobs.claimed import Claimed, audit_programs, claimed, known_cells, missing
from agentsys.run.jobs.gpu import require_driver
from agentsys.run.jobs.job import Place
from agentsys.run.jobs.node import Node, kept_before, to_file
from agentsys.run.jobs.part import KEPT, OUTPUT, files_below, parts_in
from agentsys.run.reproduce import Code, Order, allowed_code, data_for, living, opener_of, run_order
from agentsys.verify.checks.base import Bench, Infrastructure, Job
from agentsys.verify.checks.install import LOCK
from agentsys.verify.checks.table import run_checks
from agentsys.verify.claims.celllog import CellLog
from agentsys.verify.claims.cells import Cell
from agentsys.verify.claims.data import data_here, identity_of, shown_to_cells
from agentsys.verify.claims.running import Cells, Trial
from agentsys.verify.reproduction import RESULTS_PLACE
from agentsys.verify.sandboxspec import sandbox_spec
from agentsys_sandbox.base import SandboxError
from agentsys_sandbox.spec import SandboxSpec

DOUBT = 2.0
"""Seconds within which a signal for this process arrives that has reached the programs below it already."""


async def run_whole(node: Node, settings: Settings) -> None:
    """Run the profile, and seal what came of it; nothing where another part has done it."""
    job, part = node.job, node.part
    if any(one.sealed(one.reproduction(job.number)) is not None for one in parts_in(node.place.parts)):
        return
    code = with_builds(node.place, allowed_code(node.place.run, settings, ("bash", "reproduce.sh", job.profile)))
    _check_node(job.need.gpus, code)
    before = kept_before(node)
    kept = files_below(before.folder / KEPT / RESULTS_PLACE) if before is not None else {}
    order = Order(
        "smoke" if job.profile == "smoke" else "full",
        job.timeout,
        await asyncio.to_thread(data_for, node.place.run, code.plan, settings, job.profile),
        to_file(part.folder / OUTPUT),
        where=node.where + (f", from what part {before.folder.name} had written on" if before is not None else ""),
        keep=part.folder / KEPT,
        resumed=kept,
        doubt=DOUBT,
    )
    out = part.reproduction(job.number)
    out.mkdir(parents=True)
    await run_order(node.place.run.read(), settings, order, code, job.number, out)
    part.seal(out)


async def run_cells(node: Node, settings: Settings) -> None:
    """Run this task's share of the cells of its submission; those that are done somewhere are left out."""
    job, part, run = node.job, node.part, node.place.run
    code = with_builds(node.place, allowed_code(run, settings, ("bash", "reproduce.sh", "smoke")))
    found = claimed(run, code.tree)
    audit_programs(run, settings, code, found, part.folder / "programs")
    share = set(node.place.cells(part.submission)[part.task :: job.submissions[part.submission].tasks])
    data = await asyncio.to_thread(data_here, run, code.plan, settings)
    open_ = missing(found, known_cells(run, parts_in(node.place.parts), identity_of(data)))
    work = [(trial, cell) for trial, cell in open_ if cell.name in share]
    if not work:
        return
    _check_node(job.need.gpus, code)
    events = EventLog(part.folder / "events.jsonl", run.path.name)
    bench_job = cells_job(code, programs_of(found), part.folder / "checks", events, job.timeout)
    spec = living(sandbox_spec(settings, run.read().id), job.need.seconds)
    try:
        where = ", ".join(filter(None, (node.where, code.builds)))
        with ExitStack() as stack:
            show = await asyncio.to_thread(stack.enter_context, shown_to_cells(code.plan, data))
            await _in_sandbox(settings, spec, bench_job, show, CellLog(part.folder), where, work)
    finally:
        events.close()


def with_builds(place: Place, code: Code) -> Code:
    """Return it with the builds that were chosen for the job's nodes, if any were."""
    job = place.read()
    return code.with_builds(Builds((place.folder / LOCK).read_text("utf-8"), job.builds)) if job.builds else code


def programs_of(found: Claimed) -> dict[str, bytes]:
    """Return the programs of claims that are run, by path."""
    return {trial.path: found.programs[trial.path].encode() for trial in found.trials}


def cells_job(code: Code, programs: Mapping[str, bytes], out: Path, events: EventLog, timeout: float) -> Job:
    """Return the job of a bench that runs cells: repository, programs of claims, locked packages."""
    return Job(
        files={**code.files, **programs},
        out=out,
        plan=code.plan,
        events=events,
        timeout=timeout,
        lock=code.lock,
        stage="experiments",
        doubt=DOUBT,
    )


async def _in_sandbox(
    settings: Settings,
    spec: SandboxSpec,
    job: Job,
    show: Callable[[Bench], None],
    log: CellLog,
    where: str,
    work: Sequence[tuple[Trial, Cell]],
) -> None:
    """Raises: SandboxUnavailable."""
    try:
        sandbox = await asyncio.to_thread(opener_of(settings), spec)
        async with sandbox:
            bench = Bench(sandbox, job)
            await installed(bench)
            show(bench)
            cells = Cells([bench], log, math.inf, settings.cpus, f"{where}, {sandbox.describe().backend}")
            for trial in dict.fromkeys(id(trial) for trial, _ in work):
                mine = [(one, cell) for one, cell in work if id(one) == trial]
                await cells.all(mine[0][0], [cell for _, cell in mine])
    except SandboxError as error:
        raise SandboxUnavailable(error.message, error.hint or "see `agentsys doctor` on that machine") from error
    except Infrastructure as error:
        raise SandboxUnavailable(f"the sandbox failed: {error}", "see `agentsys doctor` on that machine") from error


async def installed(bench: Bench) -> None:
    """Install what is locked. Raises: Infrastructure."""
    seen = await run_checks(bench, only=("install",))
    if not seen.passed("install"):
        raise Infrastructure("the environment that was verified could not be installed again")


def _check_node(gpus: int, code: Code) -> None:
    """Raises: SandboxUnavailable where the node's driver cannot run what is locked."""
    if gpus:
        require_driver(code.lock, "ask for other nodes, such as by `--partition` or `--ask constraint=NAME`")
