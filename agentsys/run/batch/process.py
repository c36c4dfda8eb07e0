"""A worker process: started, given papers, asked to stop; and what it asks of the commons, answered."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agentsys.report.batch import Row
from agentsys.run.batch.commons import Common
from agentsys.run.batch.job import Job

LONGEST_STOP = 60.0
"""Seconds that a worker gets to bring its paper to a safe end, before it is killed with all that it started."""
LONGEST_LINE = 4 << 20


class WorkerLost(Exception):
    """A worker ended while it had a paper; the text says how."""


class WorkerProcess:
    """One worker, in a session of its own, so that a Ctrl-C in the terminal reaches it through its parent alone.

    Args:
        log: file that takes what it writes to standard error.
    """

    def __init__(self, commons: Common, log: Path) -> None:
        self._commons = commons
        self._log = log
        self._process: Process | None = None
        self._key = ""
        self._asking: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start the process."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            # -P: nothing that lies in the working folder is imported.
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "agentsys.run.batch.worker",
                stdin=PIPE, stdout=PIPE, stderr=log, start_new_session=True, limit=LONGEST_LINE,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Process id; 0 before the start."""
        return self._process.pid if self._process is not None else 0

    async def run(self, job: Job) -> Row:
        """Carry out one paper.

        Raises: WorkerLost where the process ended before the paper did, or must not be given another one.
        """
        self._key = job.key
        try:
            await self._send({"job": job.model_dump(mode="json")})
            return await self._until_ended()
        finally:
            for task in self._asking:
                task.cancel()
            await self._commons.gone(job.key)
            self._key = ""

    async def stop(self, why: str) -> None:
        """Ask for a safe end of the paper under way, as the signal `why` would."""
        with suppress(WorkerLost):
            await self._send({"stop": why})

    async def close(self) -> None:
        """End the process, and wait for it."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(LONGEST_STOP):
                await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    async def _until_ended(self) -> Row:
        assert self._process is not None and self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message: dict[str, Any] = json.loads(line)
            if message["what"] == "ended":
                return Row.model_validate(message["row"])
            await self._heard(message)
        code = await self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise WorkerLost(f"its worker {how}")

    async def _heard(self, message: dict[str, Any]) -> None:
        commons, key = self._commons, self._key
        match message["what"]:
            case "turn":
                self._answer(message["number"], self._turn())
            case "room":
                self._answer(message["number"], self._room(message["machine"], message["most"]))
            case "back":
                await commons.back(key, message["answered"])
            case "slow":
                await commons.slow(message["began"], message["wait"])
            case "paid":
                await commons.paid(key, message["price"])
            case "leave":
                await commons.leave(key, message["machine"])
            case _:
                await commons.note(key, message["event"])

    def _answer(self, number: int, asked: Coroutine[Any, Any, dict[str, Any]]) -> None:
        async def answered() -> None:
            value = await asked
            with suppress(WorkerLost):
                await self._send({"number": number, "answer": value})

        task = asyncio.create_task(answered())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _turn(self) -> dict[str, Any]:
        return asdict(await self._commons.turn(self._key))

    async def _room(self, machine: str, most: int) -> dict[str, Any]:
        await self._commons.room(self._key, machine, most)
        return {}

    async def _send(self, message: dict[str, Any]) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise WorkerLost("its worker is gone") from error
