"""The one interface to a place where untrusted code may run, and its errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from agentsys_sandbox.spec import Description, ExecResult, ExportReport, InstallResult

WORK = "/work"
"""The only writable place that lives as long as the sandbox."""
REPO = "/work/repo"
"""Where the code under test lies."""
VENV = "/work/venv"
"""The Python environment that `install` makes."""
PYRIGHT = ("/opt/agentsys/node", "/opt/agentsys/pyright/index.js")
"""Command prefix of the type checker inside every sandbox."""

OnOutput = Callable[[Literal["stdout", "stderr"], bytes], None]
"""Called with each piece of output while the program runs."""


class SandboxError(Exception):
    """Base of the errors below; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Unavailable(SandboxError):
    """This backend cannot be used here (absent, not answering, too old, no permission: the message says which)."""


class ImageMissing(Unavailable):
    """The base image is not there and could not be made."""


class WeakSandbox(SandboxError):
    """A demanded control is not effective, and running without it was not allowed."""


class SandboxGone(SandboxError):
    """The sandbox died or was removed from outside; open a new one."""


class Sandbox(Protocol):
    """A throw-away place with a work folder, an installation step with the package index, and no other network.

    Use it as an async context manager: entering opens it, leaving removes every trace. Cancellation stops the program
    under way. No method raises for what the code under test does; that is in `ExecResult.outcome`.

    Raises (all methods): SandboxGone, Unavailable.
    """

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def install(
        self,
        requirements: Sequence[str] = (),
        *,
        constraints: Sequence[str] = (),
        project: bool = False,
        timeout: float = 600.0,
        on_output: OnOutput | None = None,
    ) -> InstallResult:
        """Make `VENV` afresh and install into it; the only step that reaches the package index.

        Args:
            requirements: requirement lines, as in requirements.txt.
            constraints: pins that restrict versions without asking for a package.
            project: also install `REPO` itself (editable), if it has a pyproject.toml.

        Nothing that runs during the installation survives it: the run phase is another container.
        """
        ...

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
        """Run a program in the run phase: no network, no index. `VENV/bin` is first on PATH.

        Output beyond `max_output` bytes a stream is cut (head and tail kept); a flood ends as `output_limit`.
        """
        ...

    async def write_files(self, files: Mapping[str, bytes], *, root: str = REPO) -> None:
        """Write files below `root`, making folders; `.sh` files become executable. Paths are checked."""
        ...

    async def remove(self, paths: Sequence[str], *, root: str = REPO) -> None:
        """Remove files or folders below `root`; absent ones are no error."""
        ...

    async def read_file(self, path: str, *, max_bytes: int = 1 << 20) -> bytes | None:
        """Read the first `max_bytes` bytes of a regular file below `WORK`; None where there is none.

        Never follows links, never blocks. A relative path starts at `WORK`.
        """
        ...

    async def export(
        self, paths: Sequence[str], dest: Path, *, max_files: int = 2000, max_bytes: int = 200 << 20
    ) -> ExportReport:
        """Copy files and folders to `dest`, each at its path relative to `WORK`.

        Only regular files and folders come out; the rest is dropped and named.

        Args:
            paths: below `WORK`; relative ones start there.
        """
        ...

    async def health(self) -> bool:
        """True if the sandbox still answers."""
        ...

    def describe(self) -> Description:
        """Say what this is and which controls were seen to be effective."""
        ...
