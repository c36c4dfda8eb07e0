"""The score without a model: what is measured, what it weighs, and the total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PartName = Literal["code", "stubs", "installs", "imports", "types", "tests", "coverage", "mutation"]

WEIGHTS: dict[PartName, int] = {
    "code": 5,
    "stubs": 10,
    "installs": 15,
    "imports": 15,
    "types": 10,
    "tests": 20,
    "coverage": 10,
    "mutation": 15,
}
"""They add up to 100. A part that could not be measured counts 0."""

SCALED: frozenset[PartName] = frozenset({"installs", "imports", "types", "tests", "coverage", "mutation"})
"""These count only as far as the functions are implemented: empty ones install, import and pass hollow tests."""


@dataclass(frozen=True)
class Part:
    """One measured part. `value` is from 0 to 1; None where it was not measured, and `because` says why."""

    name: PartName
    value: float | None
    note: str = ""
    because: str = ""

    @property
    def weight(self) -> int:
        return WEIGHTS[self.name]


@dataclass(frozen=True)
class Measured:
    """The parts of one repository and their total, out of 100."""

    parts: tuple[Part, ...]
    backend: str = ""
    weak: bool = False
    """Whether the place where code ran isolates less than Docker does."""

    @property
    def implemented(self) -> float:
        """Share of the functions that are no stubs."""
        return next((part.value or 0.0 for part in self.parts if part.name == "stubs"), 0.0)

    def points(self, part: Part) -> float:
        """Return what a part adds to the total."""
        factor = self.implemented if part.name in SCALED else 1.0
        return part.weight * (part.value or 0.0) * factor

    @property
    def total(self) -> float:
        return sum(self.points(part) for part in self.parts)

    @property
    def weight_measured(self) -> int:
        """Weights of the parts that were measured, out of 100."""
        return sum(part.weight for part in self.parts if part.value is not None)
