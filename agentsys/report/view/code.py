"""Paper beside code: what carries a requirement, the tests that executed it, the planted faults that they noticed."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agentsys.core.artifacts import ExpectedResult, Plan
from agentsys.plan.symbols import covers, definitions, resolve
from agentsys.report.data import ReportData
from agentsys.report.view.files import NotThere, read_inside
from agentsys.verify.fidelity.evidence import SymbolEvidence
from agentsys.verify.fidelity.mutation_report import TriedMutant

_MAX_CODE = 2 << 20
_MOST_LINES = 80
RESULT = "result:"


@dataclass(frozen=True)
class Carrier:
    """One thing that carries a requirement."""

    seen: SymbolEvidence
    lines: tuple[tuple[int, str], ...]
    """Number and words of its lines; empty where it is no code, or not there."""
    left_out: int
    faults: tuple[TriedMutant, ...]

    @property
    def noticed(self) -> int:
        """How many of the faults a test noticed."""
        return sum(1 for fault in self.faults if fault.state == "caught")


def carriers(run: Path, data: ReportData, requirement: str) -> tuple[Carrier, ...]:
    """Return what carries a requirement, as the plan names it and as it was found."""
    row = data.evidence.of(requirement) if data.evidence is not None else None
    return tuple(_carrier(run, data, item) for item in (row.symbols if row is not None else ()))


def requirements_of(plan: Plan, number: ExpectedResult) -> list[str]:
    """Return the requirements whose result a number of the paper is; else those that stand at the same place of it."""
    wanted = f"{RESULT}{number.result_key}"
    named = [
        name for spec in plan.files for name, symbols in spec.symbols.items() if number.result_key and wanted in symbols
    ]
    if named:
        return list(dict.fromkeys(named))
    label = number.place.label
    return [row.id for row in plan.requirements if label and row.place.label == label]


def _carrier(run: Path, data: ReportData, item: SymbolEvidence) -> Carrier:
    tried: Sequence[TriedMutant] = data.mutation.mutants if data.mutation is not None else ()
    faults = tuple(each for each in tried if each.path == item.path and covers(item.symbol, each.symbol))
    lines = _lines(run, item) if item.found and item.kind in ("function", "class", "value") else ()
    return Carrier(item, lines[:_MOST_LINES], max(len(lines) - _MOST_LINES, 0), faults)


def _lines(run: Path, item: SymbolEvidence) -> tuple[tuple[int, str], ...]:
    try:
        text = read_inside(run, f"repo/{item.path}", _MAX_CODE).decode("utf-8", "replace")
    except NotThere:
        return ()
    found = resolve(definitions(text), item.symbol)
    if found is None or not isinstance(found.node, ast.stmt):
        return ()
    first, last = found.line, found.node.end_lineno or found.line
    return tuple(enumerate(text.splitlines()[first - 1 : last], first))
