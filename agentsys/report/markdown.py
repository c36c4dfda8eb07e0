"""`report.md`: the report for GitHub and editors, with Mermaid diagrams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentsys.core.artifacts import FileSpec, Plan, Verdict
from agentsys.core.text import code, fence, md, mermaid
from agentsys.report import claim_page, claims, facts, ledger
from agentsys.report.data import ReportData, RoundData
from agentsys.report.verdict import headline, next_command

MAX_DIAGNOSTICS = 8
MAX_NODES = 40
MAX_ROUNDS = 12
PLOT = "claim-plot"
"""Language of a fenced block in whose place a page shows the plot of the claim that it names."""


def markdown(data: ReportData, *, charts: bool = True) -> str:
    """Return the whole report, with Mermaid diagrams where `charts` is set."""
    parts = [
        f"# {md(data.record.title or data.record.id)}",
        f"**{md(headline(data), 600)}**",
        *_scoreboard(data),
        _table(("", ""), [(md(name), md(value)) for name, value in facts.overview(data)]),
        *_claims(data, charts),
        *_list("Requirements without owner or evidence", ledger.open_words(data)),
        *_list("Swallowed or kept from a check", ledger.dodged_words(data)),
        *_not_reproduced(data),
        *_numbers(data),
        *_requirements(data),
        *_mutants(data),
        *_review(data),
        *(_modules(data) if charts else []),
        *_rounds(data, charts),
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


def _scoreboard(data: ReportData) -> list[str]:
    if not data.claims:
        return []
    head = f"## Claims: {md(claims.scoreboard(data.claims))}"
    return [head, claim_page.table(claims.HEAD, [claims.cells_of(row) for row in data.claims])]


def _claims(data: ReportData, charts: bool) -> list[str]:
    """A page a claim. A plot is a link to its file, or in the page for browsers a block that holds its claim's name."""
    parts: list[str] = []
    for row in data.claims:
        file = claim_page.plot_file(row.claim)
        plot = f"![plot of claim {row.claim}](claims/{file})" if (data.path / "claims" / file).is_file() else ""
        if not charts:
            plot = fence(row.claim, PLOT)
        parts += [f"### Claim {md(row.claim)}: {md(row.verdict or 'not judged')}", *claim_page.body(row, plot)]
    return parts


def _not_reproduced(data: ReportData) -> list[str]:
    return _list("What is not reproduced", facts.not_reproduced(data))


def _list(title: str, rows: Sequence[str]) -> list[str]:
    return [f"## {title}", "\n".join(f"- {md(row)}" for row in rows)] if rows else []


def _review(data: ReportData) -> list[str]:
    words = ledger.review_words(data)
    rows = [[md(cell, 600) for cell in row] for row in ledger.review_findings(data)]
    table = [_table(ledger.REVIEW_HEAD, rows)] if rows else []
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


def _rounds(data: ReportData, charts: bool) -> list[str]:
    if not data.rounds:
        return ["## Rounds", "No verification was done."]
    parts = ["## Rounds", *([f"```mermaid\n{round_chart(data)}\n```"] if charts else [])]
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
    found = [[md(cell) for cell in row] for row in facts.findings(data)]
    parts.append(_table(facts.FINDINGS_HEAD, found) if found else "No rule matched.")
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
        lines += _round_arrows(item)
    if len(data.rounds) > MAX_ROUNDS:
        lines.append(f"  Note over V: {len(data.rounds) - MAX_ROUNDS} more rounds")
    if data.replay is not None:
        lines.append(f"  V->>V: replay in a new sandbox {mermaid(_found(data.replay))}")
    return "\n".join(lines)


def _round_arrows(item: RoundData) -> list[str]:
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
