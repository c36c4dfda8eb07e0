"""What the first screen says of a run at one glance: a few numbers, each with the view that shows what is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentsys.core.numbers import clock, count, dollars, plural
from agentsys.report.claims import scoreboard
from agentsys.report.data import ReportData


@dataclass(frozen=True)
class Tile:
    """One number: `label` says of what; `tone` is `good`, `bad` or nothing; `view` is where it leads."""

    label: str
    value: str
    more: str = ""
    view: str = ""
    tone: str = ""


def tiles(data: ReportData) -> list[Tile]:
    """Return the numbers of a run; what it does not have is left out."""
    return [*_claims(data), *_checks(data), *_evidence(data), *_numbers(data), *_used(data)]


def _claims(data: ReportData) -> Iterator[Tile]:
    if data.claims:
        verified = sum(1 for row in data.claims if row.verdict == "verified")
        whole = verified == len(data.claims)
        yield _share("claims verified", verified, len(data.claims), "", "" if whole else scoreboard(data.claims))


def _checks(data: ReportData) -> Iterator[Tile]:
    if data.verdict is not None and data.verdict.checks:
        passed = sum(1 for check in data.verdict.checks if check.state == "passed")
        again = data.replay is not None and data.replay.passed
        found = _share(
            "checks passed", passed, len(data.verdict.checks), "rounds", "and in a new sandbox" if again else ""
        )
        yield found if found.tone else Tile(found.label, found.value, found.more, found.view, "bad")


def _evidence(data: ReportData) -> Iterator[Tile]:
    if data.evidence is not None and data.evidence.requirements:
        shown = len(data.evidence.ids("shown"))
        yield _share("requirements shown", shown, len(data.evidence.requirements), "requirements")
    if data.mutation is not None:
        caught, survived = (data.mutation.count(state) for state in ("caught", "survived"))
        if caught + survived:
            yield _share("faults noticed", caught, caught + survived, "requirements")


def _numbers(data: ReportData) -> Iterator[Tile]:
    if data.measured:
        done = sum(1 for row in data.measured if row.measured is not None)
        yield _share("numbers measured", done, len(data.measured), "numbers")


def _used(data: ReportData) -> Iterator[Tile]:
    used = data.record.usage
    repairs = sum(1 for item in data.rounds if item.patch)
    yield Tile("rounds", str(len(data.rounds)), plural(repairs, "repair") if repairs else "", "rounds")
    tokens = f"{count(used.prompt)} tokens in, {count(used.completion)} out"
    yield Tile("model calls", str(used.calls), tokens if used.calls else "", "calls")
    yield Tile(
        "cost", "unknown" if used.cost is None else dollars(used.cost), "no price is known" * (used.cost is None)
    )
    if data.duration is not None:
        yield Tile("time", clock(data.duration))


def _share(label: str, part: int, whole: int, view: str, more: str = "") -> Tile:
    return Tile(label, f"{part} of {whole}", more, view, "good" if part == whole else "")
