"""The claims of a run as reports show them: verdict first, the paper's value beside the measured one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agentsys.core.artifacts import Artifact
from agentsys.verify.claims.standalone.reasons import REASONS

HEAD = ("claim", "verdict", "paper", "measured", "interval", "n", "why")
_ORDER = ("verified", "falsified", "toy", "inconclusive", "contested", "blocked")


class Line(Artifact):
    """A line of a claim's table: what the paper says, and what was measured."""

    what: str
    paper: str
    measured: str = ""
    interval: str = ""
    n: int = 0
    says: str = ""
    """What the rule says of it: `holds`, `fails`, `undecided`."""


class ClaimRow(Artifact):
    """One claim with its verdict; `verdict` is empty where none was reached."""

    claim: str
    text: str
    place: str
    kind: str
    contract: str
    """SHA-256 of the contract that counts."""
    amendments: tuple[str, ...] = ()
    """Reason of each."""
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    why: str = ""
    """What kept it from a program, or its cells from going on."""
    paper: str = ""
    measured: str = ""
    interval: str = ""
    n: int = 0
    accept: str = ""
    falsify: str = ""
    """The rules as data, and in words under `terms`."""
    control: str = ""
    quotes: tuple[str, ...] = ()
    """The paper's own words, each with its place."""
    lines: tuple[Line, ...] = ()
    terms: tuple[tuple[str, str], ...] = ()
    """Of the contract: what was agreed before the code, by name."""
    limits: tuple[str, ...] = ()
    """What the verdict does not say, and what speaks against it."""
    checked: str = ""
    """What the independent checker and the review of the claim's code said."""
    review: tuple[str, ...] = ()
    """What the reviewer looked at in the claim's code: where each thing is met, or how it differs."""
    cells: int = 0
    failed: int = 0
    """Cells of the claim's own program that left no rows; what became of the checker's stands under `checked`."""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    elsewhere: str = ""
    """How many cells jobs ran, and where; empty where all were run beside the run."""
    command: str = ""
    """Of the last cell."""
    commands: tuple[str, ...] = ()
    """The last of each case; every one stands in `cells.jsonl`."""

    @property
    def control_words(self) -> str:
        """What the rule said of the control, on which it must fail."""
        found = next((line for line in self.lines if line.what == "control"), None)
        if not self.control or found is None:
            return "The contract names no control."
        if not found.says:
            return f"It was not run. It is to be: {self.control}"
        means = {"fails": "the rule fails on it, as it must", "holds": "the rule holds on it too: it shows nothing"}
        value = f": {found.measured} ({found.interval}), n = {found.n}" if found.measured else ""
        return f"{self.control}: {means.get(found.says, 'the rule does not decide on it')}{value}"


def scoreboard(rows: Sequence[ClaimRow]) -> str:
    """Return `3 verified, 1 toy`; of claims without verdict how many there are."""
    return scoreboard_of([row.verdict for row in rows])


def scoreboard_of(verdicts: Sequence[str]) -> str:
    """Return the same of verdicts alone."""
    counts = Counter(verdicts)
    said = [f"{counts[name]} {name}" for name in _ORDER if counts[name]]
    return ", ".join([*said, *([f"{counts['']} not judged"] if counts[""] else [])])


def cells_of(row: ClaimRow) -> tuple[str, ...]:
    """Return the cells of a row under HEAD."""
    why = ", ".join(dict.fromkeys((*row.reasons, *([row.why] if row.why else []))))
    return (row.claim, row.verdict or "not judged", row.paper, row.measured, row.interval, str(row.n or ""), why)


def because(row: ClaimRow) -> str:
    """Return in plain words why a claim has its verdict."""
    return "; ".join([*(REASONS.get(code, code) for code in row.reasons), *([row.why] if row.why else [])])
