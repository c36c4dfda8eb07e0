"""The run directory: where everything lies, who owns it, and how a run is found again."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from agentsys.core.errors import RunInUse, UsageError
from agentsys.core.files import sweep, write_json
from agentsys.core.runrecord import RunRecord

LATEST = "latest"
"""Link to the newest run, and an id that every command takes."""
PARTS = "parts"
"""Folder of a job in which other processes write, who have no lock."""


class RunDir:
    """Paths below one run, its record, and its lock. Reading needs no lock; writing does."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.record_file = self.path / "run.json"
        self.events_file = self.path / "events.jsonl"
        self.paper = self.path / "paper"
        self.plan = self.path / "plan"
        self.claims = self.path / "claims"
        self.analysis = self.path / "analysis"
        self.repo = self.path / "repo"
        self.rounds = self.path / "rounds"
        self.audit = self.path / "audit"
        self.llm = self.path / "llm"
        self.reproductions = self.path / "reproductions"
        self._lock: int | None = None

    def round(self, number: int) -> Path:
        """Folder of one verification, counted from 1."""
        return self.rounds / f"{number:02d}"

    # -- record --------------------------------------------------------------------------------------------------------

    def read(self) -> RunRecord:
        """Read run.json as it is stored; see `state` for what the user should be shown."""
        return RunRecord.model_validate_json(self.record_file.read_bytes())

    def write(self, record: RunRecord) -> None:
        """Replace run.json."""
        write_json(self.record_file, record)

    def state(self) -> RunRecord:
        """Read run.json; a run that says `running` but whose process is gone is shown as interrupted."""
        record = self.read()
        if record.status == "running" and not _alive(record.pid, record.pid_started):
            record = record.model_copy(
                update={"status": "interrupted", "reason": "the process ended without finishing the run"}
            )
        return record

    # -- lock ----------------------------------------------------------------------------------------------------------

    def lock(self) -> None:
        """Take the run for this process, and clear away what a killed one left half-written.

        The kernel frees the lock when the process ends, however it ends.

        Raises: UsageError if another process has it.
        """
        handle = _locked(self.path / ".lock")
        if handle is None:
            raise RunInUse(
                f"run `{self.path.name}` is in use by another process", "wait for it, or stop it, then try again"
            )
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._lock = handle
        sweep(self.path, spared=PARTS)

    def remove(self) -> None:
        """Remove the run with everything in it; the lock, which must be held, goes with it. Raises: OSError."""
        latest = self.path.parent / LATEST
        try:
            if latest.is_symlink() and latest.resolve() == self.path:
                latest.unlink()
            shutil.rmtree(self.path)
        finally:
            self.unlock()

    def unlock(self) -> None:
        """Give the run back and remove the lock file, while the lock is still held: see `_locked`."""
        if self._lock is not None:
            (self.path / ".lock").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None


def create(runs_dir: Path, title: str) -> RunDir:
    """Make a new run directory, named by date, title and four random digits, and point `latest` at it."""
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-") or "paper"
    name = f"{datetime.now(UTC):%Y-%m-%d}-{slug}-{secrets.token_hex(2)}"
    path = runs_dir / name
    path.mkdir(parents=True)
    _point_latest(runs_dir, name)
    return RunDir(path)


def find(runs_dir: Path, run: str = "") -> RunDir:
    """Find a run by path, by id, by a unique part of its id, or the latest one (no name, or `latest`).

    Raises: UsageError if none or more than one fits.
    """
    if run and (Path(run) / "run.json").is_file():
        return RunDir(Path(run))
    known = all_runs(runs_dir)
    if run in ("", LATEST):
        if not known:
            raise UsageError(f"there is no run in `{runs_dir}`", "start one with `agentsys implement PAPER`")
        latest = runs_dir / LATEST / "run.json"
        return RunDir(latest.parent) if latest.is_file() else known[-1]
    hits = [item for item in known if item.path.name == run] or [item for item in known if run in item.path.name]
    if len(hits) == 1:
        return hits[0]
    what = "fits no run" if not hits else f"fits {len(hits)} runs"
    raise UsageError(f"`{run}` {what} in `{runs_dir}`", "`agentsys runs list` shows them")


def all_runs(runs_dir: Path) -> list[RunDir]:
    """Return every run below `runs_dir`, oldest first."""
    found = [RunDir(file.parent) for file in runs_dir.glob("*/run.json") if not file.parent.is_symlink()]
    return sorted(found, key=lambda item: item.record_file.stat().st_ctime_ns)


def process_start(pid: int) -> float | None:
    """Return when a process started (clock ticks since boot), or None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return float(stat.rpartition(")")[2].split()[19])


def _locked(file: Path) -> int | None:
    """Open and lock a file; None where another process has it.

    Who had the lock before may have removed the file between our opening it and our locking it. A lock on a file
    without a name keeps nobody out, so it counts only if the name still leads to the file that is locked.
    """
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            os.close(handle)
            raise
        if _names(file, handle):
            return handle
        os.close(handle)


def _names(file: Path, handle: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _alive(pid: int | None, started: float | None) -> bool:
    if pid is None:
        return False
    now = process_start(pid)
    return now is not None and (started is None or now == started)


def _point_latest(runs_dir: Path, name: str) -> None:
    temporary = runs_dir / f".latest-{secrets.token_hex(4)}"
    temporary.symlink_to(name)
    temporary.replace(runs_dir / LATEST)
