"""The one interface to a place where untrusted code may run, and what all backends have in common.

A backend is one class derived from `Backend` and one row in `backends.py`, or in the entry point group
`agentsys.sandboxes` of another distribution.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from agentsys_sandbox import transfer
from agentsys_sandbox.box import Box, Job, OnOutput
from agentsys_sandbox.budget import Budget
from agentsys_sandbox.cachedir import shared_dir
from agentsys_sandbox.environment import run_environment
from agentsys_sandbox.errors import ImageMissing, SandboxError, SandboxGone, Unavailable, WeakSandbox
from agentsys_sandbox.labels import Leftover
from agentsys_sandbox.paths import DATA, INSTRUMENTS, PYRIGHT, REPO, VENV, WORK, inside, relative
from agentsys_sandbox.spec import Control, Description, ExecResult, ExportReport, InstallResult, SandboxSpec, Source

if TYPE_CHECKING:  # loaded where something is installed
    from agentsys_sandbox.packages.bytecode import Bytecode
    from agentsys_sandbox.packages.lock import Lock, Wheel
    from agentsys_sandbox.packages.resolve import Resolution
    from agentsys_sandbox.packages.store import PackageStore
    from agentsys_sandbox.packages.target import Target

__all__ = [
    "DATA",
    "INSTRUMENTS",
    "PYRIGHT",
    "REPO",
    "VENV",
    "WORK",
    "Backend",
    "Box",
    "ImageMissing",
    "Job",
    "Leftover",
    "OnOutput",
    "Sandbox",
    "SandboxError",
    "SandboxGone",
    "Unavailable",
    "WeakSandbox",
    "refuse_weakness",
]


class Sandbox(ABC):
    """A throw-away place with a work folder and a Python environment, and no network at any time.

    Use it as an async context manager: entering opens it, leaving removes every trace. Cancellation stops the program
    under way. No method raises for what the code under test does; that is in `ExecResult.outcome`.

    Raises (all methods): SandboxGone, Unavailable.

    A subclass says how it is opened and closed, and gives boxes that programs run in and environments are seen from.
    """

    def __init__(self, spec: SandboxSpec) -> None:
        self.room: Callable[[], AbstractAsyncContextManager[None]] | None = None
        """Entered before it is opened and left after it is closed: where the machine is shared, a wait for room."""
        self._admission = contextlib.AsyncExitStack()
        self._spec = spec
        self._lock = asyncio.Lock()
        self._target: Target | None = None
        self._shown: Path | None = None
        self._provided: dict[str, bytes] = {}
        self._data: Path | None = None
        self._bytecode: Bytecode | None = None

    @abstractmethod
    async def _open(self) -> None:
        """Make it ready. Raises: Unavailable, ImageMissing, WeakSandbox."""

    @abstractmethod
    async def _close(self) -> None:
        """Remove every trace, also of a sandbox that was opened half-way. Raises: Unavailable."""

    @abstractmethod
    async def _ready(self) -> Box:
        """The box that programs run in. Raises: SandboxGone where it is not open, Unavailable."""

    @abstractmethod
    async def _show(self, environment: Path) -> None:
        """From now on `VENV` is this folder of this machine, read-only. Raises: SandboxGone, Unavailable."""

    @abstractmethod
    def _box_with(self, environment: Path) -> AbstractAsyncContextManager[Box]:
        """A throw-away box on the work folder that sees another environment. Raises: SandboxGone, Unavailable."""

    @abstractmethod
    async def _place(self, files: Mapping[str, bytes]) -> None:
        """Put files, with checked paths, into `INSTRUMENTS`, where the code cannot change them.

        Raises: SandboxGone, Unavailable.
        """

    async def _show_data(self, folder: Path) -> None:
        """From now on programs see this folder of this machine at `DATA`, read-only.

        Raises: SandboxGone, Unavailable.
        """
        raise Unavailable("this backend cannot show data", "use Docker or bubblewrap")

    def _complete(self, environment: Path) -> None:  # noqa: B027 -- what is mounted itself needs nothing
        """Bytecode has been added to a folder that was shown. Blocks."""

    @abstractmethod
    def describe(self) -> Description:
        """Say what this is and which controls were seen to be effective."""

    async def __aenter__(self) -> Self:
        if self.room is not None:
            await self._admission.enter_async_context(self.room())
        try:
            await self._open()
        except BaseException:
            async with self._admission:
                with contextlib.suppress(Unavailable):  # the first error says what is wrong
                    await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._admission:
            try:
                if self._bytecode is not None:
                    await self._bytecode.close()
            finally:
                await self._close()

    @asynccontextmanager
    async def _use(self) -> AsyncGenerator[Box]:
        """The box, for one caller at a time."""
        async with self._lock:
            yield await self._ready()

    def _packages(self) -> PackageStore:
        from agentsys_sandbox.packages.store import shared

        return shared(self._packages_root())

    def _packages_root(self) -> Path:
        return self._spec.cache_dir or shared_dir()

    async def resolve(
        self,
        requirements: Sequence[str] = (),
        *,
        constraints: Sequence[str] = (),
        project: Mapping[str, bytes] | None = None,
        locked: Lock | None = None,
        timeout: float = 600.0,
        on_output: OnOutput | None = None,
    ) -> Resolution:
        """Find the exact set of wheels for this sandbox's Python, on this machine; nothing is installed yet.

        What exists as source only, and the project, is built inside, without network.

        Args:
            requirements: requirement lines, as in requirements.txt.
            constraints: pins that restrict versions without asking for a package.
            project: files of the repository that lies at `REPO`; it joins the set (editable), if its pyproject.toml
                describes a project.
            locked: the set has to be exactly this one.
        """
        from agentsys_sandbox.packages.inside import BoxBuilder
        from agentsys_sandbox.packages.resolve import refused
        from agentsys_sandbox.packages.wish import BadRequirement, Wish, project_source

        try:
            source = project_source(project or {})
        except BadRequirement as error:
            return refused(error)
        wish = Wish(tuple(requirements), tuple(constraints), source, timeout, on_output)
        async with self._use() as box:
            target = await self._python(box)
            builder = BoxBuilder(self._box_with, on_output)
            return await self._packages().resolve(wish, target, self._spec.index, builder, locked=locked)

    async def install(
        self,
        lock: Lock,
        *,
        project: Wheel | None = None,
        timeout: float = 600.0,
        on_output: OnOutput | None = None,
    ) -> InstallResult:
        """Make `VENV` afresh with exactly this set; nothing of it runs.

        Args:
            lock: of `resolve`.
            project: `Resolution.project`.
        """
        async with self._use() as box:
            target, store = await self._python(box), self._packages()
            made = await store.link(lock, target, project=project, limit=timeout, on_output=on_output)
            folder = made.folder
            if folder is None:
                return InstallResult(made.result)
            if folder != self._shown:
                await self._show(folder)
                self._shown = folder
            self._bytecode = self._bytecode or store.bytecode()
            self._bytecode.start(folder, target, lambda: self._complete(folder))
            return InstallResult(made.result, lock.packages)

    async def _python(self, box: Box) -> Target:
        """The base's interpreter. Raises: Unavailable where nothing can be installed for it."""
        from agentsys_sandbox.packages.target import ASK, TargetError, parse_target

        if self._target is None:
            try:
                self._target = parse_target((await box.helper(ASK)).stdout)
            except TargetError as error:
                raise Unavailable(str(error), "use another base image") from error
        return self._target

    async def exec(
        self,
        argv: Sequence[str],
        *,
        cwd: str = REPO,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        timeout: float = 600.0,
        budget: float | None = None,
        max_output: int = 8 << 20,
        on_output: OnOutput | None = None,
    ) -> ExecResult:
        """Run a program. `VENV/bin` is first on PATH.

        It ends as `timeout` after that many seconds on the clock; with a `budget`, before that once all its processes
        used so many CPU seconds for each processor, or have done nothing for long.

        Output beyond `max_output` bytes a stream is cut (head and tail kept); a flood ends as `output_limit`.
        """
        async with self._use() as box:
            environment = run_environment(box.cpus, box.path, env)
            allowed = None if budget is None else Budget(budget * box.cpus, budget)
            job = Job(tuple(argv), inside(cwd), environment, stdin, timeout, max_output, on_output, budget=allowed)
            return await box.run(job)

    async def provide(self, files: Mapping[str, bytes]) -> str:
        """Show files in `INSTRUMENTS`, which programs can read only, and return that folder.

        Those given before stay, unless they are given again.

        Raises: BadPath; SandboxError where another content lies there than was given.
        """
        named = {relative(name): data for name, data in files.items()}
        if named.items() - self._provided.items():
            async with self._use():
                await self._place(named)
            self._provided |= named
        if not await self.intact():
            raise SandboxError(f"`{INSTRUMENTS}` does not hold what was put there", "open a new sandbox")
        return INSTRUMENTS

    async def intact(self) -> bool:
        """True if `INSTRUMENTS` holds what `provide` was given, each file with its content, and nothing else."""
        async with self._use() as box:
            found = await transfer.digests(box.helper, INSTRUMENTS)
        return found == {name: hashlib.sha256(data).hexdigest() for name, data in self._provided.items()}

    async def show_data(self, folder: Path) -> None:
        """Show a folder of this machine, read-only: `data` of the repository leads to it.

        Its files and folders have to be readable by everybody. What the repository has below `data` itself stays
        there, unless it has the name of something shown. Call it again where the repository was written anew.

        Raises: SandboxError where something stands in the way.
        """
        if folder != self._data:
            async with self._use() as box:
                await transfer.remove(box.helper, [DATA.removeprefix(f"{WORK}/")], WORK)
                await self._show_data(folder)
            self._data = folder
        async with self._use() as box:
            await transfer.link(box.helper, DATA, REPO)

    async def clear(self) -> None:
        """Remove what programs left: all of `WORK` but what is shown there, and temporary files."""
        async with self._use() as box:
            await transfer.clear(box.helper, (VENV, INSTRUMENTS) if self._data is None else (VENV, INSTRUMENTS, DATA))

    async def write_files(self, files: Mapping[str, bytes], *, root: str = REPO) -> None:
        """Write files below `root`, making folders; `.sh` files become executable. Paths are checked."""
        async with self._use() as box:
            await transfer.write_files(box.helper, files, root)

    async def remove(self, paths: Sequence[str], *, root: str = REPO) -> None:
        """Remove files or folders below `root`; absent ones are no error."""
        async with self._use() as box:
            await transfer.remove(box.helper, paths, root)

    async def read_file(self, path: str, *, max_bytes: int = 1 << 20) -> bytes | None:
        """Read the first `max_bytes` bytes of a regular file below `WORK`; None where there is none.

        Never follows links, never blocks. A relative path starts at `WORK`.
        """
        async with self._use() as box:
            return await transfer.read_file(box.helper, path, max_bytes)

    async def export(
        self, paths: Sequence[str], dest: Path, *, max_files: int = 2000, max_bytes: int = 200 << 20
    ) -> ExportReport:
        """Copy files and folders to `dest`, each at its path relative to `WORK`.

        Only regular files and folders come out; the rest is dropped and named.

        Args:
            paths: below `WORK`; relative ones start there.
        """
        async with self._use() as box:
            return await transfer.export(box.helper, paths, dest, max_files, max_bytes)

    async def health(self) -> bool:
        """True if a program can still be started on the work folder."""
        try:
            async with self._use() as box:
                end = await box.helper(("/bin/sh", "-c", "echo alive"))
        except (SandboxGone, Unavailable):
            return False
        return end.exit_code == 0 and end.stdout == b"alive\n"


class Backend(Sandbox):
    """A sandbox that can be asked for by name: what its class answers before anything is opened. All of it blocks."""

    weakness: ClassVar[str] = ""
    """Why this backend isolates less than others; empty where it does not."""

    @classmethod
    def named(cls) -> bool:
        """Return whether the environment names this backend's engine, which is then looked at first."""
        return False

    @classmethod
    @abstractmethod
    def available(cls) -> None:
        """See that the backend answers. Raises: Unavailable with the remedy."""

    @classmethod
    @abstractmethod
    def create(cls, spec: SandboxSpec) -> Self:
        """A sandbox, not yet entered. Raises: Unavailable."""

    @classmethod
    def build_base(cls, source: Source = "auto") -> str:
        """Build its base anew and return its name.

        Args:
            source: `registry`, `host` (this machine's files) or `auto`, where the backend knows the difference.

        Raises: Unavailable, ImageMissing.
        """
        raise Unavailable("this backend has no base to build", "nothing has to be done")

    @classmethod
    def leftovers(cls, *, everything: bool = False) -> AbstractContextManager[list[Leftover]]:
        """What dead or overdue owners left behind, and outdated bases; removable until the end of the block.

        Args:
            everything: what belongs to living owners too.

        Raises: SandboxError where the backend does not answer.
        """
        return contextlib.nullcontext([])


def refuse_weakness(missing: Sequence[Control], *, allowed: bool) -> None:
    """Go on only with every demanded control, or where weakness is allowed. Raises: WeakSandbox."""
    if missing and not allowed:
        names = ", ".join(f"`{each.name}`" for each in missing)
        remedies = "; ".join(dict.fromkeys(each.remedy for each in missing if each.remedy))
        raise WeakSandbox(f"the sandbox is weaker than demanded, not effective: {names}", remedies)
