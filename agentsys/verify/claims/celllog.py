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


class CellLog:
    """The cells of a run's claims. A line counts only as long as its rows are there, as they were."""

    def __init__(self, claims: Path) -> None:
        self._file = claims / FILE
        self._rows = claims / FOLDER
        self._done: dict[tuple[str, str], Done] = {}
        self.spent = 0.0
        """CPU seconds of all cells so far."""
        self.longest: dict[str, float] = {}
        """CPU seconds of the longest cell so far, by claim."""
        raw = self._file.read_bytes() if self._file.is_file() else b""
        whole = raw[: raw.rfind(b"\n") + 1]
        if whole != raw:  # the process was killed while it wrote
            write_atomic(self._file, whole)
        for line in whole.splitlines():
            try:
                self._take(Done.model_validate_json(line))
            except ValidationError:
                continue

    def done(self, cell: Cell, stamp: str) -> Done | None:
        """Return how a cell ended; None where it is to be run: also where its rows are gone or altered."""
        found = self._done.get((cell.name, stamp))
        if found is None or (found.sha256 and not self._intact(self.rows(cell, stamp), found.sha256)):
            return None
        return found

    def rows(self, cell: Cell, stamp: str) -> Path:
        """Return the file of a cell's rows."""
        return self._rows / f"{cell.name}-{stamp[:12]}.csv"

    def append(self, done: Done) -> None:
        """Write a line, on the disk before this returns."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done.model_dump(mode="json"), ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._take(done)

    def _take(self, done: Done) -> None:
        cell = Cell(done.claim, done.case, done.seed, tuple(done.setting.items()))
        self._done[cell.name, done.stamp] = done
        self.spent += done.cpu_seconds
        self.longest[done.claim] = max(done.cpu_seconds, self.longest.get(done.claim, 0.0))

    @staticmethod
    def _intact(file: Path, digest: str) -> bool:
        return file.is_file() and sha256_bytes(file.read_bytes()) == digest
