"""Bytecode for an environment, made in the background: nobody waits for it, and what is missing is only slower."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import platform
import resource
import signal
from collections.abc import Callable
from pathlib import Path

from agentsys_sandbox.packages.target import Target
from agentsys_sandbox.paths import VENV

_MEMORY = 2 << 30


class Bytecode:
    """Compiles environments one after the other while it lives, at low priority. Close it at the end.

    The base interpreter reads the sources and runs none of them; each file appears by rename, so a program in a sandbox
    may be using the environment meanwhile.

    Args:
        python: the host's base interpreter.
    """

    def __init__(self, python: Path) -> None:
        self._python = python
        self._task: asyncio.Task[None] | None = None

    def start(self, folder: Path, target: Target, then: Callable[[], None] = lambda: None) -> None:
        """Begin, unless it is at work, or the bytecode is not this interpreter's, or it was done before.

        Args:
            then: called in a thread once it is done.
        """
        idle = self._task is None or self._task.done()
        if idle and target.python == platform.python_version() and not is_compiled(folder):
            self._task = asyncio.get_running_loop().create_task(self._compile(folder, then))

    async def wait(self) -> None:
        """Until it is done; for measurements and tests."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def close(self) -> None:
        """End it, done or not."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    async def _compile(self, folder: Path, then: Callable[[], None]) -> None:
        with contextlib.suppress(OSError), _mark(folder).with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # where another process is at it, that will do
            if await self._run(folder) is not None:
                _mark(folder).touch()
                await asyncio.to_thread(then)

    async def _run(self, folder: Path) -> int | None:
        command = [
            str(self._python),
            "-I",
            "-m",
            "compileall",
            "-q",
            "-s",
            str(folder),
            "-p",
            VENV,
            str(folder / "lib"),
        ]
        process = await asyncio.create_subprocess_exec(
            *("nice", "-n", "19", *command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.defpath},
            start_new_session=True,
            umask=0o022,
        )
        try:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))  # sources are strangers' text
            return await process.wait()  # not 0 where single files do not compile, as tests of some distributions
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


def is_compiled(folder: Path) -> bool:
    """True if an environment has its bytecode."""
    return _mark(folder).exists()


def _mark(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.compiled")
