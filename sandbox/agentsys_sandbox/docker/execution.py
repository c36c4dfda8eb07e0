"""One program in a container, from start to end: own clock, own caps, own idea of when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from agentsys_sandbox.blocking import Threads
from agentsys_sandbox.box import Job, OnOutput
from agentsys_sandbox.capture import Capture, flood_limit
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.docker.frames import FrameError, FrameReader
from agentsys_sandbox.docker.stream import ExecStream
from agentsys_sandbox.errors import Unavailable
from agentsys_sandbox.outcome import Stopped

# The shell prints the mark only if it cannot become the program. The mark is new each time and unknown to the program,
# so a program that ends with 126 or 127 is not taken for one that was never there.
# In the script text, not in a variable, since a variable could be exported to the program.
_LAUNCH = (
    "command -v shopt >/dev/null && shopt -s execfail; "  # bash skips the trap otherwise
    'trap "printf \'\\n%s\' {mark} >&2" EXIT; cd -- "$1" || exit 126; shift; exec "$@"'
)
_MEASURED = 'n=$1; shift; head -c "$n" | "$@"'
"""Ends the input after so many bytes, for connections that cannot say where it ends."""
_POLL = 0.5
_FIRST_POLL = 0.01
_LINGER = 0.5
_KILL_WAIT = 5.0


@dataclass(frozen=True)
class Ended:
    """What was seen of it."""

    exit_code: int | None
    stopped: Stopped
    start_failed: bool
    stdout: bytes
    stderr: bytes
    cut: int
    seconds: float


class Execution:
    """Runs one job in one container.

    Args:
        kill: ends every process of the container; called at a limit and on cancellation.
        sweep: ends the processes of the code's user that outlive their program, and nothing else.
        over_disk: says whether the work folder is over its limit; asked every `poll` seconds.
        spent: says whether the program is over its budget of processor time; asked as often.
    """

    def __init__(
        self,
        engine: Engine,
        threads: Threads,
        container: str,
        *,
        user: str,
        kill: Callable[[], Awaitable[None]],
        sweep: Callable[[], Awaitable[None]],
        over_disk: Callable[[], Awaitable[bool]] | None = None,
        spent: Callable[[], Awaitable[bool]] | None = None,
        poll: float = 5.0,
    ) -> None:
        self._engine = engine
        self._threads = threads
        self._container = container
        self._user = user
        self._kill = kill
        self._sweep = sweep
        self._over_disk = over_disk
        self._spent = spent
        self._poll = poll

    async def run(self, job: Job) -> Ended:
        """Start it and stay until it ended, or was ended at a limit.

        Raises: SandboxGone, Unavailable, FrameError (the connection broke).
        """
        mark = secrets.token_hex(16)
        argv = ["/bin/sh", "-c", _LAUNCH.format(mark=mark), "sh", job.cwd, *job.argv]
        if job.stdin and not self._engine.half_closes:
            argv = ["/bin/sh", "-c", _MEASURED, "sh", str(len(job.stdin)), *argv]
        start = time.monotonic()
        exec_id, stream = await self._threads.call(
            self._engine.start_exec,
            self._container,
            argv,
            user=self._user,
            environment=job.environment,
            stdin=bool(job.stdin),
        )
        capture = Capture(job.max_output, flood_limit(job.max_output) if job.flood is None else job.flood)
        stopped = await self._attend(job, exec_id, stream, capture, start)
        seconds = time.monotonic() - start
        _, code = await self._threads.call(self._engine.exec_state, exec_id)
        stderr = capture.value("stderr")
        failed = stderr.endswith(f"\n{mark}".encode())
        stderr = stderr.removesuffix(f"\n{mark}".encode())
        return Ended(code, stopped, failed, capture.value("stdout"), stderr, capture.cut, seconds)

    async def _attend(self, job: Job, exec_id: str, stream: ExecStream, capture: Capture, start: float) -> Stopped:
        """Pass output on until the program ended. Whatever happens, its connection and threads end with it."""
        pool = ThreadPoolExecutor(2, thread_name_prefix="agentsys-exec")
        loop = asyncio.get_running_loop()
        if job.stdin:
            loop.run_in_executor(pool, stream.write, job.stdin)
        pump = asyncio.create_task(_pump(pool, stream, capture, job.on_output))
        try:
            stopped = await self._wait(pump, job, exec_id, start)
            if not stopped and pump.done() and pump.result():
                # Nobody reads any more: let the engine drop the output first, or it waits ten seconds to deliver it.
                stream.abort()
                await self._kill()
                stopped = "output_limit"
            return stopped
        except Unavailable:
            raise  # the engine failed: asking it to kill would fail alike
        except BaseException:
            await self._kill()
            raise
        finally:
            if not pump.done():
                # After a kill the engine ends the stream by itself; what was written before still counts.
                await asyncio.wait({pump}, timeout=_KILL_WAIT)
            stream.abort()
            pump.cancel()
            with contextlib.suppress(asyncio.CancelledError, FrameError):
                await pump
            pool.shutdown(wait=False)
            stream.close()

    async def _wait(self, pump: asyncio.Task[bool], job: Job, exec_id: str, start: float) -> Stopped:
        deadline = start + job.limit
        next_look = start + self._poll
        pause = _FIRST_POLL
        while not (pump.done() and (pump.result() or not await self._runs(exec_id))):
            now = time.monotonic()
            if now >= deadline:
                await self._kill()
                return "timeout"
            if now >= next_look:
                next_look = now + self._poll
                if exceeded := await self._exceeded():
                    await self._kill()
                    return exceeded
            if pump.done():
                # It closed its output and goes on, or the engine has not written down the end yet.
                await asyncio.sleep(min(pause, deadline - now))
                pause = min(2 * pause, _POLL)
                continue
            await asyncio.wait({pump}, timeout=max(0.0, min(_POLL, deadline - now)))
            if not pump.done() and not await self._runs(exec_id):
                await self._end_leftovers(pump)
                return ""
        return ""

    async def _exceeded(self) -> Stopped:
        if self._over_disk and await self._over_disk():
            return "disk_limit"
        return "timeout" if self._spent and await self._spent() else ""

    async def _end_leftovers(self, pump: asyncio.Task[bool]) -> None:
        """The program ended, but something that it left behind holds its output open."""
        await asyncio.wait({pump}, timeout=_LINGER)
        if not pump.done():
            await self._sweep()

    async def _runs(self, exec_id: str) -> bool:
        running, _ = await self._threads.call(self._engine.exec_state, exec_id)
        return running


async def _pump(pool: ThreadPoolExecutor, stream: ExecStream, capture: Capture, on_output: OnOutput | None) -> bool:
    """Read to the end, or to a flood; True after a flood.

    Each read waits for the last one to be handled, so a fast writer is slowed down, not buffered.
    """
    loop = asyncio.get_running_loop()
    frames = FrameReader()
    while data := await loop.run_in_executor(pool, stream.read):
        for name, piece in frames.feed(data):
            capture.add(name, piece)
            if on_output is not None:
                on_output(name, piece)
        if capture.flooded:
            return True
    return False
