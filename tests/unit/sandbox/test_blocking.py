"""A blocking step that began is finished before a cancellation takes effect."""

from __future__ import annotations

import asyncio
import threading

import pytest

from agentsys_sandbox.blocking import Threads


async def test_results_and_errors_come_back() -> None:
    threads = Threads()
    assert await threads.call(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.call(divmod, 7, 0)
    threads.close()


async def test_cancelling_waits_for_the_step_and_then_takes_effect() -> None:
    threads, begun, go, done = Threads(), threading.Event(), threading.Event(), threading.Event()

    def step() -> None:
        begun.set()
        go.wait(10)
        done.set()

    task = asyncio.create_task(threads.call(step))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()
    threads.close()
