"""A sandbox on whichever endpoint of a pool has room."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from agentsys_sandbox.base import REPO, OnOutput, SandboxError, SandboxGone, Unavailable
from agentsys_sandbox.docker.pool import Pool, Taken
from agentsys_sandbox.docker.sandbox import DockerSandbox
from agentsys_sandbox.spec import Description, ExecResult, ExportReport, InstallResult, SandboxSpec


class PooledSandbox:
    """The methods of `base.Sandbox`, on an endpoint that is chosen when it is entered.

    An endpoint that dies ends this sandbox with Unavailable or SandboxGone; the next sandbox goes to another one.
    """

    def __init__(self, spec: SandboxSpec, pool: Pool) -> None:
        self._spec = spec
        self._pool = pool
        self._name = f"agentsys-{spec.run}-{secrets.token_hex(4)}"
        self._taken: Taken | None = None
        self._sandbox: DockerSandbox | None = None
        self._failure = ""

    async def __aenter__(self) -> Self:
        """Open it on the first endpoint that can. Raises: Unavailable, WeakSandbox, ImageMissing."""
        failures: list[str] = []
        while True:
            taken = await self._pool.take(self._spec, self._name)
            sandbox = DockerSandbox(self._spec, taken.engine, self._name)
            try:
                await sandbox.__aenter__()
            except BaseException as error:
                failed = error.message if isinstance(error, Unavailable) and not _about_image(error) else ""
                self._pool.give_back(taken, failed=failed, left=bool(failed))
                failures.append(taken.endpoint)
                if not failed or len(set(failures)) < len(failures):  # each endpoint once
                    raise
                continue
            self._taken, self._sandbox = taken, sandbox
            return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sandbox, taken = self._sandbox, self._taken
        self._sandbox = self._taken = None
        if sandbox is None or taken is None:
            return
        try:
            await sandbox.__aexit__(kind, error, trace)
        except SandboxError as failure:
            self._pool.give_back(taken, failed=failure.message, left=True)
            raise
        except BaseException:
            self._pool.give_back(taken, left=True)
            raise
        self._pool.give_back(taken, failed=self._failure)

    @contextmanager
    def _used(self) -> Generator[DockerSandbox]:
        """The sandbox; an endpoint that fails under it is remembered. Raises: SandboxGone where it is not open."""
        if self._sandbox is None:
            raise SandboxGone("the sandbox is not open")
        try:
            yield self._sandbox
        except Unavailable as error:
            self._failure = error.message
            raise

    async def exec(
        self,
        argv: Sequence[str],
        *,
        cwd: str = REPO,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        timeout: float = 600.0,
        max_output: int = 8 << 20,
        on_output: OnOutput | None = None,
    ) -> ExecResult:
        """Run a program in the run phase."""
        with self._used() as sandbox:
            return await sandbox.exec(
                argv, cwd=cwd, env=env, stdin=stdin, timeout=timeout, max_output=max_output, on_output=on_output
            )

    async def install(
        self,
        requirements: Sequence[str] = (),
        *,
        constraints: Sequence[str] = (),
        project: bool = False,
        timeout: float = 600.0,
        on_output: OnOutput | None = None,
    ) -> InstallResult:
        """Make the environment afresh, from the package index alone."""
        with self._used() as sandbox:
            return await sandbox.install(
                requirements, constraints=constraints, project=project, timeout=timeout, on_output=on_output
            )

    async def write_files(self, files: Mapping[str, bytes], *, root: str = REPO) -> None:
        """Write files below `root`, making folders."""
        with self._used() as sandbox:
            await sandbox.write_files(files, root=root)

    async def remove(self, paths: Sequence[str], *, root: str = REPO) -> None:
        """Remove files or folders below `root`."""
        with self._used() as sandbox:
            await sandbox.remove(paths, root=root)

    async def read_file(self, path: str, *, max_bytes: int = 1 << 20) -> bytes | None:
        """The first `max_bytes` bytes of a regular file."""
        with self._used() as sandbox:
            return await sandbox.read_file(path, max_bytes=max_bytes)

    async def export(
        self, paths: Sequence[str], dest: Path, *, max_files: int = 2000, max_bytes: int = 200 << 20
    ) -> ExportReport:
        """Copy regular files and folders to `dest`."""
        with self._used() as sandbox:
            return await sandbox.export(paths, dest, max_files=max_files, max_bytes=max_bytes)

    async def health(self) -> bool:
        """True if it is open and still starts a program."""
        return self._sandbox is not None and await self._sandbox.health()

    def describe(self) -> Description:
        """What it is, and on which endpoint. Raises: SandboxGone where it is not open."""
        if self._sandbox is None or self._taken is None:
            raise SandboxGone("the sandbox is not open")
        found = self._sandbox.describe()
        return Description(found.backend, f"{found.version} at {self._taken.endpoint}", found.weak, found.controls)


def _about_image(error: Unavailable) -> bool:
    from agentsys_sandbox.base import ImageMissing

    return isinstance(error, ImageMissing)
