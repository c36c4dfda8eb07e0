"""Processes of this machine that outlive the terminal, by submitit."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from agentsys.core.errors import PrerequisiteError
from agentsys.core.rundir import process_start
from agentsys.core.text import clean_line
from agentsys.run.jobs.engine import Need, Seen
from agentsys.run.jobs.submitting import submit_by


class LocalEngine:
    """A process a task; nobody starts one again. An id is that of the process, when it began, and its machine."""

    offline = False
    puts_back = False

    def submit(self, folder: Path, name: str, submission: int, tasks: int, need: Need) -> tuple[str, ...]:
        """Start the processes. Raises: PrerequisiteError."""
        del name
        options: dict[str, object] = {"timeout_min": need.seconds / 60, "gpus_per_node": need.gpus}
        with _deaf():
            ids = submit_by("local", folder / "local", options, folder, submission, tasks)
        return tuple(f"{each}:{process_start(int(each)) or 0:.0f}@{socket.gethostname()}" for each in ids)

    def find(self, name: str) -> tuple[str, ...]:
        """Nothing: a process that was started by somebody who died at once stops when it sees the next one."""
        del name
        return ()

    def states(self, ids: Sequence[str]) -> tuple[Seen, ...]:
        """Look for the processes; those of another machine cannot be seen from here."""
        return tuple(map(_seen, ids))

    def cancel(self, ids: Sequence[str]) -> None:
        """Kill what submitit started, and what that started: sandboxes die with their owner."""
        if away := [each for each in ids if _seen(each).state == "unknown"]:
            raise PrerequisiteError(f"`{away[0]}` runs on another machine", "cancel it there")
        for each in ids:
            if _seen(each).state != "running":
                continue
            pid = int(each.partition(":")[0])
            for one in (pid, *_children(pid)):
                with suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)

    def own_id(self) -> str:
        """Return the id of submitit's process."""
        return os.environ.get("SUBMITIT_LOCAL_JOB_ID", str(os.getpid()))

    def again(self) -> bool:
        """Nobody would do it."""
        return False


def _seen(identity: str) -> Seen:
    pid, _, rest = identity.partition(":")
    began, _, host = rest.partition("@")
    if host != socket.gethostname():
        return Seen("unknown", f"it runs on {clean_line(host, 60)}, and cannot be seen from here")
    start = process_start(int(pid))
    alive = start is not None and f"{start:.0f}" == began and not _ended(int(pid))
    return Seen("running") if alive else Seen("ended", "the process has ended")


def _ended(pid: int) -> bool:
    """True for a process that has ended and was not waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@contextmanager
def _deaf() -> Generator[None]:
    """What is started now ignores Ctrl-C and the end of the terminal, and holds none of its streams open."""
    numbers = (signal.SIGINT, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    streams, nothing = [os.dup(number) for number in range(3)], os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    try:
        yield
    finally:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.close(nothing)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
