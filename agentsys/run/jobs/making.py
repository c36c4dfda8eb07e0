"""Making a job: what is to be run is checked, its packages are put where tasks find them, and it is submitted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from agentsys.core.errors import AgentsysError, SandboxUnavailable, UsageError
from agentsys.core.events import EventLog
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.run.jobs.claimed import audit_programs, claimed, known_cells, missing
from agentsys.run.jobs.engine import Engine, Need
from agentsys.run.jobs.fitting import for_driver
from agentsys.run.jobs.gpu import driver_fault
from agentsys.run.jobs.job import Job, Place, Profile, jobs_of
from agentsys.run.jobs.node import backend_here
from agentsys.run.jobs.steer import submit, tasks_for
from agentsys.run.jobs.tasks import cells_job, installed
from agentsys.run.reproduce import Code, allowed_code, next_folder, opener_of
from agentsys.verify.checks.base import Bench, Infrastructure
from agentsys.verify.checks.install import read_lock
from agentsys.verify.claims.data import data_here, identity_of
from agentsys.verify.sandboxspec import sandbox_spec
from agentsys_sandbox.base import SandboxError


@dataclass(frozen=True)
class Wish:
    """What is asked for."""

    profile: Profile
    engine: str
    need: Need
    timeout: float
    """Seconds of each command."""
    tasks: int = 0
    """Over which cells are spread; 0 takes what the engine has room for."""


async def make(run: RunDir, settings: Settings, wish: Wish, engine: Engine) -> Place:
    """Submit a job.

    Raises: UsageError (nothing to run, another such job is open, another process has the run), BlockedError,
    PrerequisiteError. Nothing was submitted then.
    """
    run.lock()
    try:
        _refuse_second(run, wish.profile)
        command = "smoke" if wish.profile == "claims" else wish.profile
        code = allowed_code(run, settings, ("bash", "reproduce.sh", command))
        found = claimed(run, code.tree) if wish.profile == "claims" else None
        shown = identity_of(data_here(run, code.plan, settings)) if found is not None else ""
        cells = [cell.name for _, cell in missing(found, known_cells(run, (), shown))] if found is not None else []
        number, folder = next_folder(run.reproductions)
        place = Place(folder)
        if found is not None:
            audit_programs(run, settings, code, found, folder / "programs")
        job = Job(
            number=number,
            profile=wish.profile,
            engine=wish.engine,
            tree=code.tree,
            settings=settings.model_dump(mode="json"),
            need=wish.need,
            timeout=wish.timeout,
            cells=len(cells),
        )
        if found is not None and not cells:
            place.write(job.model_copy(update={"state": "done", "reason": "no cell was missing: nothing was run"}))
            return place
        if settings.gpu_driver and wish.need.gpus:
            job = await _named_driver(place, job, code)
        if engine.offline and not job.builds:
            await _prepare(place, settings, code)
        tasks = tasks_for(job, len(cells), wish.tasks, engine.offline) if cells else 1
        try:
            submit(place, job, engine, cells, tasks, 0)
        except AgentsysError as error:
            said = {"state": "failed", "reason": error.message, "hint": error.hint, "exit_code": error.exit_code}
            place.write(place.read().model_copy(update=said))
            raise
        return place
    finally:
        run.unlock()


def _refuse_second(run: RunDir, profile: Profile) -> None:
    for _, other in jobs_of(run):
        if other.state == "open" and other.profile == profile:
            words = f"job {other.number} of run `{run.path.name}` is under way with this profile"
            raise UsageError(words, "`agentsys jobs follow` waits for it, `agentsys jobs cancel` ends it")


async def _named_driver(place: Place, job: Job, code: Code) -> Job:
    """Return the job with builds for the driver that the user names, where what is locked does not run on it."""
    settings = job.load_settings()
    rows = read_lock(code.lock)
    fault = driver_fault(settings.gpu_driver, rows.rows if rows is not None else ())
    return await for_driver(place, job, code, settings.gpu_driver) if fault else job


async def _prepare(place: Place, settings: Settings, code: Code) -> None:
    """Install the locked packages here, as the tasks will: into a cache that both see. Raises: SandboxUnavailable."""
    run = place.run
    here = backend_here(settings, offline=True).model_copy(update={"gpu": False})  # there may be none here
    events = EventLog(None, run.path.name)
    job = cells_job(code, {}, place.folder / "login", events, settings.round_timeout)
    try:
        sandbox = await asyncio.to_thread(opener_of(here), sandbox_spec(here, run.read().id))
        async with sandbox:
            await installed(Bench(sandbox, job))
    except (SandboxError, Infrastructure) as error:
        hint = getattr(error, "hint", "") or "see `agentsys doctor`"
        raise SandboxUnavailable(f"the packages could not be installed for the job: {error}", hint) from error
