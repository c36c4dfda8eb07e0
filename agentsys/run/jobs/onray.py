"""Ray: a submission is an actor on the cluster that this machine belongs to, see `steward`.

What is asked of the cluster is asked by a child process: a program that has joined a cluster is ended by Ray when it is
lost, has its handlers of signals replaced, and takes seconds to join, which it does once.
"""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TypeVar

from agentsys.core.errors import PrerequisiteError
from agentsys.core.text import clean_line
from agentsys.run.jobs import steward
from agentsys.run.jobs.engine import Need, Seen
from agentsys.run.raylib import load_ray

OWN_MEMORY_MB = 512
"""What our process needs beside the sandbox."""
PATIENCE = 180.0
"""Seconds that the child process may take: for a busy machine to join the cluster, and an answer."""
SEE = "see `ray status`; `ray start` starts a cluster, `RAY_ADDRESS` names one of several"
T = TypeVar("T")


class RayEngine:
    """The cluster that Ray itself finds on this machine, or that `RAY_ADDRESS` names."""

    offline = True
    puts_back = True

    def submit(self, folder: Path, name: str, submission: int, tasks: int, need: Need) -> tuple[str, ...]:
        """Start the actor of a submission; its tasks wait until nodes have room. Raises: PrerequisiteError."""
        if need.partition:
            raise PrerequisiteError("Ray has no partitions", "ask for a resource of its nodes: `--ask NAME=QUANTITY`")
        options: dict[str, object] = {
            "num_cpus": math.ceil(need.cpus),
            "memory": (need.memory_mb + OWN_MEMORY_MB) << 20,
            "num_gpus": need.gpus,
            "resources": {key: _quantity(key, value) for key, value in need.asked.items()},
        }
        _on_cluster(steward.hire, name, str(folder), submission, tasks, need.seconds, options)
        return tuple(f"{name}:{number}" for number in range(tasks))

    def find(self, name: str) -> tuple[str, ...]:
        """Ask for a submission by its name."""
        return tuple(f"{name}:{number}" for number in range(_on_cluster(steward.ask, name, "size") or 0))

    def states(self, ids: Sequence[str]) -> tuple[Seen, ...]:
        """Ask the actor: where there is none all has ended; where the cluster does not answer nothing is known."""
        name = ids[0].rpartition(":")[0]
        try:
            found: list[Seen] | None = _on_cluster(steward.ask, name, "states")
        except PrerequisiteError as error:
            return tuple(Seen("unknown", error.message) for _ in ids)
        if found is None:
            return tuple(Seen("ended", "Ray no longer knows it") for _ in ids)
        return tuple(found[_number(one)] for one in ids)

    def cancel(self, ids: Sequence[str]) -> None:
        """Have the actor kill the tasks' processes. Raises: PrerequisiteError."""
        _on_cluster(steward.ask, ids[0].rpartition(":")[0], "cancel", [_number(one) for one in ids])

    def own_id(self) -> str:
        """Return the name of Ray's task, which is its id."""
        return load_ray().get_runtime_context().get_task_name()

    def again(self) -> bool:
        """Ray starts a task again whose process died, and none that came to its end."""
        return False


def _number(identity: str) -> int:
    return int(identity.rpartition(":")[2])


def _quantity(key: str, value: str) -> float:
    """Raises: PrerequisiteError."""
    try:
        return float(value)
    except ValueError as error:
        words = f"`{clean_line(key, 60)}={clean_line(value, 60)}` is no quantity of a resource"
        raise PrerequisiteError(words, "what Ray is asked for is a number: `--ask NAME=QUANTITY`") from error


def _on_cluster(work: Callable[..., T], *values: object) -> T:
    """Call a function in the child process that has joined the cluster.

    Raises: PrerequisiteError where there is no cluster, or it does not answer.
    """
    load_ray()  # here, so that one that is not installed is said at once
    try:
        return _child().submit(_joined, PATIENCE, work, *values).result(2 * PATIENCE)
    except BrokenExecutor as error:
        _child.cache_clear()
        raise PrerequisiteError("the Ray cluster was lost", SEE) from error
    except TimeoutError as error:
        raise PrerequisiteError("the Ray cluster does not answer", SEE) from error


@cache
def _child() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"), _begin)


def _begin() -> None:
    """In the child: leave Ctrl-C to the parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _joined(patience: float, work: Callable[..., T], *values: object) -> T:
    """In the child: join the cluster unless that was done, and call. Raises: PrerequisiteError.

    Ray waits without end for a cluster whose files are there and whose processes are gone; the child ends then.
    """
    late = threading.Timer(patience, os._exit, (1,))
    late.daemon = True
    late.start()
    try:
        return _asked_of_ray(work, *values)
    finally:
        late.cancel()


def _asked_of_ray(work: Callable[..., T], *values: object) -> T:
    ray = load_ray()
    if "://" in os.environ.get("RAY_ADDRESS", ""):
        raise PrerequisiteError("`RAY_ADDRESS` is an address for Ray's client, which is not used", SEE)
    try:
        if not ray.is_initialized():
            ray.init(address="auto", namespace=steward.NAMESPACE, log_to_driver=False, logging_level="ERROR")
        return work(*values)
    except PrerequisiteError:
        raise
    except Exception as error:  # Ray raises plain ones where a process of its own is not there
        ray.shutdown()
        words = f"no Ray cluster can be used: {clean_line(error, 200)}"
        raise PrerequisiteError(words, SEE) from error
