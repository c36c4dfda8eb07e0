"""The main path: read, screen, plan, analyse, code, audit, verify, debug, replay, report.

`implement` makes a run directory and drives it to its end; `resume` goes on with one. Both are the same from there:
the paper is read, then the team talks until the reporter has spoken. All memory is on disk.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentsys.core.errors import AgentsysError, DoubtfulPaper, Interrupted, KeyRefused, LimitReached
from agentsys.core.events import EventLog, Subscriber, utc_now
from agentsys.core.files import write_json
from agentsys.core.ownership import mark
from agentsys.core.rounds import Rounds
from agentsys.core.rundir import RunDir, create
from agentsys.core.runrecord import RunRecord, SettingValue
from agentsys.core.settings import Settings
from agentsys.report.ending import Ending, next_step
from agentsys.run.recorder import RunRecorder

if TYPE_CHECKING:
    from agentsys.paper import Paper
    from agentsys.run.assemble import Shared, Team


Ask = Callable[[str], Awaitable[bool]]
DOUBTS = 12
"""Doubts about the paper as it was read that are named before the first model call."""


@dataclass(frozen=True)
class RunResult:
    """A finished (or stopped) run: its directory and its record."""

    run: RunDir
    record: RunRecord

    @property
    def exit_code(self) -> int:
        return self.record.exit_code if self.record.exit_code is not None else 1


async def implement(
    paper: Path,
    settings: Settings,
    *,
    request: str = "",
    claims: Sequence[str] = (),
    sources: Mapping[str, SettingValue] | None = None,
    subscribers: Sequence[Subscriber] = (),
    password: str = "",
    sure: bool = True,
    ask: Ask | None = None,
    shared: Shared | None = None,
) -> RunResult:
    """Turn a paper into a verified repository.

    Args:
        paper: .pdf, .tex, .md, .txt and whatever else the reader knows.
        settings: how.
        request: what the user wants in particular; goes to the policy and to the planner.
        claims: texts of claims that were handed in; without, they are read from the paper.
        sources: where each setting came from, for the record.
        subscribers: called with every event.
        password: opens an encrypted PDF; goes to the reader and is stored nowhere.
        sure: go on with what does not look like a paper.
        ask: asks a person whether data may be fetched; None where nobody can be asked.
        shared: what it shares with runs that go on at the same time.

    Returns: the result, whatever the final status; expected failures after the run directory exists are a status.

    Raises: PaperError before anything is written, if the paper cannot be read; DoubtfulPaper unless `sure`; KeyRefused
        where the first call is refused, and then no run is left behind.
    """
    started = time.monotonic()
    read = await read_as_set(paper, settings, password)
    if not sure:
        _refuse_doubtful(read)
    run = create(settings.runs_dir, read.title)
    run.lock()
    chosen = dict(sources) if sources else _plain(settings)
    record = RunRecord(
        id=run.path.name,
        paper_path=str(Path.cwd() / paper),
        paper_sha256=read.sha256,
        title=read.title,
        request=request,
        settings=chosen,
        owner=mark(run.path.name, chosen),
        started=utc_now(),
        recording=str(settings.replay or ""),
        seconds={"read": round(time.monotonic() - started, 3)},
    )
    run.write(record)
    if claims:
        write_json(run.claims / "given.json", list(claims))
    store_paper(read, paper, run.paper, password)
    return await _drive(run, record, settings, subscribers, ask, new=True, shared=shared)


async def resume(
    run: RunDir,
    settings: Settings,
    *,
    subscribers: Sequence[Subscriber] = (),
    password: str = "",
    ask: Ask | None = None,
    shared: Shared | None = None,
) -> RunResult:
    """Go on with a run where its files say it stands. Nothing that lies on disk is asked of a model again.

    Args:
        password: opens an encrypted PDF, where the run was stopped before its paper was written.
        shared: what it shares with runs that go on at the same time.

    Raises: UsageError if another process has the run.
    """
    run.lock()
    Rounds(run).reopen()
    record = run.read()
    if not (run.paper / "paper.json").is_file():  # stopped while it was written
        paper = Path(record.paper_path)
        store_paper(await read_as_set(paper, settings, password), paper, run.paper, password)
    return await _drive(run, record, settings, subscribers, ask, shared=shared)


def _refuse_doubtful(read: Paper) -> None:
    from agentsys.paper import unlike_a_paper

    if unlike := unlike_a_paper(read):
        raise DoubtfulPaper(
            f"`{read.source}` may be no paper: {unlike}",
            "`agentsys read` shows what was found in it; `--yes` goes on with it all the same",
        )


async def read_as_set(paper: Path, settings: Settings, password: str) -> Paper:
    """Read the paper as the settings say, without blocking the event loop."""
    from agentsys.paper import ReadOptions, read_paper

    options = ReadOptions(
        reader=settings.reader,
        ocr=settings.ocr,
        nougat_model=settings.nougat_model,
        latex_source=settings.source,
        password=password,
        max_pages=settings.max_pages,
    )
    return await asyncio.get_running_loop().run_in_executor(None, read_paper, paper, options)


async def _drive(
    run: RunDir,
    record: RunRecord,
    settings: Settings,
    subscribers: Sequence[Subscriber],
    ask: Ask | None,
    *,
    new: bool = False,
    shared: Shared | None = None,
) -> RunResult:
    events = EventLog(run.events_file, record.id)
    for subscriber in subscribers:
        events.subscribe(subscriber)
    recorder = RunRecorder(run, record, events)
    recorder.begin(settings)
    try:
        _say_doubts(run, events)
        await _work(run, recorder, settings, events, ask, shared)
    except asyncio.CancelledError as error:
        terminated = error.args[:1] in (("SIGTERM",), ("SIGHUP",))
        hint = f"go on with `agentsys resume {run.path.name}`"
        recorder.fail(Interrupted(hint=hint, exit_code=143 if terminated else 130))
    except AgentsysError as error:
        recorder.fail(error)
    except BaseException:
        recorder.crash()
        raise
    finally:
        try:
            recorder.finish()
        finally:
            events.close()
            if new and isinstance(recorder.failure, KeyRefused) and not recorder.record.usage.calls:
                run.remove()  # nothing was done in it
                raise recorder.failure
            run.unlock()
    return RunResult(run, recorder.record)


async def _work(
    run: RunDir,
    recorder: RunRecorder,
    settings: Settings,
    events: EventLog,
    ask: Ask | None,
    shared: Shared | None,
) -> None:
    """Build the team, let it talk, and put the ending in the record."""
    from agentsys.audit.record import seal_audit
    from agentsys.audit.release import reasons_against_release
    from agentsys.run.assemble import assemble
    from agentsys.run.chat import converse

    if settings.stop_after == "read":
        recorder.end(_after_reading(run))
        return
    await _clean_up(events, settings.docker_hosts)
    if settings.replay is None:
        _say_estimate(run, settings, events)
    deadline = None if settings.time_limit is None else time.monotonic() + settings.time_limit
    team = assemble(run, recorder.record, settings, events, deadline, ask, shared)
    recorder.meter = team.usage
    recorder.record.hashes["policy"] = team.context.policy.ref.sha256
    try:
        async with _time_limit(recorder, settings, events):
            await converse(team.agents, team.choose, f"implement {recorder.record.title}", recorder.turn, recorder.said)
    except AgentsysError as error:
        _seal_what_there_is(team, error.status, events)
        raise
    except asyncio.CancelledError:
        _seal_what_there_is(team, "interrupted", events)
        raise
    finally:
        await team.close()
    seal_audit(team.context, team.reporter.ending.status)
    recorder.end(team.reporter.ending)
    if team.reporter.ending.status == "verified":
        against = await asyncio.to_thread(reasons_against_release, run, recorder.record, team.context.policy)
        recorder.releasable("; ".join(against))
        await _full_profile(run, recorder, settings, events, shared)


def _after_reading(run: RunDir) -> Ending:
    """No team is needed to end here: no model, no policy, no sandbox."""
    hint = next_step("unverified", "stopped", run.path.name, run.repo, 0)
    return Ending(code="stopped", reason="it was asked to stop after the paper was read", hint=hint)


async def _full_profile(
    run: RunDir, recorder: RunRecorder, settings: Settings, events: EventLog, shared: Shared | None
) -> None:
    """Measure at the paper's scale where that costs little; whatever comes of it, the run stays verified."""
    from agentsys.run.assemble import opener
    from agentsys.run.reproduce import Order, reproduce_locked, wants_full

    if not settings.full_seconds or not wants_full(run):
        return
    recorder.said("verifier", f"runs the full profile, for at most {settings.full_seconds:g} s of processor time")
    events.emit("check.started", stage="report", check="full profile")
    try:
        order = Order("full", settings.full_seconds, opener=opener(settings, shared))
        done = await reproduce_locked(run, settings, order)
    except AgentsysError as error:
        events.emit("warning", message=f"the full profile was not run: {error.message}")
        return
    words = (
        "ended, and its results stand in the report" if done.record.passed else f"gave nothing: {done.record.reason}"
    )
    recorder.said("verifier", f"the full profile {words}")


def _say_doubts(run: RunDir, events: EventLog) -> None:
    """Name what was not read for certain before money is spent on it."""
    from agentsys.paper import load_paper, trust_lines

    lines = trust_lines(load_paper(run.paper))
    for line in lines[:DOUBTS]:
        events.emit("warning", message=f"reading: {line}")
    if len(lines) > DOUBTS:
        events.emit("warning", message=f"reading: {len(lines) - DOUBTS} more doubts; `agentsys read -v` names them all")


def _say_estimate(run: RunDir, settings: Settings, events: EventLog) -> None:
    """Say what the rest may cost before money is spent on it."""
    from agentsys.run.estimate import estimate_run

    due = estimate_run(run, settings)
    words = f"{due.line()}; `agentsys estimate {run.path.name}` says more"
    events.emit("run.estimated", message=words, due=due.as_data())
    if settings.budget is not None and due.money is not None and settings.budget < due.money.low:
        least = f"${due.money.low:.2f}"
        events.emit("warning", message=f"the budget of ${settings.budget:g} is less than the least estimate, {least}")


def _seal_what_there_is(team: Team, status: str, events: EventLog) -> None:
    """Seal the audit of a run that is ending with an error; a fault of this must not hide that error."""
    from agentsys.audit.record import seal_audit

    try:
        seal_audit(team.context, status)
    except (OSError, ValueError, AgentsysError) as error:
        events.emit("warning", message=f"the audit could not be sealed: {error}")


@asynccontextmanager
async def _time_limit(recorder: RunRecorder, settings: Settings, events: EventLog) -> AsyncGenerator[None]:
    """End what is done within it when the time of the run is used up. Raises: LimitReached."""
    try:
        async with asyncio.timeout(settings.time_limit):
            yield
    except TimeoutError as error:
        limit = LimitReached(
            f"the time limit of {settings.time_limit:g} s is used up",
            f"go on with `agentsys resume {recorder.record.id} --time-limit ...`",
            "time",
        )
        events.emit("limit.reached", message=limit.message, hint=limit.hint)
        raise limit from error


async def _clean_up(events: EventLog, hosts: Sequence[str]) -> None:
    """Remove what sandboxes of dead processes left behind, a killed attempt at this very run among them."""
    from agentsys_sandbox.reap import clean_up

    cleaned = await asyncio.to_thread(clean_up, hosts=hosts)
    for leftover, reason in cleaned.kept:
        events.emit("warning", message=f"{leftover.kind} `{leftover.name}` could not be removed: {reason}")


def store_paper(read: Paper, paper: Path, folder: Path, password: str) -> Paper:
    """Keep the document that was read, and what was read, in `folder`; a folder is only named in run.json."""
    from agentsys.paper import write_paper

    folder.mkdir(parents=True, exist_ok=True)
    if paper.is_file():
        shutil.copyfile(paper, folder / f"source{paper.suffix.lower()}")
    return write_paper(read, folder, password=password)


def _plain(settings: Settings) -> dict[str, SettingValue]:
    values = settings.model_dump(mode="json").items()
    return {name: SettingValue(value=value, source="argument") for name, value in values}
