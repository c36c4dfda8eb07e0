"""Requests to one endpoint slow down and recover together: what one of them is told holds for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


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
        self._changed = asyncio.Condition()

    @property
    def allowed(self) -> int:
        """Requests that may be under way now."""
        return int(self._share)

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[float]:
        """Wait for a turn. Gives the time at which the request begins."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._active < self.allowed)
                pause = self._free_at - time.monotonic()
                if pause <= 0:
                    self._active += 1
                    break
            await asyncio.sleep(pause)
        try:
            yield time.monotonic()
        finally:
            self._active -= 1
            async with self._changed:
                self._changed.notify_all()

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
