"""Workers on a Ray cluster: one that is there, or one that is started for the batch and stopped after it.

An actor has each worker process, as the command has those of this machine, and another one, beside the command, what
all papers share. Ray is relied on for starting actors, carrying calls, and telling that an actor is dead; that a paper
ends with its worker is seen to by the worker process itself, whose standard input ends with the actor.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, cast

from agentsys.core.errors import PrerequisiteError, UsageError
from agentsys.core.text import clean_line
from agentsys.report.batch import Row
from agentsys.run.batch.commons import AGAIN, Common, Commons, Note, Turn
from agentsys.run.batch.engines import Place
from agentsys.run.batch.job import Job
from agentsys.run.batch.process import LONGEST_STOP, WorkerLost, WorkerProcess
from agentsys.run.raylib import load_ray

OBJECTS = 100 << 20
"""Bytes of shared memory of a cluster of our own: nothing but a few lines is sent."""
STARTS = 3
"""Times a worker is started before the cluster is taken to be unusable."""
AT_ONCE = 10_000
"""Calls that wait in one actor."""


class Distant:
    """The commons in their actor, called as if they were here."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor

    async def _call(self, name: str, *values: object) -> Any:
        errors = load_ray().exceptions
        try:
            return await cast("Awaitable[Any]", getattr(self.actor, name).remote(*values))
        except errors.RayActorError as error:
            raise PrerequisiteError("the Ray cluster is gone", f"start it, and {AGAIN}") from error

    async def turn(self, paper: str) -> Turn:
        return await self._call("turn", paper)

    async def back(self, paper: str, answered: bool) -> None:
        await self._call("back", paper, answered)

    async def slow(self, began: float, wait: float) -> None:
        await self._call("slow", began, wait)

    async def paid(self, paper: str, price: float | None) -> None:
        await self._call("paid", paper, price)

    async def settle(self, paper: str, spent: float | None) -> None:
        await self._call("settle", paper, spent)

    async def exhausted(self) -> str:
        return await self._call("exhausted")

    async def room(self, paper: str, machine: str, most: int) -> None:
        await self._call("room", paper, machine, most)

    async def leave(self, paper: str, machine: str) -> None:
        await self._call("leave", paper, machine)

    async def gone(self, paper: str) -> None:
        await self._call("gone", paper)

    async def note(self, paper: str, event: dict[str, object]) -> None:
        await self._call("note", paper, event)

    async def notes(self) -> list[Note]:
        return await self._call("notes")


class Keeper:
    """The actor that has a worker process, on whichever machine Ray has put it."""

    def __init__(self, commons: Any, folder: str, number: int) -> None:
        self._commons, self._folder, self._number = commons, folder, number
        self._worker: WorkerProcess | None = None

    async def ready(self) -> str:
        """Start the worker process; return the name of this machine."""
        host = socket.gethostname()
        folder = Path(self._folder)
        if not await asyncio.to_thread(folder.is_dir):
            raise UsageError(f"there is no `{folder}` on {host}", "every node needs the same file system")
        log = folder / "workers" / f"{self._number:02d}-{host}.log"
        self._worker = WorkerProcess(Distant(self._commons), log)
        await self._worker.start()
        return host

    async def run(self, job: dict[str, Any]) -> dict[str, Any] | str:
        """Carry out one paper; return its row, or how its worker was lost."""
        assert self._worker is not None
        try:
            row = await self._worker.run(Job.model_validate(job))
        except WorkerLost as error:
            return str(error)
        return row.model_dump(mode="json")

    async def stop(self, why: str) -> None:
        """Ask for a safe end of the paper under way."""
        if self._worker is not None:
            await self._worker.stop(why)

    async def close(self) -> None:
        """End the worker process."""
        if self._worker is not None:
            await self._worker.close()


class RaySeat:
    """A worker in its actor."""

    def __init__(self, ray: Any, actor: Any, host: str, commons: Common) -> None:
        self._ray, self._actor, self._host, self._commons = ray, actor, host, commons

    async def run(self, job: Job) -> Row:
        """Carry out one paper. Raises: WorkerLost."""
        try:
            found = await self._actor.run.remote(job.model_dump(mode="json"))
        except self._ray.exceptions.RayActorError as error:
            # One that cannot be reached may still be there: nobody is to go on with the paper beside it.
            self._ray.kill(self._actor)
            await self._commons.gone(job.key)
            raise WorkerLost(f"its worker on {self._host} is gone ({type(error).__name__})") from error
        if isinstance(found, str):
            raise WorkerLost(f"{found} on {self._host}")
        return Row.model_validate(found)

    async def stop(self, why: str) -> None:
        """Ask for a safe end of the paper under way."""
        with suppress(self._ray.exceptions.RayActorError):
            await self._actor.stop.remote(why)

    async def close(self) -> None:
        """End the worker, and its actor."""
        with suppress(self._ray.exceptions.RayActorError, TimeoutError):
            async with asyncio.timeout(LONGEST_STOP + 10):
                await self._actor.close.remote()
        self._ray.kill(self._actor)


class OnRay:
    """Has its workers on a cluster."""

    def __init__(self, place: Place) -> None:
        if "://" in place.address:
            hint = "run the command on a node of the cluster, with `--address auto`"
            raise UsageError(f"`{place.address}` is an address for Ray's client, which is not used", hint)
        self._ray = load_ray()
        self._place = place
        self._commons: Distant | None = None
        self._stack = ExitStack()

    @property
    def commons(self) -> Distant:
        assert self._commons is not None
        return self._commons

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self._begin)
        except BaseException:
            self._stack.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._ray.shutdown)
        self._stack.close()

    def _begin(self) -> None:
        """Start or join the cluster. Called outside of the main thread: the command keeps its signals."""
        ray, place = self._ray, self._place
        if place.address:
            self._init(address=place.address)
        else:
            self._start()
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        options = {"num_cpus": 0, "max_concurrency": AT_ONCE, "scheduling_strategy": here}
        actor = ray.remote(Commons).options(**options).remote(place.most, place.budget, place.spent)
        self._commons = Distant(actor)

    def _start(self) -> None:
        """Start a cluster of our own; again where this machine was too busy for it."""
        # It listens on every interface, and runs what it is sent: it must be asked with a token.
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        os.environ.pop("RAY_AUTH_MODE", None)  # without, `init` turns tokens on
        # Its own choice can be read by everyone, and stays. Short, since sockets lie in it.
        temp = TemporaryDirectory(prefix="agentsys-ray-", dir="/tmp", ignore_cleanup_errors=True)
        folder = self._stack.enter_context(temp)
        for number in range(1, STARTS + 1):
            try:
                self._init(
                    address="local",
                    num_cpus=self._place.workers,
                    include_dashboard=False,
                    object_store_memory=OBJECTS,
                    _temp_dir=folder,
                )
                return
            except PrerequisiteError:
                if number == STARTS:
                    raise

    def _init(self, **options: object) -> None:
        try:
            self._ray.init(log_to_driver=False, logging_level="ERROR", **options)
        except Exception as error:  # Ray raises plain ones where a process of its own did not come up
            self._ray.shutdown()
            words = clean_line(error, 200)
            raise PrerequisiteError(f"no Ray cluster can be used: {words}", "see `ray status`, and its logs") from error

    async def seat(self, number: int) -> RaySeat:
        """Start a worker, as soon as the cluster has a processor for it.

        Raises: PrerequisiteError where a node cannot start one.
        """
        ray, words = self._ray, ""
        keeper = ray.remote(Keeper).options(num_cpus=1, scheduling_strategy="SPREAD")
        for _ in range(STARTS):
            actor = keeper.remote(self.commons.actor, str(self._place.folder), number)
            try:
                return RaySeat(ray, actor, await actor.ready.remote(), self.commons)
            except ray.exceptions.RayActorError as error:  # its node may have gone away
                words = clean_line(error, 300)
            except ray.exceptions.RayTaskError as error:
                words = clean_line(error.cause, 300)
                break
        hint = "every node needs this agentsys, and the file system of the runs"
        raise PrerequisiteError(f"a worker could not start on the Ray cluster: {words}", hint)
