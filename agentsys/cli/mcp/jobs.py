"""Long work as child processes of our own command line, each with a handle that outlives the server.

A job is a folder: `job.json`, and what the child wrote to its standard output and error. Watching reads files alone, so
a server that was started anew still knows every handle.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from pydantic import BaseModel, ValidationError

from agentsys.core.errors import UsageError
from agentsys.core.events import Event
from agentsys.core.files import write_json
from agentsys.core.rundir import process_start

Kind = Literal["run", "claims", "evaluation", "audit"]
AT_ONCE = 2
"""Jobs under way at the same time; another one is refused."""
LONGEST_STOP = 60.0
"""Seconds that the end of the server waits for its jobs; a job that needs longer goes on ending by itself."""
LONGEST_READ = 1 << 20
"""Bytes of events that are read at once."""
KEPT = 30 * 86400.0
"""Seconds after its end in which a handle stays valid."""
PREFIX = "job-"


class Job(BaseModel):
    """What `job.json` holds."""

    id: str
    kind: Kind
    command: list[str]
    pid: int
    pid_started: float | None
    """With the pid it names the process: a pid alone may have been given to another one."""
    events: Path
    """JSON lines."""
    run: str = ""
    """Id of the run, where it was known from the start."""
    stopping: bool = False
    exit_code: int | None = None
    """None while it is under way, and where the server ended before the job did."""

    @property
    def alive(self) -> bool:
        """Whether its process is there; see `Jobs.under_way`."""
        now = process_start(self.pid)
        return self.exit_code is None and now is not None and now == self.pid_started


class Jobs:
    """The jobs below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[str, Process] = {}
        self._reapers: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()

    async def start(self, kind: Kind, command: Sequence[str], *, events: str = "", run: str = "") -> Job:
        """Start `agentsys COMMAND` and return its handle at once.

        Args:
            command: the string `{job}` in it stands for the job's folder.
            events: file below the job's folder that will hold the events; the child's standard output by default.

        Raises: UsageError where as many as may be are under way.
        """
        async with self._starting:
            busy = [job.id for job in self.all() if self.under_way(job)]
            if len(busy) >= AT_ONCE:
                raise UsageError(f"{len(busy)} jobs are under way: {', '.join(busy)}", "wait for one, or cancel it")
            name = PREFIX + secrets.token_hex(4)
            folder = self._folder / name
            folder.mkdir(parents=True, mode=0o700)
            words = [word.replace("{job}", str(folder)) for word in command]
            process = await _spawn(words, folder)
            job = Job(
                id=name,
                kind=kind,
                command=words,
                pid=process.pid,
                pid_started=process_start(process.pid),
                events=folder / (events or "stdout"),
                run=run,
            )
            self._children[name] = process
            self._write(job)
        task = asyncio.create_task(self._reap(name, process))
        self._reapers.add(task)
        task.add_done_callback(self._reapers.discard)
        return job

    def under_way(self, job: Job) -> bool:
        """Tell whether a job goes on; one of our own children does until its exit code is written down."""
        return job.id in self._children or job.alive

    def all(self) -> list[Job]:
        """Return every job, in no order; a damaged one is left out."""
        found = [self._read(file.parent.name) for file in self._folder.glob(f"{PREFIX}*/job.json")]
        return [job for job in found if job is not None]

    def get(self, name: str) -> Job:
        """Return a job by its handle. Raises: UsageError."""
        known = name.startswith(PREFIX) and name.removeprefix(PREFIX).isalnum()
        job = self._read(name) if known else None
        if job is None:
            raise UsageError(
                f"`{name[:60]}` is no handle of this server", "handles come from the tools that start work"
            )
        return job

    def forget_old(self) -> None:
        """Remove jobs that ended long ago; the runs that they made stay."""
        for job in self.all():
            file = self._folder / job.id / "job.json"
            if not job.alive and time.time() - file.stat().st_mtime > KEPT:
                shutil.rmtree(file.parent, ignore_errors=True)

    def ask_to_stop(self, job: Job) -> Job:
        """Ask for an end in order, as Ctrl-C does; asked once more it ends at once."""
        if not job.alive:
            return job
        os.kill(job.pid, _ask())
        job = job.model_copy(update={"stopping": True})
        self._write(job)
        return job

    async def stop(self) -> None:
        """Ask all children of this process to stop, and wait for them."""
        for name in list(self._children):
            job = self.get(name)
            if not job.stopping:
                self.ask_to_stop(job)
        if self._reapers:
            await asyncio.wait(self._reapers, timeout=LONGEST_STOP)

    def output(self, job: Job) -> bytes:
        """Return what the child wrote to its standard output."""
        return (self._folder / job.id / "stdout").read_bytes()

    def said(self, job: Job) -> str:
        """Return the end of what it wrote to standard error."""
        return (self._folder / job.id / "stderr").read_text(encoding="utf-8", errors="replace")[-2000:]

    async def _reap(self, name: str, process: Process) -> None:
        code = await process.wait()
        self._write(self.get(name).model_copy(update={"exit_code": code}))
        del self._children[name]

    def _read(self, name: str) -> Job | None:
        try:
            return Job.model_validate_json((self._folder / name / "job.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def _write(self, job: Job) -> None:
        write_json(self._folder / job.id / "job.json", job)


def events_from(file: Path, cursor: int) -> tuple[list[Event], int]:
    """Return the whole events of a file from byte `cursor` on, and where to read on; other lines are skipped."""
    if not file.is_file():
        return [], cursor
    with file.open("rb") as stream:
        stream.seek(cursor)
        raw = stream.read(LONGEST_READ)
    whole = raw[: raw.rfind(b"\n") + 1]
    found = [_event(line) for line in whole.splitlines()]
    return [event for event in found if event is not None], cursor + len(whole)


def _event(line: bytes) -> Event | None:
    try:
        value: object = json.loads(line)
    except ValueError:
        return None
    return cast("Event", value) if isinstance(value, dict) and "type" in value else None


def _ask() -> signal.Signals:
    """A SIGINT that is ignored here, as in a shell's background, is ignored by children too."""
    return signal.SIGTERM if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else signal.SIGINT


async def _spawn(words: Sequence[str], folder: Path) -> Process:
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as errors:
        # -P: nothing that lies in the working folder is imported. A session of its own: a Ctrl-C in the server's
        # terminal reaches the server alone, which asks its jobs itself.
        return await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "agentsys", *words,
            stdin=DEVNULL, stdout=out, stderr=errors, start_new_session=True,
        )  # fmt: skip
