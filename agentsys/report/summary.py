"""The summary that ends every run: at most 20 lines, the verdict first, the paths and the next command last."""

from __future__ import annotations

from agentsys.core.artifacts import MeasuredResult
from agentsys.core.numbers import plural, seconds
from agentsys.core.text import clean_line
from agentsys.plan.data import read_state
from agentsys.report import ledger
from agentsys.report.data import ReportData
from agentsys.report.facts import (
    cheap_full_words,
    checks_words,
    claim_words,
    code_words,
    is_full,
    numbers_words,
    release_words,
    rounds_words,
    sandbox_words,
    usage_words,
)
from agentsys.report.verdict import headline, next_command

MAX_LINES = 20
MAX_NUMBERS = 4


def summary(data: ReportData) -> str:
    """Return the summary as plain text without a line break at its end."""
    before = [
        ("reason", data.record.reason if data.record.status == "unverified" else ""),
        ("hint", _hint(data)),
        ("paper", clean_line(data.record.title, 90)),
        ("checks", checks_words(data)),
        ("ledger", _ledger(data)),
        ("evidence", ledger.evidence_words(data)),
        ("mutants", ledger.mutants_words(data)),
        ("review", ledger.review_words(data)),
    ]
    after = [
        ("data", _data(data)),
        ("later", _later(data)),
        ("usage", _usage(data)),
        ("code", _code(data)),
        ("safety", _safety(data)),
        ("sandbox", sandbox_words(data)),
        ("release", release_words(data)),
        ("note", _note(data)),
        ("repo", str(data.repo) if data.files else ""),
        ("report", _report(data)),
        ("run", str(data.path)),
        ("next", next_command(data)),
    ]
    # The numbers take what room is left: the paths and the next command at the end are never cut.
    used = 1 + sum(1 for _, text in (*before, *after) if text)
    rows = [*before, *_numbers(data, MAX_LINES - used - 1), *after]
    lines = [headline(data), *(f"  {name:<8} {clean_line(text, 400)}" for name, text in rows if text)]
    return "\n".join(lines[:MAX_LINES])


def number_words(row: MeasuredResult) -> str:
    """Return `accuracy [Table 2]: paper 0.912, here 0.874, within 20 % (smoke profile)`, or why it was not measured."""
    item = row.expected
    unit = f" {item.unit}" if item.unit else ""
    place = item.place.label or item.place.section
    here = row.note
    if row.measured is not None:
        words = "the paper's scale" if is_full(row) else row.scale or "scale unknown"
        here = f"here {row.measured:g}{unit}, {row.grade} ({words})"
    return clean_line(f"{item.metric} [{place}]: paper {claim_words(item)}, {here}", 140)


def _hint(data: ReportData) -> str:
    """Return the run's own hint, unless the last line says it better."""
    return data.record.hint if data.record.status in ("config_error", "provider_error", "blocked") else ""


def _ledger(data: ReportData) -> str:
    if data.plan is None:
        return "there is no plan yet"
    states = [item.status for item in data.plan.requirements]
    words = [f"{len(states)} requirements, {states.count('paper')} stated by the paper", ledger.open_line(data)]
    return "; ".join(part for part in words if part)


def _code(data: ReportData) -> str:
    written = code_words(data) or "nothing was written yet"
    return f"{written}; {rounds_words(data)}" if data.rounds else written


def _numbers(data: ReportData, room: int) -> list[tuple[str, str]]:
    """Return the line on the paper's numbers, and at most `room` of them."""
    words = numbers_words(data)
    done = [row for row in data.measured if row.measured is not None]
    if not words or not done:
        return [("numbers", words)] * bool(words)
    shown = [*done, *(row for row in data.measured if row.measured is None)]
    most = max(min(MAX_NUMBERS, room), 0)
    more = f"; the first {most}:" if len(shown) > most > 0 else ""
    return [("numbers", words + more), *(("", number_words(row)) for row in shown[:most])]


def _later(data: ReportData) -> str:
    """Return what became of the last profile that was run later."""
    if not data.reproductions:
        words = cheap_full_words(data)
        return f"full profile: {words}" if words else ""
    last = data.reproductions[-1]
    state = "passed" if last.passed else f"failed: {clean_line(last.reason, 120)}"
    return f"{last.profile} profile, {last.seconds:.0f} s in {last.backend or 'no sandbox'}, {state}"


def _data(data: ReportData) -> str:
    """Say what the full profile still needs, and how it is had."""
    sources = data.plan.data if data.plan is not None else ()
    state = read_state(data.path) if sources else None
    there = {row.name for row in state.sources if row.state != "absent"} if state is not None else set[str]()
    absent = [row.name for row in sources if row.kind != "package" and row.name not in there]
    if not absent or data.full is not None:
        return ""
    how = f"`agentsys data fetch {data.record.id}`, or `--data-dir`"
    return f"the full profile needs {', '.join(absent)}, which is not here: {how}"


def _usage(data: ReportData) -> str:
    took = f", {seconds(int(data.duration))}" if data.duration is not None else ""
    return usage_words(data) + took


def _safety(data: ReportData) -> str:
    if not data.decisions:
        return "nothing was screened yet"
    order = ("critical", "high", "medium", "low", "info")
    counts = [f"{data.severities[name]} {name}" for name in order if data.severities[name]]
    open_gates = [d.gate for d in data.decisions if not d.allows]
    found = f"{plural(len(data.findings), 'finding')} ({', '.join(counts)})" if counts else "no finding"
    return f"{found} in {plural(len(data.decisions), 'decision')}" + (
        f"; not allowed: {', '.join(sorted(set(open_gates)))}" if open_gates else ""
    )


def _note(data: ReportData) -> str:
    if data.record.recording:
        return f"the model's answers were replayed from {data.record.recording}; all else was done anew"
    return f"{len(data.problems)} files could not be read: {data.problems[0]}" if data.problems else ""


def _report(data: ReportData) -> str:
    return next((str(path) for name in ("report.html", "report.md") if (path := data.path / name).is_file()), "")
