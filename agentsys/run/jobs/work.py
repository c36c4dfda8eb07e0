"""A task of a job, on whichever machine it was put: our process, which runs code in a sandbox there and writes a part.

It asks no model and no package index, and writes nothing outside its part. What it is to do it reads from the job's
folder; what other parts have is not done again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType

from agentsys.core.errors import AgentsysError
from agentsys.run.jobs.engine import load
from agentsys.run.jobs.gpu import DriverUnfit
from agentsys.run.jobs.job import Place
from agentsys.run.jobs.node import Node, backend_here, kept_before, kept_hash
from agentsys.run.jobs.part import begin

WATCH = 2.0
"""Seconds between looks whether the job was cancelled, or this task begun anew elsewhere."""
TIME_IS_OVER = "its time is over"
ENDED_BY_ENGINE = "the engine ends it"
LINGER = 900.0
"""Seconds for which a task that the engine ends waits for its end."""


def work(folder: str, submission: int, task: int) -> None:
    """Run one task of a job and write its part.

    Args:
        folder: of the job.
        submission: number of the submission, from 0.
        task: number of the task, from 0.
    """
    place = Place(Path(folder))
    job = place.read()
    engine = load(job.engine)
    if engine.offline:
        os.environ["UV_OFFLINE"] = "1"
    part = begin(place.parts, submission, task, engine.own_id())
    node = Node(place, job, part, engine, f"{job.engine} {engine.own_id()} on {socket.gethostname()}")
    stopped: list[str] = []
    try:
        asyncio.run(_watched(node, stopped))
    except (asyncio.CancelledError, AgentsysError) as error:
        if isinstance(error, AgentsysError) and not stopped:
            driver = error.driver if isinstance(error, DriverUnfit) else ""
            part.end("failed", error.message, error.hint, error.exit_code, driver)
            return
        # Stopped: an error then is one of tidying up, and what was done counts.
        part.end("stopped", stopped[0] if stopped else "it was stopped")
        if stopped == [TIME_IS_OVER] and _got_further(node):
            with suppress(AgentsysError):  # who follows the job submits it again then
                engine.again()
        elif stopped == [ENDED_BY_ENGINE] and engine.puts_back:
            threading.Event().wait(LINGER)
    else:
        part.end("done")


async def _watched(node: Node, stopped: list[str]) -> None:
    """Do the work until it is done, or there is a reason to stop, which is put into `stopped`."""
    loop, main = asyncio.get_running_loop(), asyncio.ensure_future(_do(node))

    def stop(why: str) -> None:
        if not stopped:
            stopped.append(why)
            main.cancel()

    async def watch() -> None:
        while True:
            await asyncio.sleep(WATCH)
            if node.place.cancelled:
                stop("the job was cancelled")
            elif node.part.overtaken():
                stop("the task was begun anew")

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if not loop.is_closed():  # the work has ended, and how is being written down
            loop.call_soon_threadsafe(stop, ENDED_BY_ENGINE if number == signal.SIGTERM else TIME_IS_OVER)

    # In place of submitit's own handlers, which would raise in the middle of whatever runs.
    for number in (signal.SIGUSR2, signal.SIGURG, signal.SIGTERM):
        signal.signal(number, on_signal)
    watching = asyncio.ensure_future(watch())
    try:
        await main
    finally:
        watching.cancel()


async def _do(node: Node) -> None:
    from agentsys.run.jobs.tasks import run_cells, run_whole

    settings = backend_here(node.job.load_settings(), node.engine.offline)
    if node.job.profile == "claims":
        await run_cells(node, settings)
    else:
        await run_whole(node, settings)


def _got_further(node: Node) -> bool:
    """False where the same would only be done again."""
    from agentsys.verify.claims.celllog import read_log

    if node.job.profile == "claims":
        return bool(read_log(node.part.folder))
    before = kept_before(node)
    return kept_hash(node.part) not in ("", kept_hash(before) if before is not None else "")
