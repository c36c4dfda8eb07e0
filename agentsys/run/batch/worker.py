"""The program of a worker: it takes papers one after the other from its standard input, and carries each one out.

Lines of JSON go both ways: jobs, `stop` and answers come in; questions to the commons, what happened, and rows go out.
Standard input is the line of life: when it ends, nobody is there any more, and the paper is brought to a safe end.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
import traceback
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from agentsys.core.errors import AgentsysError, LimitReached, UsageError
from agentsys.core.events import Event
from agentsys.core.files import write_atomic
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.report.batch import Row, row_of
from agentsys.report.describe import data_of, text
from agentsys.run.batch.commons import AGAIN
from agentsys.run.batch.job import Job, failed_row, keep_row, kept_row

TOLD = frozenset({"run.started", "stage.started", "round.started", "llm.call"})
"""Events that are told; all of them stand in the run's own file."""
LONGEST_WAIT = 120.0
"""Seconds that a run is waited for that a worker who is gone may still be ending."""
LONGEST_LINE = 4 << 20
MACHINE = socket.gethostname()


class Parent:
    """The other end of the pipes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._numbers = count(1)
        self._asked: dict[int, tuple[str, asyncio.Future[dict[str, Any]]]] = {}

    def tell(self, what: str, **data: object) -> None:
        """Say something. Where nobody listens any more the end of standard input says so as well."""
        with suppress(BrokenPipeError):
            self._out.write(json.dumps({"what": what, **data}) + "\n")
            self._out.flush()

    async def ask(self, what: str, **data: object) -> dict[str, Any]:
        """Ask, and wait for the answer; what is granted to nobody is given back."""
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[number] = what, answer
        self.tell(what, number=number, **data)
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled():
                self._give_back(what, answer.result())
            raise

    def answer(self, number: int, value: dict[str, Any]) -> None:
        """Hand an answer to who waits for it."""
        what, waiting = self._asked.pop(number)
        if waiting.done():
            self._give_back(what, value)
        else:
            waiting.set_result(value)

    def _give_back(self, what: str, value: Mapping[str, Any]) -> None:
        if what == "room":
            self.tell("leave", machine=MACHINE)
        elif not value["refused"]:
            self.tell("back", answered=False)


class SharedTurns:
    """The turns of all workers, as `agentsys.llm.pool.Pool` has those of one process."""

    def __init__(self, parent: Parent, most: int) -> None:
        self.most = most
        self.answered = 0
        self._parent = parent
        self._fresh = False
        """An answer came just now, in the slot that is left next."""

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[float]:
        """Wait for a turn. Raises: LimitReached where the money of the batch is spent."""
        turn = await self._parent.ask("turn")
        if turn["refused"]:
            raise LimitReached(turn["refused"], f"raise `--budget` and {AGAIN}", "budget")
        self.answered = turn["answered"]
        try:
            yield turn["began"]
        finally:
            answered, self._fresh = self._fresh, False
            self._parent.tell("back", answered=answered)

    def slow(self, began: float, wait: float) -> None:
        self._parent.tell("slow", began=began, wait=wait)

    def recover(self) -> None:
        # Nothing is awaited between this and the end of the slot.
        self._fresh = True


class Worker:
    """Carries out one paper at a time."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent
        self._work: asyncio.Task[None] | None = None

    async def serve(self, lines: asyncio.StreamReader) -> None:
        """Do what the lines say until they end."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop, "SIGTERM")
        while line := await lines.readline():
            message = json.loads(line)
            if "job" in message:
                job = Job.model_validate(message["job"])
                self._work = asyncio.create_task(self._paper(job))
                self._work.add_done_callback(partial(self._ended, job))
            elif "stop" in message:
                self.stop(message["stop"])
            else:
                self._parent.answer(message["number"], message["answer"])
        self.stop("SIGTERM")
        if self._work is not None:
            await asyncio.wait({self._work})

    def stop(self, signal_name: str) -> None:
        """Bring the paper to a safe end, as a signal does."""
        if self._work is not None:
            self._work.cancel(signal_name)

    async def _paper(self, job: Job) -> None:
        try:
            row = await _carried_out(job, self._parent)
        except asyncio.CancelledError:
            row = _stopped(job)
        except AgentsysError as error:
            row = failed_row(job.key, job.name, error, str(job.run or ""))
        except Exception as error:  # noqa: BLE001 -- a bug with one paper: its traceback is kept, the others go on
            row = _crashed(job, error)
        row = row.model_copy(
            update={
                "where": MACHINE,
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000 * 1.024, 1),
            }
        )
        keep_row(job.file, row)
        self._parent.tell("ended", row=row.model_dump(mode="json"))

    def _ended(self, job: Job, work: asyncio.Task[None]) -> None:
        if work.cancelled():  # before it began
            self._parent.tell("ended", row=_stopped(job).model_dump(mode="json"))
        elif error := work.exception():  # its row could not be kept
            traceback.print_exception(error)
            os._exit(1)


async def _carried_out(job: Job, parent: Parent) -> Row:
    from agentsys.run import pipeline
    from agentsys.run.assemble import Shared

    def told(event: Event) -> None:
        kind, data = event["type"], data_of(event)
        if kind == "run.started":  # before any model is asked, so that nothing that was paid for is lost
            row = Row(key=job.key, paper=job.name, run=text(data, "path"), title=text(data, "title"), status="running")
            keep_row(job.file, row)
        if kind == "llm.call":
            parent.tell("paid", price=data["price"])
        if kind in TOLD:
            shown = {key: event[key] for key in ("type", "stage", "round") if key in event}
            parent.tell("note", event={**shown, "price": data.get("price"), "title": data.get("title")})

    @asynccontextmanager
    async def room() -> AsyncGenerator[None]:
        await parent.ask("room", machine=MACHINE, most=fitting(job.settings))
        try:
            yield
        finally:
            parent.tell("leave", machine=MACHINE)

    shared = Shared(SharedTurns(parent, job.most), room, AGAIN)
    if job.run is not None:
        run = RunDir(job.run)
        await _free(run)
        result = await pipeline.resume(run, job.settings, subscribers=[told], shared=shared)
    else:
        paper, settings = await _local(job)
        result = await pipeline.implement(
            paper, settings, request=job.request, sources=job.sources, subscribers=[told], sure=job.sure, shared=shared
        )
    return row_of(result.run, job.key, job.name)


async def _local(job: Job) -> tuple[Path, Settings]:
    from agentsys.paper.remote.library import local_paper

    settings = job.settings
    found = await asyncio.to_thread(local_paper, job.name, arxiv=settings.arxiv_url, offline=settings.offline)
    if not await asyncio.to_thread(found.paper.exists):
        raise UsageError(f"there is no `{job.name}` on {MACHINE}", "workers need the same file system")
    return found.paper, settings.model_copy(update={"source": settings.source or found.source})


async def _free(run: RunDir) -> None:
    """Wait until no other process has a run: a worker that lost its command is still ending it.

    Raises: UsageError where it takes too long.
    """
    try:
        async with asyncio.timeout(LONGEST_WAIT):
            while not _is_free(run):  # noqa: ASYNC110 -- the lock is the kernel's: it tells nobody that it is free
                await asyncio.sleep(0.2)
    except TimeoutError:
        run.lock()
        run.unlock()


def _is_free(run: RunDir) -> bool:
    try:
        run.lock()
    except UsageError:
        return False
    run.unlock()
    return True


def fitting(settings: Settings) -> int:
    """Return the number of sandboxes for which this machine has processors and memory; at least one."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return max(1, min(int(len(os.sched_getaffinity(0)) // settings.cpus), memory // settings.memory_mb))


def _stopped(job: Job) -> Row:
    return Row(key=job.key, paper=job.name, run=str(job.run or ""), reason="interrupted")


def _crashed(job: Job, error: Exception) -> Row:
    log = job.file.with_suffix(".log")
    write_atomic(log, "".join(traceback.format_exception(error)))
    known = kept_row(job.file)
    run = known.run if known is not None else str(job.run or "")
    words = f"internal error ({type(error).__name__}); its traceback is in `{log}`"
    return Row(
        key=job.key,
        paper=job.name,
        run=run,
        status="internal_error",
        exit_code=1,
        code=type(error).__name__,
        reason=words,
        hint="please report it",
    )


async def _main(given: BinaryIO, out: TextIO) -> None:
    lines = asyncio.StreamReader(limit=LONGEST_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), given)
    await Worker(Parent(out)).serve(lines)


def main() -> None:
    """Serve until standard input ends. Neither libraries nor programs that are started get hold of the channel."""
    given, out = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "w", encoding="utf-8")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    asyncio.run(_main(given, out))


if __name__ == "__main__":
    main()
