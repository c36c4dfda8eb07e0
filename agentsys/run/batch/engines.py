"""Where a batch is carried out: another place is one file and one row."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Protocol

from agentsys.report.batch import Row
from agentsys.run.batch.commons import Common
from agentsys.run.batch.job import Job

ENGINES = {"local": "agentsys.run.batch.local:Local", "ray": "agentsys.run.batch.onray:OnRay"}
"""Name -> class; loaded when it is used."""


@dataclass(frozen=True)
class Place:
    """What an engine is given."""

    folder: Path
    """The batch's own."""
    workers: int
    most: int
    """Requests of all workers together under way at the same time, where no limit is met."""
    budget: float | None
    """US dollars for all papers together."""
    spent: dict[str, float] = field(default_factory=dict[str, float])
    """What was spent before, by paper."""
    address: str = ""
    """Of a cluster that is there; empty starts one for this batch."""


class Seat(Protocol):
    """A worker, for one paper at a time."""

    async def run(self, job: Job) -> Row:
        """Carry out one paper. Raises: WorkerLost where the worker ended before the paper did."""
        ...

    async def stop(self, why: str) -> None:
        """Ask for a safe end of the paper under way, as the signal `why` would."""
        ...

    async def close(self) -> None:
        """End the worker, and wait for it."""
        ...


class Engine(AbstractAsyncContextManager["Engine"], Protocol):
    """Has workers; entering makes it ready, leaving ends what it started."""

    @property
    def commons(self) -> Common: ...

    async def seat(self, number: int) -> Seat:
        """Start a worker, as soon as there is a place for it."""
        ...


def engine_of(name: str) -> Callable[[Place], Engine]:
    """Return what makes the engine of this name.

    Raises: PrerequisiteError where its package is not installed.
    """
    module, _, kind = ENGINES[name].partition(":")
    return getattr(import_module(module), kind)
