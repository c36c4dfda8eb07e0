"""Blocking calls from async code, so that cancelling never leaves half a step behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Threads:
    """Threads for the calls of one sandbox.

    Own ones, because asyncio's shared pool is small: sixteen sandboxes that wait for output would fill it, and the call
    that kills a program would wait behind them.
    """

    def __init__(self, workers: int = 4) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="agentsys-sandbox")

    async def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a blocking function. Cancellation takes effect once it has returned.

        A call to the engine cannot be taken back half-way: were it abandoned, the container that it was about to
        create would appear after everything had been cleaned up.
        """
        waiter = asyncio.wrap_future(self._pool.submit(function, *args, **kwargs))
        cancelled: asyncio.CancelledError | None = None
        while not waiter.done():
            try:
                await asyncio.wait({waiter})
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            waiter.exception()  # looked at, so that the loop does not report it as forgotten
            raise cancelled
        return waiter.result()

    def close(self) -> None:
        """Let the threads end once their calls return."""
        self._pool.shutdown(wait=False)
