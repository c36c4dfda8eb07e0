"""Claims of known truth through contracts, rows and verdicts; the contracts are written by hand, no model is asked.

    python -m benchmarks.claims_truth

Exit code 1 where a verdict is false, or fewer than nine of ten are settled as their rows deserve.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentsys.plan.claims.amendment import freeze
from agentsys.verify.claims.record import write_record
from benchmarks.claims_cases import certain, noisy
from benchmarks.claims_cases.case import Case
from benchmarks.claims_cases.repeats import rates, verdicts

REPEATED = ((1.2, 1.2, "t"), (1.2, 0.0, "t"), (1.2, 0.0, "bootstrap"), (1.2, -1.2, "t"), (0.4, 0.1, "t"))
"""Claimed gap, true gap and interval of comparisons that are made again and again."""


@dataclass(frozen=True)
class Settled:
    """A case and the verdict that it got."""

    case: Case
    verdict: str
    reasons: tuple[str, ...]

    @property
    def right(self) -> bool:
        """The verdict is the one that the rows deserve."""
        return self.verdict == self.case.verdict

    @property
    def false(self) -> bool:
        """The verdict says of the claim what is not so, or what nobody can know."""
        settles = {"verified": "true", "falsified": "false"}
        return self.verdict in settles and self.case.truth != settles[self.verdict]


def settle(folder: Path) -> list[Settled]:
    """Judge all cases at once, as the claims of one record in `folder`."""
    cases = list(_cases())
    contracts = freeze(tuple(each.contract_as(f"C{number}") for number, each in enumerate(cases, 1)))
    files: list[Path] = []
    for number, each in enumerate(cases, 1):
        files.append(folder / f"C{number}.csv")
        each.table.write(files[-1], f"C{number}")
    findings = {f"C{number}": each.findings for number, each in enumerate(cases, 1)}
    judged = write_record(folder / "claims", contracts, files, findings)
    return [
        Settled(case, each.decision.verdict, each.decision.reasons) for case, each in zip(cases, judged, strict=True)
    ]


def _cases() -> Iterator[Case]:
    yield from noisy.cases()
    yield from certain.cases()


def main() -> int:
    """Print the table of docs/claims.md."""
    with tempfile.TemporaryDirectory() as name:
        rows = settle(Path(name))
    print("| claim | truth | verdict | reasons |\n| --- | --- | --- | --- |")
    for row in rows:
        note = "" if row.right else f" (deserved: {row.case.verdict})"
        print(f"| {row.case.name} | {row.case.truth} | {row.verdict}{note} | {', '.join(row.reasons)} |")
    print("\n| claimed gap | true gap | interval | verified | falsified | inconclusive |\n|" + " --- |" * 6)
    for claimed, true, interval in REPEATED:
        with tempfile.TemporaryDirectory() as name:
            found = verdicts(Path(name), claimed, true, interval)
        counts = " | ".join(str(found[each]) for each in ("verified", "falsified", "inconclusive"))
        print(f"| {claimed} | {true} | {interval} | {counts} |")
    print("\n| rate claimed off by | verified | falsified | inconclusive |\n|" + " --- |" * 4)
    for off in (0.0, 0.3, 0.5):
        with tempfile.TemporaryDirectory() as name:
            found = rates(Path(name), off)
        print(f"| {off} | {' | '.join(str(found[each]) for each in ('verified', 'falsified', 'inconclusive'))} |")
    right, false = sum(row.right for row in rows), sum(row.false for row in rows)
    print(f"\n{right} of {len(rows)} settled rightly, {false} false verdicts")
    return 0 if right >= 0.9 * len(rows) and not false else 1


if __name__ == "__main__":
    sys.exit(main())
