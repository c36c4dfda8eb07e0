"""`data.lock.json` of a repository: what its data is, file by file. The first fetch pins it, later ones must match."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError, field_validator

from agentsys.core.artifacts import Artifact, DataKind, DataSource
from agentsys.core.errors import UnsafePath, UsageError
from agentsys.core.files import write_json
from agentsys.core.paths import clean_name

FILE = "data.lock.json"
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Pinned(Artifact):
    """One source as it was when it was first fetched."""

    kind: DataKind
    what: str = "data"
    identifier: str
    revision: str = Field(default="", description="commit, where the source has such")
    asked: tuple[str, ...] = Field(default=(), description="`files` of the plan")
    licence: str = ""
    fetched: dict[str, Sha256] = Field(default={}, description="address -> hash of what came from there")
    files: dict[str, Sha256] = Field(min_length=1, description="path below `data/NAME` -> hash")
    size: int = Field(default=0, description="bytes of all files")
    left_out: dict[str, str] = Field(default={}, description="members of archives that were not taken -> why")

    @field_validator("files")
    @classmethod
    def _plain(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            if clean_name(name) != name:
                raise ValueError(f"`{name}` is no plain path")
        return files

    def is_of(self, source: DataSource) -> bool:
        """True if this is the source that a plan names, whatever is in it."""
        mine = self.kind, self.what, self.identifier, self.asked
        same = mine == (source.kind, source.what, source.identifier, source.files)
        return same and (
            not source.revision or self.revision.startswith(source.revision) or source.kind != "huggingface"
        )


class DataLock(Artifact):
    """All pinned sources of a repository, by name."""

    version: int = 1
    sources: dict[str, Pinned] = Field(default={}, description="name below `data/` -> its pin")

    def of(self, source: DataSource) -> Pinned | None:
        """Return the pin of a planned source; None where it has none, or has one of another source."""
        pinned = self.sources.get(source.name)
        return pinned if pinned is not None and pinned.is_of(source) else None


def read_lock(repo: Path) -> DataLock:
    """Return the pins of a repository; none where there is no file. Raises: UsageError where it is damaged."""
    file = repo / FILE
    if not file.is_file():
        return DataLock()
    try:
        return DataLock.model_validate_json(file.read_bytes())
    except (ValidationError, ValueError, UnsafePath) as error:
        words = str(error).splitlines()[0]
        raise UsageError(
            f"`{file}` is damaged: {words}", "take it from git, or remove it to pin the data anew"
        ) from error


def pin(repo: Path, name: str, pinned: Pinned) -> None:
    """Write the pin of one source."""
    lock = read_lock(repo)
    if lock.sources.get(name) != pinned:
        write_json(repo / FILE, DataLock(sources={**lock.sources, name: pinned}))
