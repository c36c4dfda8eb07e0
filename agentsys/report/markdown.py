"""`report.md`: the report for GitHub and editors, with Mermaid diagrams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentsys.core.artifacts import FileSpec, Plan, Verdict
from agentsys.core.text import code, fence, md, mermaid
from agentsys.report import claim_page, claims, facts, ledger
from agentsys.report.data import ReportData, RoundData
from agentsys.report.verdict import check_words, failing, headline, next_command

MAX_DIAGNOSTICS = 8
MAX_FINDINGS = 10
MAX_LISTED = 12
"""Lines of a list; the others stand in `report.html`."""
_WHY = 120
"""Characters of a reason in the table of claims; the whole one stands with the claim."""
ROUNDS_HEAD = ("round", "found", "the first fault", "diagnosis")
MAX_NODES = 40
MAX_ROUNDS = 12


def markdown(data: ReportData) -> str:
    """Return the report, short enough to read; what it leaves out stands in `report.html`."""
    parts = [
        f"# {md(data.record.title or data.record.id)}",
        f"**{md(headline(data), 600)}**",
        *_failing(data),
        *_scoreboard(data),
        _table(("", ""), [(md(name), md(value)) for name, value in facts.overview(data)]),
        *_claims(data),
        *_list("Requirements without owner or evidence", ledger.open_words(data)),
        *_list("Swallowed or kept from a check", ledger.dodged_words(data)),
        *_not_reproduced(data),
        *_numbers(data),
        *_mutants(data),
        *_review(data),
        *_rounds(data),
        *_reproductions(data),
        *_modules(data),
        *_safety(data),
        *_provenance(data),
        *_problems(data),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _failing(data: ReportData) -> list[str]:
    """What failed, with its diagnostics: the first thing that a reader of a bad end looks for."""
    parts: list[str] = []
    for check, diagnostics in failing(data):
        parts.append(f"## {md(check_words(check) if check is not None else 'Found beside the checks')}")
        shown = diagnostics[:MAX_DIAGNOSTICS]
        parts.append("\n".join(f"- {md(item.kind)} {code(facts.place(item))} {md(item.message)}" for item in shown))
        parts += [fence(item.detail) for item in shown[:1] if item.detail]
        if len(diagnostics) > len(shown):
            parts.append(f"{len(diagnostics) - len(shown)} more diagnostics are in `diagnostics.json`.")
    return parts


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def _scoreboard(data: ReportData) -> list[str]:
    if not data.claims:
        return []
    head = f"## Claims: {md(claims.scoreboard(data.claims))}"
    return [head, claim_page.table(claims.HEAD, [claims.cells_of(row) for row in data.claims], limit=_WHY)]


def _claims(data: ReportData) -> list[str]:
    """What a reader wants of each claim, its plot as a link to the file; all of it is on the claim's own page."""
    parts: list[str] = []
    for row in data.claims:
        file = claim_page.plot_file(row.claim)
        plot = f"![plot of claim {row.claim}](claims/{file})" if (data.path / "claims" / file).is_file() else ""
        parts += [
            f"### Claim {md(row.claim)}: {md(row.verdict or 'not judged')}",
            f"> {md(row.text, 600)}",
            md(claims.because(row) or "no rule was evaluated", 600) + ".",
            *([claim_page.measured(row)] if any(line.measured for line in row.lines) else []),
            plot,
            f"Quotations, contract, review and commands: {code('claims/' + claim_page.page_file(row.claim))}",
        ]
    return parts


def _not_reproduced(data: ReportData) -> list[str]:
    return _list("What is not reproduced", facts.not_reproduced(data))


def _list(title: str, rows: Sequence[str]) -> list[str]:
    if not rows:
        return []
    more = [f"{len(rows) - MAX_LISTED} more are in `report.html`."] if len(rows) > MAX_LISTED else []
    return [f"## {title}", "\n".join(f"- {md(row)}" for row in rows[:MAX_LISTED]), *more]


def _review(data: ReportData) -> list[str]:
    words = ledger.review_words(data)
    # A doubt is reported only: what had to be answered comes first.
    found = sorted(ledger.review_findings(data), key=lambda row: row[-1].startswith("doubted"))
    rows = [[md(cell, 300) for cell in row] for row in found[:MAX_FINDINGS]]
    table = [_table(ledger.REVIEW_HEAD, rows)] if rows else []
    more = [f"{len(found) - MAX_FINDINGS} more are in `report.html`."] if len(found) > MAX_FINDINGS else []
    return ["## The code beside the paper", md(f"{words}."), *table, *more] if words else []


def _mutants(data: ReportData) -> list[str]:
    if data.mutation is None:
        return []
    said = md(f"Small faults were planted in the verified code: {ledger.mutants_words(data)}.")
    return ["## What the tests notice", said, *_list("", ledger.unnoticed_words(data))[1:]]


def _numbers(data: ReportData) -> list[str]:
    if not data.measured:
        return []
    rows = [[md(cell) for cell in row] for row in facts.numbers(data.measured)]
    return [
        "## Numbers of the paper, and what was measured here",
        facts.numbers_note(data),
        _table(facts.NUMBERS_HEAD, rows),
        "\n".join(f"- {mark}: {md(words, 600)}" for words, mark in facts.number_notes(data.measured).items()),
    ]


def _modules(data: ReportData) -> list[str]:
    return ["## Modules", f"```mermaid\n{module_chart(data.plan)}\n```"] if data.plan else []


def _rounds(data: ReportData) -> list[str]:
    rows = [[md(cell) for cell in _round(item)] for item in data.rounds]
    if not rows:
        return ["## Rounds", "No verification was done."]
    replayed = "The replay in a new sandbox without network was not done."
    if data.replay is not None:
        replayed = md(f"Replay in a new sandbox, without network: {_found(data.replay)}.")
    return ["## Rounds", f"```mermaid\n{round_chart(data)}\n```", _table(ROUNDS_HEAD, rows), replayed]


def _round(item: RoundData) -> tuple[str, ...]:
    verdict, diagnosis = item.verdict, item.diagnosis
    if verdict is None:
        return (str(item.number), "not finished", "", "")
    first = verdict.diagnostics[0] if verdict.diagnostics else None
    fault = f"{facts.place(first)} {first.message}" if first is not None else ""
    more = f" and {len(verdict.diagnostics) - 1} more" if len(verdict.diagnostics) > 1 else ""
    found = _found(verdict) + (f" ({verdict.infra})" if verdict.infra else "") + (", rolled back" * item.rolled_back)
    return (str(item.number), found, fault + more, f"{diagnosis.owner}: {diagnosis.cause}" if diagnosis else "")


def _reproductions(data: ReportData) -> list[str]:
    if not data.reproductions:
        return []
    rows = [[md(cell) for cell in row] for row in facts.reproductions(data)]
    return ["## Run later", _table(facts.REPRODUCTIONS_HEAD, rows)]


def _safety(data: ReportData) -> list[str]:
    if not data.decisions:
        return ["## Safety", facts.no_decisions(data)]
    gates = ", ".join(f"{item.gate} {item.decision} ({item.subject})" for item in data.decisions)
    found = [[md(cell) for cell in row] for row in facts.findings(data)]
    rows = _table(facts.FINDINGS_HEAD, found[:MAX_FINDINGS]) if found else "No rule matched."
    more = f"{len(found) - MAX_FINDINGS} more findings are in `audit/report.md`."
    return ["## Safety", md(f"Decisions: {gates}.", 600), rows, *([more] if len(found) > MAX_FINDINGS else [])]


def _provenance(data: ReportData) -> list[str]:
    rows = facts.provenance(data)
    said = "; ".join(f"{md(name)} {code(value)}" for name, value in rows if not name.startswith(("setting", "hash")))
    parts = ["## Provenance", f"{said}. Hashes and settings are in `run.json`."]
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
