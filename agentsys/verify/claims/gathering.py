"""The rows of cells put together: those that are judged, and those that a checker's are held against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agentsys.core.files import write_atomic
from agentsys.verify.claims.celllog import CellLog
from agentsys.verify.claims.cells import Cell
from agentsys.verify.claims.running import Trial
from agentsys.verify.claims.standalone.rows import MOST_NAMES, MOST_ROWS, Rows, read_rows


def judged_rows(trials: Sequence[Trial], log: CellLog, folder: Path) -> list[Path]:
    """Put the rows of complete scales together, a file a claim; return the files.

    Where they are more than one record holds, the largest scales of the claims with most rows do not count.
    """
    _fit(trials, log)
    files: list[Path] = []
    for trial in trials:
        cells = trial.climb.judged(trial.complete)
        parts_ = [log.rows(cell, trial.stamp).read_bytes().replace(b"\r\n", b"\n").partition(b"\n") for cell in cells]
        if not parts_:
            continue
        bodies = (body if body.endswith(b"\n") else body + b"\n" for _, _, body in parts_)
        file = folder / f"{trial.contract.claim}.csv"
        write_atomic(file, parts_[0][0] + b"\n" + b"".join(bodies))
        files.append(file)
    return files


def rows_so_far(trial: Trial, cells: Sequence[Cell], log: CellLog) -> Rows:
    """Return the rows of those of some cells that are done."""
    done = [cell for cell in cells if (row := log.done(cell, trial.stamp)) is not None and row.sha256]
    return read_rows([log.rows(cell, trial.stamp) for cell in done])


def _fit(trials: Sequence[Trial], log: CellLog) -> None:
    sizes = {id(trial): _sizes(trial, log) for trial in trials}
    rows, names = MOST_ROWS, MOST_NAMES
    for trial in sorted((one for one in trials if one.complete), key=lambda one: sizes[id(one)][-1]):
        fitting = [size for size in sizes[id(trial)] if size[0] <= rows and size[1] <= names]
        if len(fitting) < trial.complete:
            words = f"the rows of {trial.complete} scales are more than the record has room for: {len(fitting)} count"
            trial.fault = "; ".join(filter(None, (trial.fault, words)))
            trial.complete = len(fitting)
        if fitting:
            rows, names = rows - fitting[-1][0], names - fitting[-1][1]


def _sizes(trial: Trial, log: CellLog) -> list[tuple[int, int]]:
    """Return the number of rows, and of different settings, that count after each scale."""
    found: list[tuple[int, int]] = []
    rows, names = 0, 0
    for level in trial.climb.levels[: trial.complete]:
        number, settings = 0, set[bytes]()
        for cell in level:
            lines = log.rows(cell, trial.stamp).read_bytes().splitlines()[1:]
            number += len(lines)
            settings |= {line.split(b",", 3)[2] for line in lines if line.count(b",") > 2}
        alone = trial.climb.replaces
        rows, names = (number, len(settings)) if alone else (rows + number, names + len(settings))
        found.append((rows, names))
    return found
