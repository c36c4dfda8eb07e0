"""One paper as it is handed to a worker, and the file in which the worker keeps what became of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ValidationError

from agentsys.core.errors import AgentsysError
from agentsys.core.files import write_json
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import SettingValue
from agentsys.core.settings import Settings
from agentsys.llm.ledger import Line
from agentsys.report.batch import Row


class Job(BaseModel):
    """All that a worker needs; plain data, so that it can be sent."""

    key: str
    name: str
    """Path, number or address of the paper."""
    request: str = ""
    settings: Settings
    sources: dict[str, SettingValue] = {}
    """Where each setting came from, for the record of a new run."""
    file: Path
    """Where the worker keeps the paper's row."""
    run: Path | None = None
    """The run that is gone on with."""
    sure: bool = False
    most: int
    """Requests that all papers together may have under way."""


def kept_row(file: Path) -> Row | None:
    """Return what a worker wrote, if its run is still there: where it was, or beside a batch that was moved with it."""
    try:
        row = Row.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None
    places = [Path(row.run), file.parent.parent.parent / Path(row.run).name]
    there = next((place for place in places if (place / "run.json").is_file()), None)
    if row.run and there is None:
        return None
    return row.model_copy(update={"run": str(there)}) if row.run else row


def keep_row(file: Path, row: Row) -> None:
    """Write a row; what it says lasts longer than this process."""
    write_json(file, row)


def failed_row(key: str, name: str, error: AgentsysError, run: str = "") -> Row:
    """Return the row of a paper that an expected failure kept from a run, or from going on with it."""
    return Row(
        key=key,
        paper=name,
        run=run,
        status=error.status,
        exit_code=error.exit_code,
        code=error.code or type(error).__name__,
        reason=error.message,
        hint=error.hint,
    )


def spent_on(run: Path) -> float:
    """Return the US dollars in the ledger of a run, which somebody may be writing; unknown prices count nothing."""
    try:
        lines = (RunDir(run).llm / "ledger.jsonl").read_bytes().splitlines()
    except FileNotFoundError:
        return 0.0
    total = 0.0
    for line in lines:
        with suppress(ValidationError):  # the last one may be half written
            total += Line.model_validate_json(line).price or 0.0
    return total
