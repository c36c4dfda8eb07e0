"""Carries out a batch: papers to workers, each to its end, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agentsys.core.errors import AgentsysError
from agentsys.core.runrecord import SettingValue
from agentsys.core.settings import Settings
from agentsys.report.batch import Row
from agentsys.run.batch.commons import AGAIN
from agentsys.run.batch.engines import Engine, Seat
from agentsys.run.batch.job import Job, failed_row, keep_row, kept_row, spent_on
from agentsys.run.batch.listing import Paper
from agentsys.run.batch.process import LONGEST_STOP, WorkerLost

MOST_LOST = 3
"""Workers that one paper may lose before it is given up: it may be what kills them."""
FINAL = ("verified", "unverified", "blocked")
"""Ends that the same command leaves as they are."""

Asked = tuple[Settings, dict[str, SettingValue]]


class Watch(Protocol):
    """Is told how a batch goes."""

    def begun(self, paper: Paper, worker: int) -> None: ...
    def noted(self, key: str, event: Mapping[str, object]) -> None: ...
    def lost(self, paper: Paper, how: str) -> None: ...
    def ended(self, row: Row, *, earlier: bool = False) -> None: ...


@dataclass(frozen=True)
class Order:
    """What is to be done."""

    papers: Sequence[Paper]
    folder: Path
    """Of the batch."""
    workers: int
    most: int
    """Requests of all papers together under way at the same time."""
    settings: Callable[[Paper, Path | None], Asked]
    """Of a paper, whose run is gone on with where there is one. Raises: UsageError."""
    sure: bool = False
    """Everything in the list is a paper, whatever it looks like."""

    def file(self, paper: Paper) -> Path:
        """Where the row of a paper is kept."""
        return self.folder / "papers" / f"{paper.key}.json"

    def known(self) -> dict[str, Row]:
        """Return the rows of an earlier command, by key."""
        found = ((paper.key, kept_row(self.file(paper))) for paper in self.papers)
        return {key: row for key, row in found if row is not None}


def is_final(row: Row | None, settings: Settings) -> bool:
    """Tell whether a paper is done with; what ended unverified goes on where more rounds or stages are asked for."""
    if row is None or row.status not in FINAL:
        return False
    return row.status != "unverified" or row.asked == asked_of(settings)


@dataclass
class _State:
    queue: asyncio.Queue[Paper] = field(default_factory=asyncio.Queue[Paper])
    rows: dict[str, Row] = field(default_factory=dict[str, Row])
    lost: Counter[str] = field(default_factory=Counter[str])
    busy: dict[int, asyncio.Task[Row]] = field(default_factory=dict[int, asyncio.Task[Row]])
    seats: dict[int, Seat] = field(default_factory=dict[int, Seat])
    left: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: str = ""


class Drive:
    """One command's work on a batch.

    Args:
        changed: called with the rows so far each time that a paper ended.
    """

    def __init__(self, order: Order, engine: Engine, watch: Watch, changed: Callable[[Sequence[Row]], None]) -> None:
        self._order = order
        self._engine = engine
        self._watch = watch
        self._changed = changed
        self._state = _State()
        self._earlier: dict[str, Row] = {}
        """Of an earlier command: what stands as long as this one has not come to a paper."""

    @property
    def rows(self) -> list[Row]:
        """The rows of all papers, in the order of the list."""
        found = {**self._earlier, **self._state.rows}
        return [found.get(paper.key) or _not_begun(paper) for paper in self._order.papers]

    async def run(self) -> list[Row]:
        """Carry out what is left. Cancelled, it brings every paper to a safe end, and returns as well."""
        state, order = self._state, self._order
        known = order.known()
        self._earlier = {key: _left(row) for key, row in known.items()}
        for paper in order.papers:
            row = known.get(paper.key)
            if row is not None and is_final(row, order.settings(paper, None)[0]):
                state.rows[paper.key] = row
                self._watch.ended(row, earlier=True)
            else:
                state.left += 1
                state.queue.put_nowait(paper)
        if state.left:
            async with self._engine:
                await self._carry_out(min(order.workers, state.left))
        return self.rows

    async def _carry_out(self, workers: int) -> None:
        state = self._state
        serving = {number: asyncio.create_task(self._serve(number)) for number in range(1, workers + 1)}
        watching = asyncio.create_task(self._look())
        done = asyncio.create_task(state.done.wait())
        try:
            # A task of `serving` ends by itself only where it failed.
            await asyncio.wait([done, *serving.values()], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError as error:
            await self._stop(str(error.args[0]) if error.args else "SIGINT")
            if busy := [serving[number] for number in state.busy]:  # they take no other paper
                await asyncio.wait(busy, timeout=LONGEST_STOP)
        finally:
            for task in (*serving.values(), watching, done):
                task.cancel()
            ends = await asyncio.gather(*serving.values(), return_exceptions=True)
            await asyncio.gather(watching, done, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _stop(self, why: str) -> None:
        state = self._state
        state.stopping = why
        for number in list(state.busy):
            await state.seats[number].stop(why)

    async def _look(self) -> None:
        while True:
            for key, event in await self._engine.commons.notes():
                self._watch.noted(key, event)

    async def _serve(self, number: int) -> None:
        state = self._state
        try:
            while not state.stopping:
                paper = await state.queue.get()
                if spent := await self._engine.commons.exhausted():
                    self._end(paper, _without_money(paper, spent, self._known(paper)))
                    continue
                if number not in state.seats:
                    state.queue.put_nowait(paper)  # another worker may be free before this one has started
                    state.seats[number] = await self._engine.seat(number)
                    continue
                row = await self._paper(number, paper)
                if row is not None:
                    self._end(paper, row)
                if row is None or row.status == "internal_error":  # nothing of a bug goes on to the next paper
                    await state.seats.pop(number).close()
        finally:
            if (seat := state.seats.pop(number, None)) is not None:
                await asyncio.shield(seat.close())

    async def _paper(self, number: int, paper: Paper) -> Row | None:
        """Carry out one paper; None where its worker was lost, and it waits for another one."""
        state = self._state
        try:
            job = self._job(paper)
        except AgentsysError as error:
            return failed_row(paper.key, paper.name, error)
        self._watch.begun(paper, number)
        work = asyncio.create_task(state.seats[number].run(job))
        state.busy[number] = work
        try:
            row = await asyncio.shield(work)
        except WorkerLost as error:
            return await self._lost(paper, str(error))
        finally:
            del state.busy[number]
        if row.status == "interrupted" and not state.stopping:
            return await self._lost(paper, "its worker was stopped")
        if row.run and not row.calls:
            row = row.model_copy(update={"cost": spent_on(Path(row.run))})
        await self._engine.commons.settle(paper.key, row.cost)
        return row.model_copy(update={"workers_lost": state.lost[paper.key], "asked": asked_of(job.settings)})

    async def _lost(self, paper: Paper, how: str) -> Row | None:
        state = self._state
        known = self._known(paper)
        if known is not None and known.run:
            await self._engine.commons.settle(paper.key, spent_on(Path(known.run)))
        if state.stopping:
            return known.model_copy(update={"status": "interrupted"}) if known is not None else _not_begun(paper)
        state.lost[paper.key] += 1
        self._watch.lost(paper, how)
        if state.lost[paper.key] < MOST_LOST:
            state.queue.put_nowait(paper)
            return None
        return Row(
            key=paper.key,
            paper=paper.name,
            run=known.run if known is not None else "",
            status="internal_error",
            exit_code=1,
            code="worker_lost",
            reason=f"{how}, and so were {MOST_LOST - 1} others before it",
            hint=f"it may need more memory than there is; {AGAIN}",
            workers_lost=MOST_LOST,
        )

    def _job(self, paper: Paper) -> Job:
        order, known = self._order, self._known(paper)
        run = Path(known.run) if known is not None and known.run else None
        settings, sources = order.settings(paper, run)
        if order.workers > 1 and not settings.claim_jobs:  # by itself each paper would take the whole machine
            settings = settings.model_copy(update={"claim_jobs": 1})
        return Job(
            key=paper.key,
            name=paper.name,
            request=paper.request,
            settings=settings,
            sources=sources,
            file=order.file(paper),
            run=run,
            sure=order.sure,
            most=order.most,
        )

    def _known(self, paper: Paper) -> Row | None:
        return kept_row(self._order.file(paper))

    def _end(self, paper: Paper, row: Row) -> None:
        state = self._state
        keep_row(self._order.file(paper), row)
        state.rows[paper.key] = row
        self._watch.ended(row)
        self._changed(self.rows)
        state.left -= 1
        if not state.left:
            state.done.set()


def asked_of(settings: Settings) -> list[int | str]:
    """Return what, if changed, makes an unverified paper go on."""
    return [settings.max_rounds, settings.stop_after]


def _left(row: Row) -> Row:
    if row.status != "running":
        return row
    return row.model_copy(update={"status": "interrupted", "exit_code": 130, "reason": "its worker was killed"})


def _not_begun(paper: Paper) -> Row:
    return Row(key=paper.key, paper=paper.name, code="not_begun", reason="it was not begun", hint=AGAIN)


def _without_money(paper: Paper, spent: str, known: Row | None) -> Row:
    row = known or Row(key=paper.key, paper=paper.name)
    words = {"reason": f"{spent} before it was {'gone on with' if row.run else 'begun'}"}
    limit = {"status": "limit", "exit_code": 7, "code": "budget", "hint": f"raise `--budget` and {AGAIN}"}
    return row.model_copy(update={**words, **limit})
