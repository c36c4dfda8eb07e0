"""A job whose nodes have GPUs that do not run what is locked: other builds are chosen here, and sent after it."""

from __future__ import annotations

from collections.abc import Sequence

from agentsys.core.files import write_atomic
from agentsys.run.jobs.job import Job, Place
from agentsys.run.jobs.node import backend_here
from agentsys.run.jobs.part import Part
from agentsys.run.reproduce import BUILDS, Code, chosen_builds
from agentsys.verify.checks.install import LOCK


def oldest_driver(parts: Sequence[Part], submission: int, known: str) -> str:
    """Return the oldest driver on which a task of a submission could not run what it was given; empty for none.

    What runs on an old driver runs on newer ones too.

    Args:
        known: the driver for which builds were chosen before; one that is no older is not answered.
    """
    ends = [part.ended for part in parts if part.submission == submission]
    found = {ended.driver for ended in ends if ended is not None and ended.driver}
    oldest = min(found, key=_parts, default="")
    return oldest if oldest and (not known or _parts(oldest) < _parts(known)) else ""


async def for_driver(place: Place, job: Job, code: Code, driver: str) -> Job:
    """Have builds for a driver where tasks find them, and return the job that takes them.

    Args:
        code: with what was verified.

    Raises: SandboxUnavailable.
    """
    settings = backend_here(job.load_settings().model_copy(update={"gpu": False}), offline=True)
    builds = await chosen_builds(driver, place.run, settings, code, place.folder / BUILDS)
    write_atomic(place.folder / LOCK, builds.lock)
    return job.model_copy(update={"builds": builds.words, "settings": {**job.settings, "gpu_driver": driver}})


def _parts(driver: str) -> tuple[int, ...]:
    return tuple(int(part) for part in driver.split("."))
