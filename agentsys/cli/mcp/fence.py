"""Which files a client may name: those below the folders that the user named when the server was started."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from agentsys.core.errors import UsageError
from agentsys.core.rundir import RunDir, find

_RUN = re.compile(r"[A-Za-z0-9._-]+")


class Fence:
    """Resolves what a client names. Links count as what they lead to.

    Raises: UsageError where a folder is not there.
    """

    def __init__(self, folders: Sequence[Path], runs_dir: Path) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise UsageError(f"`{folder}` is not a folder", "name the folders of papers and repositories")
        self.folders = [folder.resolve() for folder in folders]
        self.runs_dir = runs_dir.resolve()

    def file(self, name: str) -> Path:
        """Return a file or folder that is there; a relative path begins at the first folder. Raises: UsageError."""
        try:
            place = (self.folders[0] / name).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            place = None
        # One message for both: it must not tell what lies outside.
        if place is None or not any(place.is_relative_to(folder) for folder in self.folders):
            named = ", ".join(f"`{folder}`" for folder in self.folders)
            raise UsageError(f"`{name[:200]}` is not there, or lies outside of the folders {named}")
        return place

    def run(self, name: str) -> RunDir:
        """Return a run by id, unique part of one, or `latest`. Raises: UsageError."""
        if not _RUN.fullmatch(name):
            raise UsageError("a run is named by its id", "`list_runs` has them")
        found = find(self.runs_dir, name)
        if found.path.parent != self.runs_dir:  # such as a folder of that name in the working folder
            raise UsageError(f"`{name}` is no run of `{self.runs_dir}`", "`list_runs` has them")
        return found
