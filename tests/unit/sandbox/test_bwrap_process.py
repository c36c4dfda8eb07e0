"""A started program is waited for as long as it may take, and no longer, whatever it left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import pytest

from agentsys_sandbox.bwrap import process
from agentsys_sandbox.capture import Capture
from agentsys_sandbox.outcome import Stopped

# As a bubblewrap that is killed while it starts: what it started lives on, and holds both pipes.
LEAVES_A_CHILD = ["/bin/sh", "-c", "sleep 600 & echo ready; exec sleep 600"]


@pytest.fixture
async def started() -> AsyncIterator[asyncio.subprocess.Process]:
    made = await process.start(LEAVES_A_CHILD, [])
    yield made
    with contextlib.suppress(ProcessLookupError):
        os.killpg(made.pid, signal.SIGKILL)


async def attend(made: asyncio.subprocess.Process, *, cancel: bool) -> str:
    ready = asyncio.Event()

    async def watch() -> Stopped:
        await ready.wait()
        return "memory"  # type: ignore[return-value]

    seen = Capture(1000, 1000)
    task = asyncio.create_task(
        process.attend(made, b"", 600, seen, lambda *_: ready.set(), None if cancel else watch())  # type: ignore[arg-type]
    )
    if cancel:
        await ready.wait()
        task.cancel()
    return await asyncio.wait_for(task, 60)


async def test_a_stopped_program_whose_child_holds_its_pipes_is_over(
    started: asyncio.subprocess.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_DRAIN", 0.1)
    monkeypatch.setattr(process, "_CLOSES", 0.1)
    assert await attend(started, cancel=False) == "memory"
    assert started.returncode == -signal.SIGKILL


async def test_a_cancelled_program_whose_child_holds_its_pipes_is_over(
    started: asyncio.subprocess.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_DRAIN", 0.1)
    monkeypatch.setattr(process, "_CLOSES", 0.1)
    with pytest.raises(asyncio.CancelledError):
        await attend(started, cancel=True)
    assert started.returncode == -signal.SIGKILL
