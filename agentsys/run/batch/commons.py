"""What the papers of a batch share: one budget, one limit of requests, and each machine's room for sandboxes.

One object in one event loop, of the command's own process or of an actor: whoever asks waits here, so that nobody has
to be told. A worker that is gone gives back what it held.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from agentsys.core.errors import InternalError
from agentsys.core.numbers import dollars
from agentsys.llm.pool import Pool

AGAIN = "give the same `agentsys batch` again"
MOST_NOTES = 10_000
"""Notes kept for who watches; beyond, the oldest are dropped."""


Note = tuple[str, dict[str, object]]
"""A paper's key, and what happened to it."""


@dataclass(frozen=True)
class Turn:
    """Leave to ask a model; or, in `refused`, why there is none."""

    began: float = 0.0
    answered: int = 0
    refused: str = ""


class Common(Protocol):
    """The interface of `Commons`, here or in another process."""

    async def turn(self, paper: str) -> Turn: ...
    async def back(self, paper: str, answered: bool) -> None: ...
    async def slow(self, began: float, wait: float) -> None: ...
    async def paid(self, paper: str, price: float | None) -> None: ...
    async def settle(self, paper: str, spent: float | None) -> None: ...
    async def exhausted(self) -> str: ...
    async def room(self, paper: str, machine: str, most: int) -> None: ...
    async def leave(self, paper: str, machine: str) -> None: ...
    async def gone(self, paper: str) -> None: ...
    async def note(self, paper: str, event: dict[str, object]) -> None: ...
    async def notes(self) -> list[Note]: ...


class Commons:
    """Budget, requests and room of a batch.

    Args:
        most: requests under way at the same time where no limit is met.
        budget: US dollars for all papers together; None has no limit.
        spent: what was spent before, by paper.
    """

    def __init__(self, most: int, budget: float | None, spent: Mapping[str, float]) -> None:
        self._pool = Pool(most)
        self._budget = budget
        self._spent = dict(spent)
        self._dearest = 0.0
        """US dollars of the dearest answer so far: what an answer that is under way may cost."""
        self._asked: Counter[str] = Counter()
        """Requests under way, by paper; each has a turn of the pool."""
        self._unpaid: Counter[str] = Counter()
        """Answers that are not booked yet, by paper."""
        self._waiting: defaultdict[str, set[asyncio.Task[object]]] = defaultdict(set)
        self._rooms: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """Open sandboxes of each machine, by paper."""
        self._changed = asyncio.Condition()
        self._notes: deque[Note] = deque(maxlen=MOST_NOTES)
        self._noted = asyncio.Event()

    async def turn(self, paper: str) -> Turn:
        """Wait until a paper may ask a model once; `back` ends the request.

        Where little of the budget is left, answers are waited for that may use it up: at most one goes beyond it.
        """
        with self._listed(paper):
            began = await self._pool.take()
            try:
                refused = await self._affordable()
            except asyncio.CancelledError:
                self._pool.give_back()
                raise
            if refused:
                self._pool.give_back()
                return Turn(refused=refused)
            self._asked[paper] += 1
            return Turn(began, self._pool.answered)

    async def back(self, paper: str, answered: bool) -> None:
        """End a request; an answer counts as under way until it is `paid`."""
        if not self._asked[paper]:  # what is said of a worker that is gone counts no more
            return
        self._asked[paper] -= 1
        self._pool.give_back()
        if answered:
            self._unpaid[paper] += 1
            self._pool.recover()
        await self._tell()

    async def slow(self, began: float, wait: float) -> None:
        """A limit was met: all papers wait, and go on with half as many requests."""
        self._pool.slow(began, wait)

    async def paid(self, paper: str, price: float | None) -> None:
        """Book an answer. `price` in US dollars; None where it is unknown."""
        self._unpaid[paper] = max(self._unpaid[paper] - 1, 0)
        self._spent[paper] = self._spent.get(paper, 0.0) + (price or 0.0)
        self._dearest = max(self._dearest, price or 0.0)
        await self._tell()

    async def settle(self, paper: str, spent: float | None) -> None:
        """Take what the ledger on disk says a paper has cost, now that nobody works on it."""
        if spent is not None:
            self._spent[paper] = spent
        await self._tell()

    async def exhausted(self) -> str:
        """Return why no further paper is begun; empty while there is money."""
        return self._used_up()

    async def room(self, paper: str, machine: str, most: int) -> None:
        """Wait until a paper may open a sandbox on a machine; `leave` ends it.

        Args:
            most: sandboxes for which that machine has processors and memory.

        A paper that holds one gets another at once, since two that waited for each other would do so for ever.
        """
        held = self._rooms[machine]
        with self._listed(paper):
            async with self._changed:
                await self._changed.wait_for(lambda: held[paper] > 0 or held.total() < most)
                held[paper] += 1

    async def leave(self, paper: str, machine: str) -> None:
        """A sandbox is closed."""
        self._rooms[machine][paper] = max(self._rooms[machine][paper] - 1, 0)
        await self._tell()

    async def gone(self, paper: str) -> None:
        """Take back all that a paper held: its worker is no more."""
        for task in list(self._waiting[paper]):
            task.cancel()
        for _ in range(self._asked.pop(paper, 0)):
            self._pool.give_back()
        self._unpaid.pop(paper, None)
        for held in self._rooms.values():
            held.pop(paper, None)
        await self._tell()

    async def note(self, paper: str, event: dict[str, object]) -> None:
        """Keep what happened for who watches."""
        self._notes.append((paper, event))
        self._noted.set()

    async def notes(self) -> list[Note]:
        """Wait until something happened, and return it, with its paper."""
        await self._noted.wait()
        self._noted.clear()
        found = list(self._notes)
        self._notes.clear()
        return found

    def _used_up(self) -> str:
        spent = sum(self._spent.values())
        if self._budget is None or spent < self._budget:
            return ""
        return f"the budget of the batch, {dollars(self._budget)}, is used up ({dollars(spent)} spent by all papers)"

    async def _affordable(self) -> str:
        if self._budget is None:
            return ""
        budget = self._budget

        def decided() -> bool:
            spent, under_way = sum(self._spent.values()), self._asked.total() + self._unpaid.total()
            return not under_way or spent >= budget or spent + (under_way + 1) * self._dearest <= budget

        async with self._changed:
            await self._changed.wait_for(decided)
        return self._used_up()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _listed(self, paper: str) -> _Listed:
        task = asyncio.current_task()
        if task is None:
            raise InternalError("asked for outside of a task")
        return _Listed(self._waiting[paper], task)


@dataclass
class _Listed:
    """Keeps a task among those of its paper while it waits."""

    tasks: set[asyncio.Task[object]]
    task: asyncio.Task[object]

    def __enter__(self) -> None:
        self.tasks.add(self.task)

    def __exit__(self, *_: object) -> None:
        self.tasks.discard(self.task)
