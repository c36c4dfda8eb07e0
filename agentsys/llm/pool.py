"""Requests to one endpoint slow down and recover together: what one of them is told holds for all."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol


class Turns(Protocol):
    """What requests wait for: a pool of this process, or one that several processes share."""

    @property
    def most(self) -> int:
        """Requests at once where no limit is met."""
        ...

    @property
    def answered(self) -> int:
        """Answers so far."""
        ...

    def slot(self) -> AbstractAsyncContextManager[float]:
        """Wait for a turn, first come, first served. Gives the time at which the request begins."""
        ...

    def slow(self, began: float, wait: float) -> None:
        """A limit was met by a request that began at `began`: wait so many seconds, then go on with half as many."""
        ...

    def recover(self) -> None:
        """An answer came."""
        ...


class Pool:
    """At most so many requests under way at once; fewer after each limit that is met, and none while one lasts.

    Args:
        most: requests at once where no limit is met.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.answered = 0
        """Answers so far."""
        self._share = float(most)
        self._active = 0
        self._free_at = 0.0
        self._slowed_at = 0.0
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def allowed(self) -> int:
        """Requests that may be under way now."""
        return int(self._share)

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[float]:
        """Wait for a turn, first come, first served. Gives the time at which the request begins."""
        began = await self.take()
        try:
            yield began
        finally:
            self.give_back()

    async def take(self) -> float:
        """Begin what `slot` holds; `give_back` ends it."""
        await self._turn()
        try:
            while (pause := self._free_at - time.monotonic()) > 0:  # noqa: ASYNC110 -- told how long, and perhaps again
                await asyncio.sleep(pause)
        except asyncio.CancelledError:
            self.give_back()
            raise
        return time.monotonic()

    def give_back(self) -> None:
        """Let the next request begin."""
        self._active -= 1
        self._admit()

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the turn had come, and nobody takes it
                self.give_back()
            raise

    def _admit(self) -> None:
        while self._queue and self._active < self.allowed:
            turn = self._queue.popleft()
            if not turn.done():
                self._active += 1
                turn.set_result(None)

    def slow(self, began: float, wait: float) -> None:
        """A limit was met by a request that began at `began`: wait so many seconds, then go on with half as many.

        Requests that were under way together meet the same limit together, which halves only once.
        """
        now = time.monotonic()
        if began > self._slowed_at:
            self._slowed_at = now
            self._share = max(1.0, self._share / 2)
        self._free_at = max(self._free_at, now + wait)

    def recover(self) -> None:
        """An answer came: one more request at once after as many answers as there are requests."""
        self.answered += 1
        self._share = min(float(self.most), self._share + 1.0 / self._share)
        self._admit()
