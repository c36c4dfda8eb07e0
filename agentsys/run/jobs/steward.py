"""On a Ray cluster: an actor that has the tasks of one submission, and outlives who submitted it.

Ray ends the tasks of a program that ends, but not those of a detached actor. It starts a task again whose worker or
node died, and the actor itself, with all its tasks, where that was on the node. It knows no time limit: the actor does.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from agentsys.core.errors import PrerequisiteError
from agentsys.core.text import clean_line
from agentsys.run.jobs.engine import Seen
from agentsys.run.jobs.submitting import without_secrets
from agentsys.run.jobs.work import TIME_IS_OVER, work
from agentsys.run.raylib import load_ray

NAMESPACE = "agentsys"
"""In which names of actors are looked for, by other programs too."""
RETRIES = 3
"""Times that Ray starts a task again whose worker or node died; who follows the job submits what is missing then."""
NOTICE = 90.0
"""Seconds before its limit at which a task is told; a third of its time where that is less."""
REMEMBERED = 60.0
"""Seconds for which one may ask how the tasks of a submission ended."""


def run_task(folder: str, submission: int, number: int, name: str, seconds: float) -> None:
    """Run one task in the main thread of Ray's process, where signals come.

    Args:
        name: of the submission's actor.
        seconds: after which the actor ends it.
    """
    ray = load_ray()
    ray.get(ray.get_actor(name, namespace=NAMESPACE).began.remote(number))
    told = (os.getpid(), signal.SIGURG)
    notice = threading.Timer(seconds - min(NOTICE, seconds / 3), os.kill, told)
    notice.daemon = True
    notice.start()
    try:
        with without_secrets():  # a node may have keys, for papers
            work(folder, submission, number)
    finally:
        notice.cancel()


class Steward:
    """The actor.

    Args:
        name: its own.
        folder, submission, tasks, seconds: see `Engine.submit`.
        options: of Ray, for each task.
    """

    def __init__(
        self, name: str, folder: str, submission: int, tasks: int, seconds: float, options: Mapping[str, object]
    ) -> None:
        self._ray, self._name, self._seconds = load_ray(), name, seconds
        task = self._ray.remote(max_calls=1)(run_task)  # a process each: handlers of signals are the process's
        self._tasks = [
            task.options(name=f"{name}:{number}", max_retries=RETRIES, **options).remote(
                folder, submission, number, name, seconds
            )
            for number in range(tasks)
        ]
        self._limits: dict[int, threading.Timer] = {}
        self._why: dict[int, str] = {}
        threading.Thread(target=self._leave, daemon=True).start()

    def size(self) -> int:
        """Return how many tasks there are."""
        return len(self._tasks)

    def began(self, number: int) -> None:
        """Hear from a task that it runs: from now on its time counts."""
        if (before := self._limits.get(number)) is not None:
            before.cancel()  # it was started again
        limit = self._limits[number] = threading.Timer(self._seconds, self._over, (number,))
        limit.daemon = True
        limit.start()

    def states(self) -> list[Seen]:
        """Say how each task fares."""
        ended, _ = self._ray.wait(self._tasks, num_returns=len(self._tasks), timeout=0)
        return [
            Seen("ended", self._ending(number))
            if task in ended
            else Seen("running" if number in self._limits else "waiting")
            for number, task in enumerate(self._tasks)
        ]

    def cancel(self, numbers: Sequence[int]) -> None:
        """Kill the processes of tasks, which are not started again; those of sandboxes die with them."""
        for number in numbers:
            self._ray.cancel(self._tasks[number], force=True)

    def _over(self, number: int) -> None:
        self._why[number] = TIME_IS_OVER
        self.cancel([number])

    def _ending(self, number: int) -> str:
        """Return why a task ended, in Ray's words where it failed."""
        if number not in self._why:
            try:
                self._ray.get(self._tasks[number])
            except self._ray.exceptions.RayTaskError as error:
                self._why[number] = clean_line(f"{type(error.cause).__name__}: {error.cause}", 200)
            except self._ray.exceptions.RayError as error:
                self._why[number] = clean_line(f"{type(error).__name__}: {error}", 200)
            else:
                self._why[number] = "it came to its end"
        return self._why[number]

    def _leave(self) -> None:
        """End this actor some time after its last task."""
        self._ray.wait(self._tasks, num_returns=len(self._tasks))
        threading.Event().wait(REMEMBERED)
        with suppress(ValueError):
            self._ray.kill(self._ray.get_actor(self._name, namespace=NAMESPACE))


PATIENCE = 60.0
"""Seconds that an answer of the actor may take."""


def hire(name: str, folder: str, submission: int, tasks: int, seconds: float, options: Mapping[str, object]) -> None:
    """Start the actor of a submission on the cluster that this process has joined, or find that it is there.

    Raises: PrerequisiteError where no node can start one; a cluster that has much to do starts it later.
    """
    ray: Any = load_ray()
    kept = {"name": name, "namespace": NAMESPACE, "lifetime": "detached", "get_if_exists": True}
    actor = ray.remote(Steward).options(num_cpus=0, max_restarts=-1, **kept)
    made = actor.remote(name, folder, submission, tasks, seconds, options)
    try:
        ray.get(made.size.remote(), timeout=PATIENCE)
    except ray.exceptions.GetTimeoutError:
        return
    except ray.exceptions.ActorDiedError as error:
        words = f"no node of the Ray cluster can start a job: {clean_line(error, 300)}"
        raise PrerequisiteError(words, "every node needs this agentsys, and the file system of the runs") from error


def ask(name: str, question: str, *values: object) -> Any:
    """Return what the actor of a submission answers; None where there is none (any more).

    Raises: PrerequisiteError where it does not answer in time.
    """
    ray: Any = load_ray()
    try:
        actor = ray.get_actor(name, namespace=NAMESPACE)
        return ray.get(getattr(actor, question).remote(*values), timeout=PATIENCE)
    except (ValueError, ray.exceptions.ActorDiedError):
        return None
    except (ray.exceptions.GetTimeoutError, ray.exceptions.ActorUnavailableError) as error:
        raise PrerequisiteError("the job's actor on the Ray cluster does not answer", "try again later") from error
