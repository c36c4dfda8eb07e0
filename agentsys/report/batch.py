"""What became of many papers: a row for each, what repeats among the failures, and the exit code of all together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from agentsys.core.errors import EXIT_CODES, Status
from agentsys.core.files import write_atomic, write_json
from agentsys.core.rundir import RunDir
from agentsys.core.text import clean_line
from agentsys.report.claims import scoreboard
from agentsys.report.data import collect
from agentsys.report.ending import code_of
from agentsys.report.verdict import decisive, effective_status

SAID_FIRST = (1, 3, 4, 7, 2, 6, 5)
"""Exit codes of failures, those first that concern more than one paper, or that a person can put right at once."""


class Row(BaseModel):
    """One paper: how its run ended, and what it took."""

    model_config = ConfigDict(extra="ignore")

    key: str
    paper: str
    """As the list names it."""
    title: str = ""
    run: str = ""
    """Path of its run directory; empty where none was made."""
    status: Status = "interrupted"
    exit_code: int = 130
    code: str = ""
    """Why it ended (`core.errors.ReasonCode`), or the kind of the error that kept it from a run."""
    reason: str = ""
    hint: str = ""
    failed: tuple[str, ...] = ()
    """Checks that the delivered code did not pass."""
    claims: dict[str, int] = Field(default_factory=dict[str, int])
    """Number of claims by their verdict; the empty one is for those not judged."""
    scoreboard: str = ""
    calls: int = 0
    tokens: int = 0
    cost: float | None = 0.0
    """US dollars; None where a price is unknown."""
    seconds: float = 0.0
    """Time worked, all processes of the run together."""
    rounds: int = 0
    where: str = ""
    """Host of the worker."""
    peak_mb: float = 0.0
    """Most memory that the worker's own process held so far, in MB."""
    asked: list[int | str] = Field(default_factory=list[int | str])
    """Rounds and last stage that were asked for: with others an unverified paper goes on."""
    workers_lost: int = 0
    """Workers that were killed while they had it."""

    @property
    def verified(self) -> bool:
        return self.status == "verified"


class Repeated(BaseModel):
    """Failures of the same kind."""

    code: str
    checks: tuple[str, ...] = ()
    """Checks that failed in all of them."""
    papers: tuple[str, ...] = ()
    reason: str = ""
    """Of the first."""


class Batch(BaseModel):
    """The content of batch.json."""

    schema_version: int = 1
    id: str
    papers: str
    """The file or folder that lists them."""
    workers: int
    where: str
    budget: float | None = None
    """US dollars for all papers together."""
    started: str
    finished: str = ""
    seconds: float = 0.0
    """Wall time of this process."""
    exit_code: int | None = None
    cost: float | None = 0.0
    calls: int = 0
    statuses: dict[str, int] = Field(default_factory=dict[str, int])
    repeated: list[Repeated] = Field(default_factory=list[Repeated])
    rows: list[Row] = Field(default_factory=list[Row])

    def taken(self, rows: Sequence[Row]) -> Batch:
        """Return it with these rows and what they add up to."""
        costs = [row.cost for row in rows]
        known = [cost for cost in costs if cost is not None]
        return self.model_copy(
            update={
                "rows": list(rows),
                "statuses": dict(Counter(row.status for row in rows)),
                "cost": round(sum(known), 6) if len(known) == len(costs) else None,
                "calls": sum(row.calls for row in rows),
                "repeated": repeated(rows),
            }
        )


def row_of(run: RunDir, key: str, paper: str) -> Row:
    """Read how a run ended, by the evidence on disk."""
    data = collect(run)
    record, status = data.record, effective_status(data)
    verdict = decisive(data) if status != "verified" else None
    failed = [check.name for check in verdict.checks if check.state != "passed"] if verdict is not None else []
    signalled = status == "interrupted" and record.exit_code is not None
    return Row(
        key=key,
        paper=paper,
        title=record.title,
        run=str(run.path),
        status=status,
        exit_code=record.exit_code if signalled and record.exit_code else EXIT_CODES.get(status, 1),
        code=code_of(record) if status == record.status else "not_verified",
        reason=record.reason,
        hint=record.hint,
        failed=tuple(failed),
        claims=dict(Counter(row.verdict for row in data.claims)),
        scoreboard=scoreboard(data.claims),
        calls=record.usage.calls,
        tokens=record.usage.prompt + record.usage.completion,
        cost=None if record.usage.cost is None else round(record.usage.cost, 6),
        seconds=round(sum(record.seconds.values()), 1),
        rounds=record.rounds,
    )


def repeated(rows: Sequence[Row]) -> list[Repeated]:
    """Put failures of the same kind together, the most frequent first: the same code, then the same failed checks."""
    groups: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
    for row in rows:
        if not row.verified:
            groups.setdefault((row.code or row.status, row.failed), []).append(row)
    found = [
        Repeated(code=code, checks=checks, papers=tuple(row.paper for row in group), reason=group[0].reason)
        for (code, checks), group in groups.items()
    ]
    return sorted(found, key=lambda item: -len(item.papers))


def exit_code(rows: Sequence[Row]) -> int:
    """Return 0 if every paper is verified, else the code of the failure that is said first."""
    codes = {row.exit_code for row in rows if not row.verified}
    return next((code for code in SAID_FIRST if code in codes), next(iter(codes), 0))


def write_batch(batch: Batch, folder: Path) -> None:
    """Write `batch.json` and `batch.html`."""
    write_json(folder / "batch.json", batch)
    write_atomic(folder / "batch.html", html(batch, folder))


def html(batch: Batch, folder: Path) -> str:
    """Return the page: one file that asks for nothing, with a link to the page of each run."""
    from agentsys.report.view.onefile import style_policy
    from agentsys.report.view.render import render

    links = {row.key: _link(row, folder) for row in batch.rows}
    values = {"batch": batch, "links": links, "policy": style_policy()}
    return render("batch.html", values)


def _link(row: Row, folder: Path) -> str:
    """Return the address of a run's page beside the batch's folder, or of where it lies; empty where there is none."""
    from urllib.parse import quote

    page = Path(row.run) / "report.html"
    if not row.run or not page.is_file():
        return ""
    beside = page.parent.parent == folder.parent.resolve()
    return quote(f"../{page.parent.name}/report.html") if beside else page.as_uri()


def line(row: Row) -> str:
    """Return how a paper ended, in a few words."""
    failed = f" ({', '.join(row.failed[:4])} failed)" if row.failed else ""
    return clean_line(row.scoreboard if row.verified else f"{row.reason}{failed}", 200)
