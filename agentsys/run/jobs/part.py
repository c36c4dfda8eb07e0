"""What one process of a job leaves: where it ran, what it wrote with the hashes of it, how it ended."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from agentsys.core.artifacts import Artifact
from agentsys.core.events import utc_now
from agentsys.core.files import sha256_bytes, write_json

BEGUN, ENDED, SEAL, OUTPUT, KEPT = "begun.json", "ended.json", "sealed.json", "output.log", "kept"
T = TypeVar("T", bound=Artifact)
_NAME = re.compile(r"(\d+)-(\d+)-(\d+)")


class Begun(Artifact):
    """Who writes a part."""

    host: str
    pid: int
    id: str
    """By the engine."""
    started: str


class Ended(Artifact):
    """How it came to an end by itself. What was killed leaves none of these."""

    how: Literal["done", "failed", "stopped"]
    reason: str = ""
    hint: str = ""
    exit_code: int = 0
    driver: str = Field(default="", description="of GPUs that do not run what is locked, where other builds might")
    finished: str


class Seal(Artifact):
    """The files of a reproduction that came to its end, by their SHA-256."""

    files: dict[str, str]


@dataclass(frozen=True)
class Part:
    """The folder of one process of a task; `number` counts its starts."""

    folder: Path
    submission: int
    task: int
    number: int

    @property
    def begun(self) -> Begun | None:
        return _read(self.folder / BEGUN, Begun)

    @property
    def ended(self) -> Ended | None:
        return _read(self.folder / ENDED, Ended)

    @property
    def newest(self) -> float:
        """When something was last written here, as the file system tells it."""
        files = [path for path in (self.folder, *self.folder.iterdir()) if path.exists()]
        return max(path.stat().st_mtime for path in files)

    def end(
        self,
        how: Literal["done", "failed", "stopped"],
        reason: str = "",
        hint: str = "",
        code: int = 0,
        driver: str = "",
    ) -> None:
        ended = Ended(how=how, reason=reason, hint=hint, exit_code=code, driver=driver, finished=utc_now())
        write_json(self.folder / ENDED, ended)

    def reproduction(self, number: int) -> Path:
        """Folder of the profile's results: paths in its logs are as in the run directory."""
        return self.folder / "reproductions" / f"{number:02d}"

    def seal(self, folder: Path) -> None:
        """Write the hashes of all files of a folder; with this it is whole."""
        hashes = {name: sha256_bytes(data) for name, data in files_below(folder).items()}
        write_json(self.folder / SEAL, Seal(files=hashes))

    def sealed(self, folder: Path) -> dict[str, bytes] | None:
        """Return the files of a folder if they are what was sealed; None where there is no seal, or they are not."""
        seal = _read(self.folder / SEAL, Seal)
        files = files_below(folder) if seal is not None else {}
        whole = seal is not None and {name: sha256_bytes(data) for name, data in files.items()} == seal.files
        return files if whole else None

    def overtaken(self) -> bool:
        """True once the same task was started anew: what runs here is no longer waited for."""
        return any(
            (part.submission, part.task) == (self.submission, self.task) and part.number > self.number
            for part in parts_in(self.folder.parent)
        )


def begin(parts: Path, submission: int, task: int, identity: str) -> Part:
    """Make the part of this process: making a folder succeeds for one alone, on shared file systems too."""
    parts.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = parts / f"{submission:02d}-{task:04d}-{number:02d}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
            continue
        part = Part(folder, submission, task, number)
        write_json(folder / BEGUN, Begun(host=socket.gethostname(), pid=os.getpid(), id=identity, started=utc_now()))
        return part


def parts_in(parts: Path) -> list[Part]:
    """Return all parts of a job, oldest submission first."""
    found = [(path, _NAME.fullmatch(path.name)) for path in sorted(parts.glob("*-*-*"))]
    return [Part(path, int(name[1]), int(name[2]), int(name[3])) for path, name in found if name]


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the regular files of a folder; none where it is not there."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _read(file: Path, model: type[T]) -> T | None:
    try:
        return model.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):  # not there, or another machine has not got all of it yet
        return None
