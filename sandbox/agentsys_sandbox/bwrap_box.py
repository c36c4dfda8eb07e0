"""Programs in bubblewrap: each in namespaces of its own on the same work folder; nothing of one outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from agentsys_sandbox.base import OnOutput, SandboxGone, Unavailable
from agentsys_sandbox.bwrap_cgroup import Cgroup
from agentsys_sandbox.bwrap_command import Bubblewrap, Launch, Layout, launch
from agentsys_sandbox.bwrap_identity import PATH
from agentsys_sandbox.counters import Counters
from agentsys_sandbox.environment import base_environment
from agentsys_sandbox.execution import Job
from agentsys_sandbox.frames import Capture, StreamName, flood_limit
from agentsys_sandbox.outcome import Observation, Stopped, decide
from agentsys_sandbox.spec import ExecResult, Outcome
from agentsys_sandbox.text import clean
from agentsys_sandbox.transfer import HelperEnd

_CHUNK = 1 << 16
_DISK_POLL = 3.0
_DRAIN = 5.0
_HELPER_SECONDS = 60.0


class _TooLong(Exception):
    """The kernel refuses a command line of this length."""


@dataclass(frozen=True)
class _Ended:
    """What was seen of one program."""

    exit_code: int | None
    """None where the sandbox itself did not come up or was killed."""
    stopped: Stopped
    start_failed: bool
    stdout: bytes
    stderr: bytes
    cut: int
    seconds: float


class BwrapBox:
    """Runs programs one after the other.

    Args:
        cgroup: the group that bounds them; None where none could be made.
        seccomp: compiled system call filter; empty for none.
    """

    def __init__(self, bubblewrap: Bubblewrap, layout: Layout, cgroup: Cgroup | None, seccomp: bytes = b"") -> None:
        self._bubblewrap = bubblewrap
        self._layout = layout
        self._cgroup = cgroup
        self._seccomp = seccomp

    async def run(self, job: Job) -> ExecResult:
        """Run a program and name its outcome. Raises: SandboxGone where the work folder is gone, Unavailable."""
        before = self._counters()
        try:
            ended = await self._execute(job, watch=True)
        except _TooLong:
            message = "the program could not be started: its arguments are longer than the kernel allows"
            return ExecResult(Outcome.START_FAILED, None, b"", b"", 0.0, message=message)
        added = self._counters().since(before)
        if ended.exit_code is None and not ended.stopped and not added.oom_kills:
            return self._broken(ended)
        seen = Observation(
            ended.exit_code,
            ended.stopped,
            oom_kills=added.oom_kills,
            pids_refused=added.pids_refused,
            start_failed=ended.start_failed,
            timeout=job.limit,
        )
        outcome, message = decide(seen)
        return ExecResult(
            outcome,
            None if ended.stopped else ended.exit_code,
            ended.stdout,
            ended.stderr,
            ended.seconds,
            cut=ended.cut,
            oom_kills=added.oom_kills,
            message=message,
        )

    async def helper(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        max_output: int = 1 << 20,
        flood: int | None = None,
        on_output: OnOutput | None = None,
        limit: float = _HELPER_SECONDS,
    ) -> HelperEnd:
        """Run a small trusted program of the base. Raises: SandboxGone where the sandbox does not come up."""
        job = Job(argv, "/", base_environment(1), stdin, limit, max_output, on_output, flood)
        ended = await self._execute(job, watch=False)
        if ended.exit_code is None and not ended.stopped:
            raise SandboxGone(self._broken(ended).message, "open a new sandbox")
        return HelperEnd(None if ended.stopped else ended.exit_code, ended.stdout, ended.stderr, ended.cut)

    def _counters(self) -> Counters:
        return self._cgroup.counters() if self._cgroup else Counters()

    def _broken(self, ended: _Ended) -> ExecResult:
        said = " ".join(clean(ended.stderr).split())[-300:]
        message = f"the sandbox ended or did not come up: {said or 'bubblewrap was killed from outside'}"
        return ExecResult(Outcome.SANDBOX_DIED, None, b"", b"", ended.seconds, message=message)

    async def _execute(self, job: Job, *, watch: bool) -> _Ended:
        if not self._layout.work.is_dir():
            raise SandboxGone("the work folder of the sandbox was removed from outside", "open a new sandbox")
        with _pipe() as (read, write), self._filter() as seccomp:
            command = launch(
                self._bubblewrap,
                self._layout,
                job.argv,
                job.cwd,
                job.environment,
                enter=self._cgroup.enter() if self._cgroup else (),
                status_fd=write,
                seccomp_fd=seccomp,
            )
            started = time.monotonic()
            process = await _start(command, [write, *([] if seccomp is None else [seccomp])])
            os.set_blocking(read, False)
            capture = Capture(job.max_output, flood_limit(job.max_output) if job.flood is None else job.flood)
            stopped = await self._attend(process, job, command, capture, watch=watch)
            code = _exit_code(read)
        stderr = capture.value("stderr")
        return _Ended(
            code,
            stopped,
            stderr.endswith(command.mark),
            capture.value("stdout"),
            stderr.removesuffix(command.mark),
            capture.cut,
            time.monotonic() - started,
        )

    async def _attend(
        self, process: asyncio.subprocess.Process, job: Job, command: Launch, capture: Capture, *, watch: bool
    ) -> Stopped:
        """Pass its output on until it ended; whatever happens, everything in its namespaces ends with it."""
        pump = asyncio.create_task(_pump(process, command.mark_line + job.stdin, job.on_output, capture))
        ended = asyncio.create_task(process.wait())
        try:
            return await self._wait(ended, pump, job.limit, capture, watch=watch)
        finally:
            await self._end(process, ended, pump)

    async def _wait(
        self, ended: asyncio.Task[int], pump: asyncio.Task[None], limit: float, capture: Capture, *, watch: bool
    ) -> Stopped:
        deadline = time.monotonic() + limit
        next_look = time.monotonic() + _DISK_POLL
        while not ended.done():
            now = time.monotonic()
            if now >= deadline:
                return "timeout"
            if watch and now >= next_look:
                if await self.disk_used() > self._layout.limits.disk:
                    return "disk_limit"
                next_look = time.monotonic() + _DISK_POLL
                continue
            waiting = {ended} if pump.done() else {ended, pump}
            until = min(deadline, next_look) if watch else deadline
            await asyncio.wait(waiting, timeout=until - now, return_when=asyncio.FIRST_COMPLETED)
            if capture.flooded:
                return "output_limit"
            if pump.done():
                pump.result()  # an error of `on_output` ends the program
        return ""

    async def _end(
        self, process: asyncio.subprocess.Process, ended: asyncio.Task[int], pump: asyncio.Task[None]
    ) -> None:
        if not ended.done():
            # The first process of the namespace dies with bubblewrap, and the kernel ends the others with it.
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if not pump.done():
            # Its ends of the pipes are closed now; what was written before still counts.
            await asyncio.wait({pump}, timeout=_DRAIN)
            pump.cancel()
        # asyncio takes a process for ended only when its pipes have been read to the end.
        await asyncio.gather(_drain(process.stdout), _drain(process.stderr))
        await ended
        if self._cgroup:
            self._cgroup.kill()
        with contextlib.suppress(asyncio.CancelledError):
            await pump

    async def disk_used(self) -> int:
        """Bytes on disk below the work folder and a lasting /tmp."""
        folders = [str(each) for each in (self._layout.work, self._layout.tmp) if each is not None]
        # du copes with trees deeper than any path may be long, and follows no links.
        process = await asyncio.create_subprocess_exec(
            *("du", "-s", "-x", "-c", "-B1", "--", *folders),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": PATH, "LC_ALL": "C"},
        )
        output, _ = await process.communicate()
        total = output.splitlines()[-1].split(b"\t")[0] if output else b"0"
        return int(total) if total.isdigit() else 0

    @contextmanager
    def _filter(self) -> Generator[int | None]:
        if not self._seccomp:
            yield None
            return
        handle = os.memfd_create("agentsys-seccomp", os.MFD_CLOEXEC)
        try:
            os.write(handle, self._seccomp)
            os.lseek(handle, 0, os.SEEK_SET)
            yield handle
        finally:
            os.close(handle)


async def _start(command: Launch, fds: list[int]) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command.argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=fds,
            cwd="/",
            start_new_session=True,
            # The first process inside is bubblewrap, and its environment can be read there.
            env={"PATH": PATH},
        )
    except OSError as error:
        if error.errno == errno.E2BIG:
            raise _TooLong from error
        raise Unavailable(f"the host cannot start bubblewrap: {error.strerror}", "close other programs") from error


async def _pump(
    process: asyncio.subprocess.Process, stdin: bytes, on_output: OnOutput | None, capture: Capture
) -> None:
    """Feed input and collect output until both streams end, or until a flood."""
    feeding = asyncio.create_task(_feed(process.stdin, stdin))
    readers = [
        asyncio.create_task(_collect(process.stdout, "stdout", capture, on_output)),
        asyncio.create_task(_collect(process.stderr, "stderr", capture, on_output)),
    ]
    try:
        pending = set(readers)
        while pending and not capture.flooded:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
    finally:
        for each in (feeding, *readers):
            each.cancel()
        await asyncio.gather(feeding, *readers, return_exceptions=True)


async def _feed(writer: asyncio.StreamWriter | None, data: bytes) -> None:
    if writer is None:
        return
    # A program may end, or close its input, before it has read everything.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def _drain(reader: asyncio.StreamReader | None) -> None:
    while reader is not None and await reader.read(_CHUNK):
        pass


async def _collect(
    reader: asyncio.StreamReader | None, name: StreamName, capture: Capture, on_output: OnOutput | None
) -> None:
    while reader is not None and not capture.flooded and (data := await reader.read(_CHUNK)):
        capture.add(name, data)
        if on_output is not None:
            on_output(name, data)


@contextmanager
def _pipe() -> Generator[tuple[int, int]]:
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        yield read, write
    finally:
        os.close(read)
        os.close(write)


def _exit_code(status: int) -> int | None:
    """The exit code as bubblewrap reports it: only after its own set-up had succeeded, so never its own failure."""
    try:
        text = os.read(status, 1 << 16)
    except BlockingIOError:
        return None
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            code = json.loads(line).get("exit-code")
            if isinstance(code, int):
                return code
    return None
