"""Many runs: a list that sorts, and two of them side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from agentsys.core.numbers import clock, dollars
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord
from agentsys.report import facts, ledger
from agentsys.report.claim_reading import read_verdicts
from agentsys.report.claims import scoreboard_of
from agentsys.report.data import ReportData
from agentsys.report.reading import Problems
from agentsys.report.verdict import effective_status, headline
from agentsys.report.view.source import Source

Pairs = list[tuple[str, str, str]]
COLUMNS = (
    ("title", "paper and run", ""),
    ("status", "status", ""),
    ("claims", "claims", ""),
    ("began", "began", ""),
    ("seconds", "time", "n"),
    ("model", "model", ""),
    ("calls", "calls", "n"),
    ("price", "cost", "n"),
    ("rounds", "rounds", "n"),
)
"""What the list is sorted by, the head of that column, and `n` where it holds numbers."""


@dataclass(frozen=True)
class RunRow:
    """One run of the list. `seconds` is the wall time of all stages, `price` US dollars, -1 where it is unknown."""

    id: str
    address: str
    began: str = ""
    status: str = "damaged"
    seconds: float = 0.0
    model: str = ""
    calls: int = 0
    price: float = -1.0
    rounds: int = 0
    title: str = ""
    claims: str = ""

    @property
    def took(self) -> str:
        return clock(self.seconds)

    @property
    def cost(self) -> str:
        return "unknown" if self.price < 0 else dollars(self.price)


def run_row(run: RunDir, address: str) -> RunRow:
    """Return the line of a run; one whose record is damaged is shown as such."""
    try:
        record = run.state()
    except (OSError, ValidationError):
        return RunRow(run.path.name, address)
    used = record.usage
    return RunRow(
        id=run.path.name,
        address=address,
        began=record.started.replace("T", " ").rstrip("Z"),
        status=record.status,
        seconds=sum(record.seconds.values()),
        model=model_words(record),
        calls=used.calls,
        price=-1.0 if used.cost is None else used.cost,
        rounds=record.rounds,
        title=record.title,
        claims=scoreboard_of([row.verdict for row in read_verdicts(run, Problems()).values()]),
    )


def model_words(record: RunRecord) -> str:
    """Return the model of a run."""
    chosen = record.settings.get("model")
    return "replayed" if record.recording else str(chosen.value) if chosen is not None and chosen.value else ""


def ordered(rows: Sequence[RunRow], key: str, down: bool) -> list[RunRow]:
    """Return the rows sorted by a column; an unknown one leaves the newest first."""
    if key not in {column[0] for column in COLUMNS}:
        return sorted(rows, key=lambda row: row.began, reverse=True)
    return sorted(rows, key=lambda row: getattr(row, key), reverse=down)


def compare(first: Source, second: Source) -> list[tuple[str, Pairs]]:
    """Return what two runs say of the same things, in groups. Raises: UsageError."""
    left, right = first.data, second.data
    groups: list[tuple[str, Callable[[ReportData], dict[str, str]]]] = [
        ("the run", _run),
        ("claims", lambda data: {row.claim: row.verdict or "not judged" for row in data.claims}),
        (
            "checks",
            lambda data: {c.name: c.state.replace("_", " ") for c in data.verdict.checks} if data.verdict else {},
        ),
        ("numbers", _numbers),
        ("requirements", _requirements),
    ]
    return [(name, rows) for name, read in groups if (rows := _pairs(read(left), read(right)))]


def _run(data: ReportData) -> dict[str, str]:
    rows = {"status": effective_status(data), "verdict": headline(data)}
    return rows | dict(facts.overview(data)) | {"model": model_words(data.record)}


def _numbers(data: ReportData) -> dict[str, str]:
    """By metric and the paper's number: ids are given anew in every plan."""
    return {
        f"{row.expected.metric} (paper {facts.claim_words(row.expected)})": (
            facts.grade_words(row) if row.measured is None else f"{row.measured:g}, {facts.grade_words(row)}"
        )
        for row in data.measured
    }


def _requirements(data: ReportData) -> dict[str, str]:
    rows = data.plan.requirements if data.plan is not None else ()
    return {row.what: ledger.evidence_cell(data.evidence, row.id) for row in rows}


def _pairs(left: dict[str, str], right: dict[str, str]) -> Pairs:
    return [(name, left.get(name, ""), right.get(name, "")) for name in dict.fromkeys((*left, *right))]
