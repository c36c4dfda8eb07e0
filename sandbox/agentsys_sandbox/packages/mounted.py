"""A folder that is mounted into a sandbox from its start, and holds one environment at a time by hard links.

Making some ten thousand links takes longer than everything else. So a copy is handed on when it is no longer needed: it
was only ever seen read-only, and belongs to the next sandbox as it is.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from agentsys_sandbox.packages.bytecode import is_compiled

_INNER = ".copy"


class MountedCopy:
    """What a mounted folder holds. Calls block.

    Args:
        folder: on the file system of the environments; it stays the same, since a mount follows the folder itself.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment: Path | None = None
        self._compiled = False

    def hold(self, environment: Path) -> None:
        """Hold this environment and nothing else."""
        self.hand_on()
        _clear(self.folder)
        self._compiled = is_compiled(environment)
        if not self._take(environment):
            _link_new(environment, self.folder)
        self._environment = environment

    def complete(self, environment: Path) -> None:
        """Add bytecode that the environment has got meanwhile."""
        if environment == self._environment:
            _link_new(environment, self.folder)
            self._compiled = True

    def hand_on(self) -> None:
        """Keep what is held for another sandbox; the folder is empty then."""
        if self._environment is None:
            return
        copies, inner = _copies(self._environment, self._compiled), self.folder / _INNER
        self._environment = None
        with suppress(OSError):  # then it is made again one day
            copies.mkdir(exist_ok=True)
            inner.mkdir()
            for path in list(self.folder.iterdir()):
                if path != inner:
                    path.rename(inner / path.name)
            inner.rename(copies / secrets.token_hex(8))  # at once and whole, or not at all

    def _take(self, environment: Path) -> bool:
        """True if there was a copy; of two who want the same only one gets it."""
        copies, inner = _copies(environment, self._compiled), self.folder / _INNER
        for copy in copies.iterdir() if copies.is_dir() else ():
            with suppress(FileNotFoundError):
                copy.rename(inner)
                for path in list(inner.iterdir()):
                    path.rename(self.folder / path.name)
                inner.rmdir()
                return True
        return False


def _copies(environment: Path, compiled: bool) -> Path:
    return environment.with_name(f"{environment.name}.copies{'-compiled' if compiled else ''}")


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _link_new(source: Path, target: Path) -> None:
    """Add what `target` lacks of `source`. Each file appears at once and whole."""
    for folder, folders, names in os.walk(source):
        place = os.path.join(target, os.path.relpath(folder, source))  # noqa: PTH118
        os.makedirs(place, mode=0o755, exist_ok=True)  # noqa: PTH103
        os.chmod(place, 0o755)  # noqa: PTH101 -- whatever the umask
        for name in (*names, *(each for each in folders if os.path.islink(os.path.join(folder, each)))):  # noqa: PTH114, PTH118
            _link(os.path.join(folder, name), os.path.join(place, name))  # noqa: PTH118


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        return
    except OSError:  # another file system, or more links than a file may have
        shutil.copy2(source, target, follow_symlinks=False)
