"""The side that submits: sees how far a job is, submits again what is missing, takes in what came back.

Nothing counts until it came back and its hashes, written by our process on the machine that ran it, were checked here.
Who changes a job holds the run's lock, and takes it for that alone: a job can be watched, or left alone.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from agentsys.core.errors import PrerequisiteError
from agentsys.core.events import utc_now
from agentsys.core.files import write_atomic
from agentsys.core.numbers import plural
from agentsys.core.rundir import RunDir
from agentsys.plan.files import load_plan
from agentsys.plan.workspace import code_hash
from agentsys.run.jobs import claimed as claims
from agentsys.run.jobs.engine import Engine, Seen
from agentsys.run.jobs.fitting import for_driver, oldest_driver
from agentsys.run.jobs.job import CANCELLED, Job, JobState, Place, Submission
from agentsys.run.jobs.node import kept_hash
from agentsys.run.jobs.part import Ended, Part, parts_in
from agentsys.run.reproduce import allowed_code
from agentsys.verify.claims.celllog import count_lines
from agentsys.verify.claims.data import data_here, identity_of
from agentsys.verify.claims.running import CELLS_EACH, benches_for
from agentsys.verify.reproduction import FILE

MOST_TASKS = 64
"""Tasks over which the cells of a submission are spread, where no number is asked for."""
MOST_SUBMISSIONS = 20
FRUITLESS = 2
"""Submissions in a row that nothing came of, after which there is no other."""
OVER = 7
"""Exit code where time or memory was not enough."""
GRACE = 15.0
"""Seconds that tasks have to end by themselves once the job is cancelled."""
PATIENCE = 90.0
"""Seconds that the engine has to end them."""


@dataclass(frozen=True)
class Progress:
    """How far a job is."""

    job: Job
    seen: tuple[Seen, ...]
    parts: tuple[Part, ...]
    cells: int
    """Cells that were run since the job was made."""

    @property
    def going(self) -> bool:
        """False once no task waits or runs; an engine that cannot be asked ends nothing."""
        return any(each.state != "ended" for each in self.seen)


def look(place: Place, engine: Engine) -> Progress:
    """Say how far a job is, and change nothing."""
    job, parts = place.read(), tuple(parts_in(place.parts))
    ids = job.submissions[-1].ids if job.submissions and job.state == "open" else ()
    return Progress(job, engine.states(ids) if ids else (), parts, sum(count_lines(part.folder) for part in parts))


def submit(place: Place, job: Job, engine: Engine, cells: Sequence[str], tasks: int, known: int) -> Job:
    """Write down that there is a submission, make it, and write down what it is called.

    Args:
        tasks: for the cells of claims; at least one and no more than there are cells.
        known: what was done before, see `Submission`.
    """
    number = len(job.submissions)
    name = f"agentsys-{place.run.path.name[-4:]}-{job.number}-{number}-{secrets.token_hex(3)}"
    wanted = max(1, min(tasks, len(cells)))
    place.write_cells(number, list(cells))
    made = Submission(name=name, tasks=wanted, at=utc_now(), known=known)
    job = job.model_copy(update={"submissions": (*job.submissions, made)})
    place.write(job)
    return _named(place, job, engine.submit(place.folder, name, number, wanted, job.need))


def tasks_for(job: Job, cells: int, asked: int, offline: bool) -> int:
    """Return over how many tasks cells are spread: on this machine no more than it has room for."""
    if asked or not offline:
        return benches_for(cells, asked, job.need.cpus, job.need.memory_mb)
    return min(MOST_TASKS, -(-cells // CELLS_EACH))


def advance(place: Place, engine: Engine) -> Job:
    """Take in what is whole, or submit again what is missing; does nothing while tasks wait or run.

    Raises: UsageError where another process has the run; PrerequisiteError where the engine refuses.
    """
    with _locked(place.run):
        job = place.read()
        if job.state != "open":
            return job
        last = job.submissions[-1]
        parts = parts_in(place.parts)
        if code_hash(place.run.repo) != job.tree:
            hint = "the rows are in its folder; submit anew what the code is now"
            return _close(place, job, parts, "failed", "the code was changed since the job was submitted", hint)
        left = _left(place, job, parts)
        if not left:
            return _close(place, job, parts, "done")
        if not last.ids:  # who submitted it was killed before it wrote down the ids
            found = engine.find(last.name) or engine.submit(
                place.folder, last.name, len(job.submissions) - 1, last.tasks, job.need
            )
            return _named(place, job, found)
        seen = engine.states(last.ids)
        if any(each.state != "ended" for each in seen):
            return job
        number = len(job.submissions) - 1
        if driver := oldest_driver(parts, number, job.load_settings().gpu_driver if job.builds else ""):
            return _on_driver(place, job, engine, parts, left, driver)
        if refused := _refusal(parts, number):
            job = job.model_copy(update={"exit_code": refused.exit_code})
            return _close(place, job, parts, "failed", refused.reason, refused.hint)
        return _again(place, job, engine, parts, left, seen)


def cancel(place: Place, engine: Engine) -> Job:
    """End every task of a job, and take in the cells that are whole.

    Raises: UsageError where another process has the run; PrerequisiteError where the engine does not answer. Tasks that
    see the job's folder stop by themselves then.
    """
    (place.folder / CANCELLED).touch()
    with _locked(place.run):
        job = place.read()
        if job.state != "open":
            return job
        last = job.submissions[-1]
        ids = last.ids or engine.find(last.name)
        if ids:
            _end(engine, ids)
        words = "it was cancelled"
        return _close(place, job, parts_in(place.parts), "cancelled", words, "what is missing can be submitted again")


def _end(engine: Engine, ids: Sequence[str]) -> None:
    waiting = [one for one, seen in zip(ids, engine.states(ids), strict=True) if seen.state == "waiting"]
    if waiting:
        engine.cancel(waiting)
    if not _ended(engine, ids, GRACE):
        engine.cancel(ids)
        _ended(engine, ids, PATIENCE)


def _ended(engine: Engine, ids: Sequence[str], patience: float) -> bool:
    until = time.monotonic() + patience
    while any(seen.state in ("waiting", "running") for seen in engine.states(ids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


def _left(place: Place, job: Job, parts: Sequence[Part]) -> list[str]:
    """Return the names of the cells that are missing; of a profile its own name."""
    if job.profile != "claims":
        return [] if _whole(job, parts) is not None else [job.profile]
    found, plan = claims.claimed(place.run, job.tree), load_plan(place.run.plan)
    shown = identity_of(data_here(place.run, plan, job.load_settings()) if plan is not None else None)
    return [cell.name for _, cell in claims.missing(found, claims.known_cells(place.run, parts, shown))]


def _whole(job: Job, parts: Sequence[Part]) -> dict[str, bytes] | None:
    """Return the files of the first part that is whole."""
    found = (part.sealed(part.reproduction(job.number)) for part in parts)
    return next((files for files in found if files is not None), None)


def _refusal(parts: Sequence[Part], submission: int) -> Ended | None:
    """Return why a task of a submission could not do its work, which would be no different the next time."""
    ends = [part.ended for part in parts if part.submission == submission]
    return next((ended for ended in ends if ended is not None and ended.how == "failed"), None)


def _on_driver(place: Place, job: Job, engine: Engine, parts: Sequence[Part], left: list[str], driver: str) -> Job:
    """Submit what is missing with builds for a driver that a node has."""
    profile = "smoke" if job.profile == "claims" else job.profile
    code = allowed_code(place.run, job.load_settings(), ("bash", "reproduce.sh", profile))
    try:
        job = asyncio.run(for_driver(place, job, code, driver))
    except PrerequisiteError as error:
        job = job.model_copy(update={"exit_code": error.exit_code})
        return _close(place, job, parts, "failed", error.message, error.hint)
    cells = left if job.profile == "claims" else []
    return submit(place, job, engine, cells, job.submissions[-1].tasks, _known(job, parts, left))


def _again(place: Place, job: Job, engine: Engine, parts: Sequence[Part], left: list[str], seen: Sequence[Seen]) -> Job:
    """Submit what is missing, unless nothing has come of the last submissions."""
    known = _known(job, parts, left)
    fruitless = sum(each.known == known for each in job.submissions[-FRUITLESS:])
    if fruitless >= FRUITLESS or len(job.submissions) >= MOST_SUBMISSIONS:
        words = f"{plural(len(job.submissions), 'submission')} ended before it was done: {_whys(job, parts, seen)}"
        hint = "ask for more, by `--time` or `--memory`; the engine's logs lie in the job's folder"
        return _close(place, job.model_copy(update={"exit_code": OVER}), parts, "failed", words, hint)
    tasks = min(job.submissions[-1].tasks, -(-len(left) // CELLS_EACH))
    cells = left if job.profile == "claims" else []
    return submit(place, job, engine, cells, tasks, known)


def _whys(job: Job, parts: Sequence[Part], seen: Sequence[Seen]) -> str:
    """Return why the tasks of the last submission ended, in their own words where they left any."""
    last = len(job.submissions) - 1
    own = {part.task: ended.reason for part in parts if part.submission == last and (ended := part.ended) is not None}
    whys = (own.get(task) or each.why for task, each in enumerate(seen))
    return ", ".join(dict.fromkeys(filter(None, whys)))


def _known(job: Job, parts: Sequence[Part], left: Sequence[str]) -> int:
    """Return a number that is another one once anything was done: cells, or results of a run that was stopped."""
    return job.cells - len(left) if job.profile == "claims" else len({kept_hash(part) for part in parts} - {""})


def _named(place: Place, job: Job, ids: tuple[str, ...]) -> Job:
    last = job.submissions[-1].model_copy(update={"ids": ids})
    job = job.model_copy(update={"submissions": (*job.submissions[:-1], last)})
    place.write(job)
    return job


def _close(place: Place, job: Job, parts: Sequence[Part], state: JobState, reason: str = "", hint: str = "") -> Job:
    """Take in what is whole, and write down how the job ended."""
    from agentsys.report.pages import write_reports
    from agentsys.report.status import write_status

    run = place.run
    if job.profile == "claims" and code_hash(run.repo) == job.tree:
        found = claims.claimed(run, job.tree)
        if claims.merge(run, found, parts) or state == "done":
            said = claims.judge(run, job.load_settings(), found, reason)
            write_status(run)
            reason = reason or said
    elif (files := _whole(job, parts)) is not None:
        for name, data in sorted(files.items(), key=lambda row: row[0] == FILE):  # last: with it it is finished
            write_atomic(place.folder / name, data)
    job = job.model_copy(update={"state": state, "reason": reason, "hint": hint})
    place.write(job)
    write_reports(run)
    return job


@contextmanager
def _locked(run: RunDir) -> Generator[None]:
    run.lock()
    try:
        yield
    finally:
        run.unlock()
