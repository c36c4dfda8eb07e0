"""One started bubblewrap: its input and output, its end, and what ends it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
from collections.abc import Coroutine
from typing import Any, Literal

from agentsys_sandbox.box import OnOutput
from agentsys_sandbox.bwrap.identity import PATH
from agentsys_sandbox.capture import Capture, StreamName
from agentsys_sandbox.errors import Unavailable
from agentsys_sandbox.outcome import Stopped as Limit

Stopped = Limit | Literal["memory"]
"""Why it was ended; empty where it ended by itself."""
Watch = Coroutine[Any, Any, Stopped]
"""Returns once a limit is passed that the kernel does not enforce."""
_CHUNK = 1 << 16
_CLOSES = 10.0
"""Seconds after which the pipes of a killed program are closed from this side."""
_DRAIN = 5.0


class TooLong(Exception):
    """The kernel refuses a command line of this length."""


async def start(argv: list[str], fds: list[int]) -> asyncio.subprocess.Process:
    """Start it. Raises: TooLong, Unavailable."""
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
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
            raise TooLong from error
        raise Unavailable(f"the host cannot start bubblewrap: {error.strerror}", "close other programs") from error


async def attend(
    process: asyncio.subprocess.Process,
    stdin: bytes,
    limit: float,
    capture: Capture,
    on_output: OnOutput | None,
    watch: Watch | None,
) -> Stopped:
    """Pass its output on until it ended, or was ended at a limit; whatever happens, it does not run on.

    Args:
        limit: seconds it may take.
    """
    pump = asyncio.create_task(_pump(process, stdin, on_output, capture))
    ended = asyncio.create_task(process.wait())
    passed = asyncio.create_task(watch) if watch else None
    try:
        return await _wait(ended, pump, passed, limit, capture)
    finally:
        if passed:
            passed.cancel()
            await asyncio.wait({passed})
        await _end(process, ended, pump)


async def _wait(
    ended: asyncio.Task[int],
    pump: asyncio.Task[None],
    passed: asyncio.Task[Stopped] | None,
    limit: float,
    capture: Capture,
) -> Stopped:
    deadline = time.monotonic() + limit
    while not ended.done():
        waiting: set[asyncio.Task[Any]] = {ended, *([] if pump.done() else [pump]), *([passed] if passed else [])}
        left = max(0.0, deadline - time.monotonic())
        await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if capture.flooded:
            return "output_limit"
        if ended.done():
            break
        if pump.done():
            pump.result()  # an error of `on_output` ends the program
        if passed and passed.done():
            return passed.result()
        if time.monotonic() >= deadline:
            return "timeout"
    return ""


async def _end(process: asyncio.subprocess.Process, ended: asyncio.Task[int], pump: asyncio.Task[None]) -> None:
    if not ended.done():
        # The first process of the namespace dies with bubblewrap, and the kernel ends the others with it.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    if not pump.done():
        # Its ends of the pipes are closed now; what was written before still counts.
        await asyncio.wait({pump}, timeout=_DRAIN)
        pump.cancel()
        await asyncio.wait({pump})  # it still reads, and nobody else may meanwhile
    # asyncio takes a process for ended only when its pipes have been read to the end.
    try:
        await asyncio.wait_for(asyncio.gather(_drain(process.stdout), _drain(process.stderr)), _CLOSES)
    except TimeoutError:
        # Killed while it started: its child does not die with it yet, and holds the pipes. Closing the sandbox ends it.
        process._transport.close()  # type: ignore[attr-defined]  # pyright: ignore
    await ended
    with contextlib.suppress(asyncio.CancelledError):
        await pump


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
