"""`report.md`: the report for GitHub and editors, with Mermaid diagrams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentsys.core.artifacts import Verdict
from agentsys.core.text import code, fence, md
from agentsys.report import facts, ledger, reviewing
from agentsys.report.data import ReportData, RoundData
from agentsys.report.diagrams import module_chart, round_chart
from agentsys.report.verdict import headline, next_command

MAX_DIAGNOSTICS = 8


def markdown(data: ReportData) -> str:
    """Return the whole report."""
    parts = [
        f"# {md(data.record.title or data.record.id)}",
        f"**{md(headline(data), 600)}**",
        _table(("", ""), [(md(name), md(value)) for name, value in facts.overview(data)]),
        *_list("Requirements without owner or evidence", ledger.open_words(data)),
        *_not_reproduced(data),
        *_numbers(data),
        *_requirements(data),
        *_mutants(data),
        *_review(data),
        *_modules(data),
        *_rounds(data),
        *_replay(data),
        *_reproductions(data),
        *_safety(data),
        *_provenance(data),
        *_problems(data),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def _not_reproduced(data: ReportData) -> list[str]:
    return _list("What is not reproduced", facts.not_reproduced(data))


def _list(title: str, rows: Sequence[str]) -> list[str]:
    return [f"## {title}", "\n".join(f"- {md(row)}" for row in rows)] if rows else []


def _review(data: ReportData) -> list[str]:
    words = reviewing.review_words(data)
    rows = [[md(cell, 600) for cell in row] for row in reviewing.findings(data)]
    table = [_table(reviewing.FINDINGS_HEAD, rows)] if rows else []
    return ["## The code beside the paper", md(f"{words}."), *table] if words else []


def _mutants(data: ReportData) -> list[str]:
    if data.mutation is None:
        return []
    rows = [[md(cell) for cell in row] for row in ledger.mutants(data.mutation)]
    table = [_table(ledger.MUTANTS_HEAD, rows)] if rows else []
    said = md(f"Small faults were planted in the verified code: {ledger.mutants_words(data)}.")
    return ["## What the tests notice", said, *_list("", ledger.unnoticed_words(data))[1:], *table]


def _numbers(data: ReportData) -> list[str]:
    if not data.measured:
        return []
    rows = [[md(cell) for cell in row] for row in facts.numbers(data.measured)]
    return [
        "## Numbers of the paper, and what was measured here",
        facts.numbers_note(data),
        _table(facts.NUMBERS_HEAD, rows),
    ]


def _requirements(data: ReportData) -> list[str]:
    if data.plan is None:
        return ["## Requirements", facts.no_plan(data)]
    rows = [[md(cell) for cell in row] for row in facts.requirements(data)]
    return ["## Requirements", _table(facts.REQUIREMENTS_HEAD, rows)]


def _modules(data: ReportData) -> list[str]:
    return ["## Modules", f"```mermaid\n{module_chart(data.plan)}\n```"] if data.plan else []


def _rounds(data: ReportData) -> list[str]:
    if not data.rounds:
        return ["## Rounds", "No verification was done."]
    parts = ["## Rounds", f"```mermaid\n{round_chart(data)}\n```"]
    for item in data.rounds:
        parts += _round(item)
    return parts


def _round(item: RoundData) -> list[str]:
    parts = [f"### Round {item.number}" + (" (rolled back)" if item.rolled_back else "")]
    if item.verdict is None:
        return [*parts, "This verification was not finished."]
    parts += _verdict(item.verdict)
    if item.diagnosis is not None:
        parts.append(f"Diagnosis, for the {item.diagnosis.owner}: {md(item.diagnosis.cause, 600)}")
    if item.patch:
        parts.append(fence(item.patch, "diff"))
    return parts


def _verdict(verdict: Verdict) -> list[str]:
    parts = [_table(facts.CHECKS_HEAD, [[md(cell) for cell in facts.check_cells(check)] for check in verdict.checks])]
    if verdict.infra:
        parts.append(f"The verification could not be done: {md(verdict.infra)}")
    shown = verdict.diagnostics[:MAX_DIAGNOSTICS]
    if shown:
        parts.append("\n".join(f"- {md(item.kind)} {code(facts.place(item))} {md(item.message)}" for item in shown))
    if len(verdict.diagnostics) > len(shown):
        parts.append(f"{len(verdict.diagnostics) - len(shown)} more diagnostics are in `diagnostics.json`.")
    return parts


def _replay(data: ReportData) -> list[str]:
    if data.replay is None:
        return ["## Replay", "The replay in a new sandbox without network was not done."]
    return ["## Replay in a new sandbox, without network", *_verdict(data.replay)]


def _reproductions(data: ReportData) -> list[str]:
    if not data.reproductions:
        return []
    rows = [[md(cell) for cell in row] for row in facts.reproductions(data)]
    return ["## Run later", _table(facts.REPRODUCTIONS_HEAD, rows)]


def _safety(data: ReportData) -> list[str]:
    if not data.decisions:
        return ["## Safety", facts.no_decisions(data)]
    rows = [[md(cell) for cell in row] for row in facts.decisions(data)]
    parts = ["## Safety", _table(facts.DECISIONS_HEAD, rows)]
    if data.findings:
        found = [[md(cell) for cell in row] for row in facts.findings(data)]
        parts.append(_table(facts.FINDINGS_HEAD, found))
    return parts


def _provenance(data: ReportData) -> list[str]:
    rows = [[md(name), code(value)] for name, value in facts.provenance(data)]
    parts = ["## Provenance", _table(("", ""), rows)]
    if command := next_command(data):
        parts += ["To go on:", fence(command, "console")]
    return parts


def _problems(data: ReportData) -> list[str]:
    if not data.problems:
        return []
    return ["## What this report could not read", "\n".join(f"- {md(item)}" for item in data.problems)]
