"""The seam between the sandbox and its backends: a box runs one program after the other on the work folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from agentsys_sandbox.budget import Budget
from agentsys_sandbox.spec import ExecResult

OnOutput = Callable[[Literal["stdout", "stderr"], bytes], None]
"""Called with each piece of output while the program runs."""

HELPER_SECONDS = 300.0
"""A helper's work takes a moment; on a machine with much other work a moment has been minutes."""


@dataclass(frozen=True)
class Job:
    """What to run. `limit` in seconds on the clock; `max_output` in bytes a stream."""

    argv: Sequence[str]
    cwd: str
    environment: Mapping[str, str]
    stdin: bytes = b""
    limit: float = 600.0
    max_output: int = 8 << 20
    on_output: OnOutput | None = None
    flood: int | None = None
    """Bytes after which output is a flood; None derives it from `max_output`."""
    budget: Budget | None = None
    """What it may use of the processors; None bounds it by the clock alone."""


@dataclass(frozen=True)
class HelperEnd:
    """How a helper program ended."""

    exit_code: int | None
    stdout: bytes
    stderr: bytes
    cut: int


class Helper(Protocol):
    """Runs a small trusted program of the image as the code's user; `flood` bounds its output in bytes."""

    async def __call__(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        max_output: int = 1 << 20,
        flood: int | None = None,
        on_output: OnOutput | None = None,
    ) -> HelperEnd: ...


class Box(Protocol):
    """Where programs run: a container, or namespaces of their own. Not for concurrent use."""

    @property
    def cpus(self) -> float:
        """Processors that a program may use."""
        ...

    @property
    def path(self) -> str:
        """Search path for programs that the image sets."""
        ...

    async def run(self, job: Job) -> ExecResult:
        """Run a program and name its outcome; afterwards nothing of it runs. Raises: SandboxGone, Unavailable."""
        ...

    @property
    def helper(self) -> Helper:
        """Runs trusted programs of the image. Raises, when called: SandboxGone, Unavailable."""
        ...
