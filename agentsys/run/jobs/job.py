"""A job on disk: `reproductions/NN/job.json`, the cells of each submission, and the parts that tasks write.

Only who holds the run's lock writes job.json. A part is written by one process, on whichever machine that is, and by no
other: a task that is started again gets a part of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from agentsys.core.artifacts import Artifact
from agentsys.core.files import write_json
from agentsys.core.rundir import PARTS, RunDir
from agentsys.core.settings import Settings
from agentsys.run.jobs.engine import Need

FILE = "job.json"
CANCELLED = "cancelled"
"""While this file is there, tasks stop."""

Profile = Literal["full", "smoke", "claims"]
JobState = Literal["open", "done", "failed", "cancelled"]


class Submission(Artifact):
    """Tasks that were handed to the engine together."""

    name: str
    ids: tuple[str, ...] = Field(default=(), description="of the tasks; none while it is not known whether it was made")
    tasks: int
    at: str
    known: int = Field(description="cells that were done before it")


class Job(Artifact):
    """What is asked for, what was submitted, and how it ended."""

    schema_version: int = 1
    number: int
    profile: Profile
    engine: str
    tree: str = Field(description="hash of the code that is run")
    settings: dict[str, object]
    need: Need
    timeout: float = Field(description="seconds of each command")
    builds: str = Field(default="", description="builds in place of those locked, whose lock lies beside this file")
    cells: int = Field(default=0, description="cells that were missing when the job was made")
    submissions: tuple[Submission, ...] = ()
    state: JobState = "open"
    reason: str = ""
    hint: str = ""
    exit_code: int = 0

    def load_settings(self) -> Settings:
        """Return the settings of the sandbox."""
        return Settings.model_validate(self.settings)


class Place:
    """The folder of a job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = RunDir(folder.parent.parent)
        self.parts = folder / PARTS

    def read(self) -> Job:
        return Job.model_validate_json((self.folder / FILE).read_bytes())

    def write(self, job: Job) -> None:
        write_json(self.folder / FILE, job)

    def write_cells(self, submission: int, names: list[str]) -> None:
        """Keep which cells a submission is for; task `k` of `n` has every n-th from the k-th on."""
        write_json(self.folder / f"cells-{submission}.json", names)

    def cells(self, submission: int) -> list[str]:
        return json.loads((self.folder / f"cells-{submission}.json").read_bytes())

    @property
    def cancelled(self) -> bool:
        return (self.folder / CANCELLED).exists()


def jobs_of(run: RunDir) -> list[tuple[Place, Job]]:
    """Return the jobs of a run, oldest first."""
    places = [Place(file.parent) for file in sorted(run.reproductions.glob(f"[0-9]*/{FILE}"))]
    return [(place, place.read()) for place in places]
