"""What runs tasks elsewhere, and the table of them.

An engine is one file with a class that has the methods of `Engine`, and one row in `ENGINES`. It starts a plain
function with plain arguments, `agentsys.run.jobs.work.work(folder, submission, task)`, once for each task, on a machine
that sees the same files; it says how each task fares; it ends tasks. It knows nothing of runs, cells or results: the
state of a job lies in the files of its folder, and a task that is started again (preempted, its node gone) goes on from
there, in a folder of its own. An engine may start a task again by itself; it must say `ended` only of what will not run
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from agentsys.core.artifacts import Artifact
from agentsys.core.errors import PrerequisiteError, UsageError

ENGINES = {
    "local": "agentsys.run.jobs.local:LocalEngine",
    "slurm": "agentsys.run.jobs.slurm:SlurmEngine",
    "ray": "agentsys.run.jobs.onray:RayEngine",
}
"""`--on NAME`: the class, loaded when it is asked for. Its constructor takes nothing."""
EXTRA = "cluster"

TaskState = Literal["waiting", "running", "ended", "unknown"]


class Need(Artifact):
    """What each task asks for."""

    cpus: float = Field(description="processors of the sandbox")
    memory_mb: int = Field(description="MiB of the sandbox; the engine adds what our own process needs")
    gpus: int = 0
    seconds: float = Field(description="wall-clock seconds after which the engine ends a task")
    partition: str = ""
    asked: dict[str, str] = Field(default_factory=dict[str, str], description="more options of the engine, as they are")


@dataclass(frozen=True)
class Seen:
    """What an engine says of a task. `unknown`: it cannot be asked now, and nothing may be concluded from that."""

    state: TaskState
    why: str = ""
    """The engine's word for it, such as TIMEOUT."""


class Engine(Protocol):
    """Runs tasks. Everything blocks, and raises PrerequisiteError where the engine cannot be used or refuses."""

    offline: bool
    """Its machines reach no package index, and run code in what needs no service: bubblewrap, or rootless podman."""
    puts_back: bool
    """It has a task run again that it ended for others' sake, if the task has not left before its grace is over."""

    def submit(self, folder: Path, name: str, submission: int, tasks: int, need: Need) -> tuple[str, ...]:
        """Start `work(folder, submission, task)` for each task from 0 on; return an id for each.

        Args:
            folder: of the job; what the engine itself keeps goes to a folder of its own in it.
            name: of this submission, which no other has.
        """
        ...

    def find(self, name: str) -> tuple[str, ...]:
        """Return the ids of a submission that was made but whose ids were not written down; empty where none was."""
        ...

    def states(self, ids: Sequence[str]) -> tuple[Seen, ...]:
        """Say how each task fares, in their order."""
        ...

    def cancel(self, ids: Sequence[str]) -> None:
        """End what waits or runs, with every process of it."""
        ...

    def own_id(self) -> str:
        """In a task: its id."""
        ...

    def again(self) -> bool:
        """In a task whose time is over: have it started anew; False where this engine does not do that by itself."""
        ...


def load(name: str) -> Engine:
    """Return an engine. Raises: UsageError for a name that is not in the table."""
    if name not in ENGINES:
        raise UsageError(f"there is no engine `{name}`", f"choose one of {', '.join(ENGINES)}")
    module, _, attribute = ENGINES[name].partition(":")
    return getattr(import_module(module), attribute)()


def missing_extra(error: ImportError) -> PrerequisiteError:
    """Return the error for a library that is in an extra and not installed."""
    return PrerequisiteError(
        f"`{error.name}` is not installed, which `--on` needs", f"install it with `pip install 'agentsys[{EXTRA}]'`"
    )
