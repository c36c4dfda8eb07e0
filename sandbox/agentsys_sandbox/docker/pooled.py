"""A sandbox on whichever endpoint of a pool has room."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.box import Box
from agentsys_sandbox.docker.pool import Pool, Taken
from agentsys_sandbox.docker.sandbox import DockerSandbox
from agentsys_sandbox.errors import ImageMissing, SandboxError, SandboxGone, Unavailable
from agentsys_sandbox.spec import Description, SandboxSpec


class PooledSandbox(Sandbox):
    """A Docker sandbox on an endpoint that is chosen when it is entered.

    An endpoint that dies ends this sandbox with Unavailable or SandboxGone; the next sandbox goes to another one.
    """

    def __init__(self, spec: SandboxSpec, pool: Pool) -> None:
        super().__init__(spec)
        self._pool = pool
        self._name = f"agentsys-{spec.run}-{secrets.token_hex(4)}"
        self._taken: Taken | None = None
        self._sandbox: Sandbox | None = None
        self._failure = ""

    async def _open(self) -> None:
        """Open it on the first endpoint that can."""
        failures: list[str] = []
        while True:
            taken = await self._pool.take(self._spec, self._name)
            sandbox = DockerSandbox(self._spec, taken.engine, self._name)
            try:
                await sandbox.__aenter__()
            except BaseException as error:
                failed = ""
                if isinstance(error, Unavailable) and not isinstance(error, ImageMissing):
                    failed = error.message
                self._pool.give_back(taken, failed=failed, left=bool(failed))
                failures.append(taken.endpoint)
                if not failed or len(set(failures)) < len(failures):  # each endpoint once
                    raise
                continue
            self._taken, self._sandbox = taken, sandbox
            return

    async def _close(self) -> None:
        sandbox, taken = self._sandbox, self._taken
        self._sandbox = self._taken = None
        if sandbox is None or taken is None:
            return
        try:
            await sandbox.__aexit__(None, None, None)
        except SandboxError as failure:
            self._pool.give_back(taken, failed=failure.message, left=True)
            raise
        except BaseException:
            self._pool.give_back(taken, left=True)
            raise
        self._pool.give_back(taken, failed=self._failure)

    def _opened(self) -> Sandbox:
        if self._sandbox is None:
            raise SandboxGone("the sandbox is not open")
        return self._sandbox

    @asynccontextmanager
    async def _use(self) -> AsyncGenerator[Box]:
        """The box on the endpoint; one that fails under it is remembered."""
        try:
            async with self._opened()._use() as box:
                yield box
        except Unavailable as error:
            self._failure = error.message
            raise

    async def _ready(self) -> Box:
        return await self._opened()._ready()

    async def _show(self, environment: Path) -> None:
        await self._opened()._show(environment)

    async def _show_data(self, folder: Path) -> None:
        await self._opened()._show_data(folder)

    async def _place(self, files: Mapping[str, bytes]) -> None:
        await self._opened()._place(files)

    def _box_with(self, environment: Path) -> AbstractAsyncContextManager[Box]:
        return self._opened()._box_with(environment)

    def _complete(self, environment: Path) -> None:
        if self._sandbox is not None:
            self._sandbox._complete(environment)

    def describe(self) -> Description:
        """What it is, and on which endpoint. Raises: SandboxGone where it is not open."""
        found = self._opened().describe()
        where = self._taken.endpoint if self._taken else ""
        return Description(found.backend, f"{found.version} at {where}", found.weak, found.controls)
