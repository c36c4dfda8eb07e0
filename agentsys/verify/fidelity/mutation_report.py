"""What became of planted faults, as stored in `rounds/mutation.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from agentsys.core.artifacts import Artifact
from agentsys.verify.fidelity.mutants import Mutant

FILE = "mutation.json"
"""Name of the report below `rounds/`."""
FAULTS_FILE = "faults.json"
"""Name of the same report below `rounds/NN/`."""

MutantState = Literal["caught", "survived", "broke", "not_run"]
"""`broke`: the code ended by itself, which says nothing about the tests."""


class TriedMutant(Mutant):
    """A planted fault and what became of it."""

    state: MutantState = "not_run"
    by: str = Field(default="", description="the test that failed, or the limit that was passed")
    noticed: tuple[str, ...] = Field(default=(), description="tests that noticed it, without their parameters")
    tests: int = Field(default=0, description="tests that were run against it")
    seconds: float = 0.0
    note: str = ""


class MutationReport(Artifact):
    """`rounds/mutation.json`: what the tests notice."""

    version: int = 1
    tree: str = Field(description="hash of the files that the faults were planted in")
    seed: int = 0
    backend: str = ""
    mutants: tuple[TriedMutant, ...] = ()
    seconds: float = 0.0
    passed: bool = Field(default=False, description="the check `faults` passed with them")
    note: str = Field(default="", description="why faults were not tried: no target, a limit, a fault of the sandbox")

    def count(self, state: MutantState) -> int:
        """Return how many mutants ended so."""
        return sum(1 for item in self.mutants if item.state == state)

    @property
    def share(self) -> float | None:
        """Share of the tried mutants that a test noticed; None where none was tried."""
        tried = self.count("caught") + self.count("survived")
        return self.count("caught") / tried if tried else None

    @property
    def survivors(self) -> tuple[TriedMutant, ...]:
        """The faults that no test noticed."""
        return tuple(item for item in self.mutants if item.state == "survived")


def noticed_faults(report: MutationReport | None) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the tests that noticed a fault in each function, for `agentsys.verify.fidelity.evidence.Proof`."""
    found: dict[tuple[str, str], set[str]] = {}
    for item in report.mutants if report is not None else ():
        if item.state == "caught":
            found.setdefault((item.path, item.symbol), set()).update(item.noticed or (item.by.partition("[")[0],))
    return {place: tuple(sorted(tests)) for place, tests in found.items()}


def read_report(path: Path) -> MutationReport | None:
    """Read a stored report; None where there is none, or it does not fit."""
    try:
        return MutationReport.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
