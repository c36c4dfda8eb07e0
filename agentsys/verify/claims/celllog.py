"""`claims/cells.jsonl`: one line for each cell that was run; what stands there is not run again."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import ValidationError

from agentsys.core.artifacts import Artifact
from agentsys.core.files import sha256_bytes, write_atomic
from agentsys.verify.claims.cells import Case, Cell

FILE = "cells.jsonl"
FOLDER = "cells"


class Done(Artifact):
    """A cell that was run: its command, how it ended, what it took, and the hash of the rows that it wrote."""

    claim: str
    case: Case
    seed: int
    setting: dict[str, str]
    stamp: str
    """Hash of the code and of the claim's program."""
    command: tuple[str, ...]
    outcome: str
    exit_code: int | None = None
    seconds: float
    cpu_seconds: float
    sha256: str = ""
    """Of the rows; empty where none are of use."""
    fault: str = ""
    where: str = ""
    """The machine and job, where it was not run beside the run."""
    data: str = ""
    """Identity of the data that it was shown; empty where it was shown none."""

    def stands(self, data: str) -> bool:
        """False for a cell that failed where it did not see the data that there is now."""
        return not self.fault or self.data == data

    @property
    def cell(self) -> Cell:
        return Cell(self.claim, self.case, self.seed, tuple(self.setting.items()))


class CellLog:
    """The cells of a run's claims. A line counts only as long as its rows are there, as they were."""

    def __init__(self, claims: Path) -> None:
        self._file = claims / FILE
        self._rows = claims / FOLDER
        self._done: dict[tuple[str, str], Done] = {}
        self.spent = 0.0
        """CPU seconds of all cells so far."""
        self.used: dict[str, float] = {}
        """The same by claim."""
        self.longest: dict[str, float] = {}
        """CPU seconds of the longest cell so far, by claim."""
        raw = self._file.read_bytes() if self._file.is_file() else b""
        whole = raw[: raw.rfind(b"\n") + 1]
        if whole != raw:  # the process was killed while it wrote
            write_atomic(self._file, whole)
        for done in _parsed(whole):
            self._take(done)

    def done(self, cell: Cell, stamp: str) -> Done | None:
        """Return how a cell ended; None where it is to be run: also where its rows are gone or altered."""
        found = self._done.get((cell.name, stamp))
        return found if found is not None and intact(self._rows.parent, found) else None

    def rows(self, cell: Cell, stamp: str) -> Path:
        """Return the file of a cell's rows."""
        return rows_file(self._rows.parent, cell, stamp)

    def append(self, done: Done) -> None:
        """Write a line, on the disk before this returns."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done.model_dump(mode="json"), ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._take(done)

    def _take(self, done: Done) -> None:
        self._done[done.cell.name, done.stamp] = done
        self.spent += done.cpu_seconds
        self.used[done.claim] = self.used.get(done.claim, 0.0) + done.cpu_seconds
        self.longest[done.claim] = max(done.cpu_seconds, self.longest.get(done.claim, 0.0))


def read_log(claims: Path) -> list[Done]:
    """Return the lines of a log that another process may still write to; see `intact` for their rows."""
    file = claims / FILE
    raw = file.read_bytes() if file.is_file() else b""
    return _parsed(raw[: raw.rfind(b"\n") + 1])


def count_lines(claims: Path) -> int:
    """Return how many cells a log names, without reading what it says of them."""
    file = claims / FILE
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def rows_file(claims: Path, cell: Cell, stamp: str) -> Path:
    """Return the file of a cell's rows."""
    return claims / FOLDER / f"{cell.name}-{stamp[:12]}.csv"


def intact(claims: Path, done: Done) -> bool:
    """False where a cell has rows, and they are not there or not those whose hash was noted."""
    file = rows_file(claims, done.cell, done.stamp)
    return not done.sha256 or (file.is_file() and sha256_bytes(file.read_bytes()) == done.sha256)


def _parsed(raw: bytes) -> list[Done]:
    found: list[Done] = []
    for line in raw.splitlines():
        try:
            found.append(Done.model_validate_json(line))
        except ValidationError:
            continue
    return found
