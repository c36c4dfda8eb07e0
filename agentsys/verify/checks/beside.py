"""A second sandbox of a verification, with the same environment: what runs there does not wait for the first.

Two checks at a time and no more: one run of the method is never measured while another check computes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from types import TracebackType

from agentsys.verify.checks.base import Bench, CheckSpec, Found, Infrastructure
from agentsys.verify.checks.install import install_again
from agentsys_sandbox.base import Sandbox

SPARE = 2 << 30
"""Bytes of the machine's memory that the two sandboxes must leave."""


def two_fit(memory: int) -> bool:
    """True where this machine has processors and memory for two sandboxes.

    Args:
        memory: bytes that one of them may use.
    """
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return len(os.sched_getaffinity(0)) > 1 and total >= 2 * memory + SPARE


class Beside:
    """Runs checks in the second sandbox, one at a time; it is opened when the first of them comes."""

    def __init__(self, bench: Bench, sandbox_factory: Callable[[], Sandbox] | None) -> None:
        self._bench, self._factory = bench, sandbox_factory
        self._stack = AsyncExitStack()
        self._second: Bench | None = None
        self._spec: CheckSpec | None = None
        self._task: asyncio.Task[Found] | None = None

    async def __aenter__(self) -> Beside:
        self._bench.second = self._free if self._factory is not None else None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._bench.second = None
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError, Exception):  # what ended the verification is told already
                await self._task
        await self._stack.aclose()

    def takes(self, spec: CheckSpec) -> bool:
        """True for a check that runs beside another where there is a second sandbox."""
        return self._factory is not None and bool(spec.beside)

    def start(self, spec: CheckSpec) -> None:
        """Let a check run; `ended` hands its result back."""
        self._spec, self._task = spec, asyncio.ensure_future(self._run(spec))

    async def ended(self, before: CheckSpec | None = None) -> tuple[CheckSpec, Found] | None:
        """Wait for the check that runs there, unless it may run beside the one that comes next.

        Raises: Infrastructure, SandboxGone.
        """
        spec, task = self._spec, self._task
        if spec is None or task is None or (before is not None and before.name == spec.beside):
            return None
        found = await task
        self._spec = self._task = None
        return spec, found

    async def _free(self) -> Bench | None:
        """Wait for the check that runs there, and lend the sandbox to the one that runs in the first."""
        if self._task is not None:
            await asyncio.wait({self._task})
        return self._second

    async def _run(self, spec: CheckSpec) -> Found:
        assert spec.run is not None
        return await spec.run(self._second or await self._open())

    async def _open(self) -> Bench:
        assert self._factory is not None
        sandbox = await self._stack.enter_async_context(self._factory())
        second = Bench(sandbox, self._bench.job, add_files=self._bench.add_files)
        second.facts, second.packages = self._bench.facts, self._bench.packages
        result = await install_again(second)
        if not result.ok:
            raise Infrastructure(f"install: not in a second sandbox: {result.message or result.outcome.value}")
        self._second = second
        return second
