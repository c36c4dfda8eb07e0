"""Workers on this machine: processes of the command's own, and nothing that outlives it."""

from __future__ import annotations

from typing import Self

from agentsys.run.batch.commons import Commons
from agentsys.run.batch.engines import Place
from agentsys.run.batch.process import WorkerProcess


class Local:
    """Starts a process for each worker."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._commons = Commons(place.most, place.budget, place.spent)

    @property
    def commons(self) -> Commons:
        return self._commons

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def seat(self, number: int) -> WorkerProcess:
        """Start a worker."""
        worker = WorkerProcess(self._commons, self._place.folder / "workers" / f"{number:02d}.log")
        await worker.start()
        return worker
