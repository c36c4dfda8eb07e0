"""Mermaid diagrams, generated from the data of a run."""

from __future__ import annotations

from collections.abc import Sequence

from agentsys.core.artifacts import FileSpec, Plan, Verdict
from agentsys.core.text import mermaid
from agentsys.report.data import ReportData, RoundData

MAX_NODES = 40
MAX_ROUNDS = 12


def module_chart(plan: Plan) -> str:
    """Return a flowchart of the planned source files and what they depend on."""
    sources = [item for item in plan.files if item.kind in ("source", "script", "test")]
    shown = sources[:MAX_NODES]
    ids = {item.path: f"f{number}" for number, item in enumerate(shown)}
    lines = ["flowchart LR"]
    lines += [f"  {ids[item.path]}{_shape(item)}" for item in shown]
    lines += _arrows(shown, ids)
    if len(sources) > len(shown):
        lines.append(f'  more["{len(sources) - len(shown)} more files"]')
    return "\n".join(lines)


def _shape(item: FileSpec) -> str:
    label = mermaid(item.path)
    return f'(["{label}"])' if item.kind == "test" else f'["{label}"]'


def _arrows(shown: Sequence[FileSpec], ids: dict[str, str]) -> list[str]:
    pairs = [(needed, item.path) for item in shown for needed in item.depends_on if needed in ids]
    return [f"  {ids[first]} --> {ids[then]}" for first, then in pairs]


def round_chart(data: ReportData) -> str:
    """Return a sequence diagram of verifications, diagnoses and repairs."""
    lines = [
        "sequenceDiagram",
        "  participant C as coder",
        "  participant V as verifier",
        "  participant D as debugger",
    ]
    if any(item.diagnosis is not None and item.diagnosis.owner in ("planner", "analyzer") for item in data.rounds):
        lines += ["  participant P as planner", "  participant A as analyzer"]
    lines.append("  C->>V: repository")
    for item in data.rounds[:MAX_ROUNDS]:
        lines += _round(item)
    if len(data.rounds) > MAX_ROUNDS:
        lines.append(f"  Note over V: {len(data.rounds) - MAX_ROUNDS} more rounds")
    if data.replay is not None:
        lines.append(f"  V->>V: replay in a new sandbox {mermaid(_found(data.replay))}")
    return "\n".join(lines)


def _round(item: RoundData) -> list[str]:
    found = _found(item.verdict) if item.verdict is not None else "not finished"
    lines = [f"  V->>D: round {item.number} {mermaid(found)}"]
    if item.rolled_back:
        lines.append("  Note over V: rolled back to the best round")
    if item.diagnosis is not None:
        letter = {"planner": "P", "analyzer": "A", "coder": "C", "debugger": "D"}[item.diagnosis.owner]
        lines.append(f"  D->>{letter}: {mermaid(item.diagnosis.cause)}")
        lines.append(f"  {letter}->>V: {'repaired' if item.patch else 'nothing changed'}")
    return lines


def _found(verdict: Verdict) -> str:
    if verdict.infra:
        return "could not be done"
    failed = [check.name for check in verdict.checks if check.state == "failed"]
    return "passed" if verdict.passed else f"failed {' '.join(failed)}".strip()
