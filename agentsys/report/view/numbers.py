"""The paper's numbers by how much they differ from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentsys.core.artifacts import MeasuredResult
from agentsys.report.facts import claim_words, grade_words, note_words, place_words
from agentsys.verify.compare import difference


@dataclass(frozen=True)
class NumberRow:
    """A number of the paper beside the measured one; `off` is their difference as a share, None where unmeasured."""

    row: MeasuredResult
    off: float | None

    @property
    def id(self) -> str:
        return self.row.expected.id

    @property
    def paper(self) -> str:
        return claim_words(self.row.expected)

    @property
    def here(self) -> str:
        if self.row.measured is None:
            return "-"
        unit = f" {self.row.expected.unit}" if self.row.expected.unit else ""
        return f"{self.row.measured:g}{unit}"

    @property
    def grade(self) -> str:
        return grade_words(self.row)

    @property
    def place(self) -> str:
        return place_words(self.row.expected.place)

    @property
    def note(self) -> str:
        return note_words(self.row)

    @property
    def off_words(self) -> str:
        return "" if self.off is None else f"{self.off:.1%}" if self.off < 10 else f"{self.off:.0f} times"


def by_difference(measured: Sequence[MeasuredResult]) -> list[NumberRow]:
    """Return the rows, the one that differs most first, those that were not measured last."""
    rows = [
        NumberRow(row, None if row.measured is None else difference(row.expected, row.measured)) for row in measured
    ]
    return sorted(rows, key=lambda row: -1.0 if row.off is None else row.off, reverse=True)
