"""The rows of every table of a report, as plain text; Markdown and HTML only dress them."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import get_args

from agentsys.core.artifacts import Check, Diagnostic, ExpectedResult, Grade, MeasuredResult, PaperPlace
from agentsys.core.numbers import count, dollars, plural, seconds
from agentsys.core.text import clean_line
from agentsys.plan.scale import CHEAP_SECONDS
from agentsys.report import ledger
from agentsys.report.data import ReportData

Rows = list[tuple[str, ...]]

NUMBERS_HEAD = ("id", "metric", "place", "paper", "measured here", "grade", "note")
REQUIREMENTS_HEAD = ("id", "requirement", "place", "status", "file", "evidence")
REPRODUCTIONS_HEAD = ("number", "profile", "state", "started", "seconds", "place", "data, or why it failed")
CHECKS_HEAD = ("check", "state", "seconds", "exit code", "what it saw", "log")
DECISIONS_HEAD = ("gate", "decision", "status", "subject", "policy", "screened by", "looked at")
FINDINGS_HEAD = ("severity", "rule", "place", "message", "remedy")


def overview(data: ReportData) -> list[tuple[str, str]]:
    """Return the facts at the head of a report; unknown ones are left out."""
    record = data.record
    rows = [
        ("status", f"{record.status}" + (f" (exit code {record.exit_code})" if record.exit_code is not None else "")),
        ("reason", record.reason),
        ("checks", checks_words(data)),
        ("numbers", numbers_words(data)),
        ("left open", ledger.open_line(data)),
        ("evidence", ledger.evidence_words(data)),
        ("planted faults", ledger.mutants_words(data)),
        ("review", ledger.review_words(data)),
        ("paper", record.paper_path),
        ("asked for", record.request),
        ("rounds", rounds_words(data)),
        ("model", _setting(data, "model") or "not named"),
        ("usage", usage_words(data)),
        ("time", seconds(int(data.duration)) if data.duration is not None else ""),
        ("code", code_words(data) or "nothing was written"),
        ("sandbox", sandbox_words(data)),
        ("release", release_words(data)),
        ("full profile", cheap_full_words(data)),
        ("answers", f"replayed from the recording {record.recording}" if record.recording else ""),
    ]
    return [(name, clean_line(value, 300)) for name, value in rows if value]


def checks_words(data: ReportData) -> str:
    """Return how each check of the delivered code ended."""
    checks = data.verdict.checks if data.verdict is not None else ()
    return ", ".join(f"{check.name} {check.state.replace('_', ' ')}" for check in checks) or "none was done"


def numbers_words(data: ReportData) -> str:
    """Return how many of the paper's numbers were measured, and how many have each grade; empty without a plan."""
    if not data.measured:
        return "the plan names no number of the paper" if data.plan else ""
    done = [row for row in data.measured if row.measured is not None]
    if not done:
        why = data.measured[0].note.removeprefix("not measured: ")
        return f"none of the paper's {len(data.measured)} was measured here: {why}"
    return f"{len(done)} of {len(data.measured)} numbers of the paper were measured here: {grades(done)}"


def grades(done: Sequence[MeasuredResult]) -> str:
    """Return how many numbers have each grade, best first, apart by scale."""
    order = get_args(Grade)
    counts = Counter((not is_full(row), order.index(row.grade), grade_words(row)) for row in done)
    said = {key: key[2].replace("agrees", "agree") if counts[key] > 1 else key[2] for key in counts}
    return ", ".join(f"{counts[key]} {said[key]}" for key in sorted(counts))


def usage_words(data: ReportData) -> str:
    """Return calls, tokens and money."""
    used = data.record.usage
    price = "price unknown" if used.cost is None else dollars(used.cost)
    tokens = f"{count(used.prompt)} tokens in ({count(used.cached)} cached), {count(used.completion)} out"
    return f"{plural(used.calls, 'call')}, {tokens}, {price}"


def code_words(data: ReportData) -> str:
    """Return how much was delivered; empty where nothing was."""
    return f"{plural(len(data.files), 'file')}, {plural(data.lines, 'line')} of code" if data.files else ""


def rounds_words(data: ReportData) -> str:
    """Return how many verifications, repairs and roll-backs there were."""
    repairs = sum(1 for item in data.rounds if item.patch)
    back = sum(1 for item in data.rounds if item.rolled_back)
    done = sum(1 for item in data.rounds if item.verdict is not None)
    words = [plural(done, "verification"), plural(repairs, "repair")]
    words += [f"{back} rolled back"] if back else []
    words += [f"{len(data.rounds) - done} not finished"] if done < len(data.rounds) else []
    return ", ".join(words)


def sandbox_words(data: ReportData) -> str:
    """Return where code ran, and plainly if that place is weaker than Docker."""
    verdicts = [item.verdict for item in data.rounds if item.verdict is not None]
    verdicts += [data.replay] if data.replay is not None else []
    backend = data.record.backend or next((verdict.backend for verdict in verdicts if verdict.backend), "")
    if data.record.weak_sandbox or any(verdict.weak for verdict in verdicts):
        return f"{backend or 'unknown'}: WEAK, it isolates less than Docker does"
    return backend


def release_words(data: ReportData) -> str:
    """Return whether a verified run can be released, and why not; empty for the others."""
    if data.record.status != "verified" or not data.record.release:
        return ""
    if data.record.release == "yes":
        return f"can be released: agentsys release {shlex.quote(str(data.path))}"
    return f"cannot be released: {data.record.release}"


def cheap_full_words(data: ReportData) -> str:
    """Return how to run a full profile that was not run, where that should take little time; empty elsewhere."""
    seconds_needed = data.full_seconds
    ready = data.record.status == "verified" and data.full is None and not data.paper_scale
    if not ready or seconds_needed is None or seconds_needed > CHEAP_SECONDS:
        return ""
    command = f"agentsys reproduce {shlex.quote(str(data.path))}"
    return f"not run; by the settings it should take about {seconds_needed:.0f} s: {command}"


def no_plan(data: ReportData) -> str:
    """Return why a report shows no requirements."""
    if any("plan.json" in item or "the plan" in item for item in data.problems):
        return "The plan is not shown: see what this report could not read."
    return "There is no plan: the run ended before it was made."


def no_decisions(data: ReportData) -> str:
    """Return why a report shows no decisions of the safety policy."""
    if any(item.startswith("audit/") or ".json" in item or "safety" in item for item in data.problems):
        return "No decision is shown: see what this report could not read."
    return "Nothing was screened before the run ended."


def numbers(measured: Sequence[MeasuredResult]) -> Rows:
    """Return the paper's numbers beside the measured ones, each with its grade and the mark of its note."""
    rows: Rows = []
    marks = number_notes(measured)
    for row in measured:
        item = row.expected
        unit = f" {item.unit}" if item.unit else ""
        here = "-" if row.measured is None else f"{row.measured:g}{unit}"
        here += f" (smoke: {row.smoke:g}{unit})" if row.smoke is not None else ""
        rows.append(
            (
                item.id,
                item.metric,
                place_words(item.place),
                claim_words(item),
                here,
                grade_words(row),
                marks[note_words(row)],
            )
        )
    return rows


def note_words(row: MeasuredResult) -> str:
    """Return at which scale a number was measured, or why it was not."""
    return row.note if row.measured is None else row.scale or row.note


def number_notes(measured: Sequence[MeasuredResult]) -> dict[str, str]:
    """Return the notes of all numbers, each once, with the mark by which a row names it."""
    return {words: str(mark) for mark, words in enumerate(dict.fromkeys(map(note_words, measured)), 1)}


def numbers_note(data: ReportData) -> str:
    """Return what a reader must know of the table of numbers."""
    grades = "A grade is the difference from the paper's number, relative to it; for a bound, by how much it is missed."
    if data.paper_scale:
        return (
            f"{grades} The smoke profile has every setting of the full one: these numbers were measured at the paper's "
            "own scale."
        )
    if data.full is not None:
        return (
            f"{grades} Numbers of the full profile, run later (reproduction {data.full.number}), stand in place of the "
            "smoke profile's; those it did not measure are still at smoke scale."
        )
    return (
        f"{grades} The smoke profile runs the same code on a small scale: its numbers are not comparable with the "
        "paper's, and a good grade there reproduces nothing."
    )


def claim_words(item: ExpectedResult) -> str:
    """Return what the paper reports: `12.3 %`, `at most 3 s`."""
    bound = "" if item.relation == "equal" else f"{item.relation.replace('_', ' ')} "
    return f"{bound}{item.value:g}" + (f" {item.unit}" if item.unit else "")


def grade_words(row: MeasuredResult) -> str:
    """Return the grade; a number that was not measured at the paper's scale says so."""
    small = row.measured is not None and not is_full(row)
    return f"{row.grade} ({row.profile or 'unknown'} scale)" if small else row.grade


def is_full(row: MeasuredResult) -> bool:
    """True for what was measured at the paper's own scale; rows from before that was stored say it by the profile."""
    return row.paper_scale or row.profile == "full"


def not_reproduced(data: ReportData) -> list[str]:
    """Return, in plain sentences, what a reader must not expect of the repository."""
    rows: list[str] = []
    if data.plan is not None:
        rows += [f"{r.id} is unresolved: {r.what}" for r in data.plan.requirements if r.status == "unresolved"]
        if data.full is None and not data.paper_scale:
            small = "only the smoke profile was run; the full one needs"
            rows += [f"{e.name}: {small}: {e.full}" for e in data.plan.experiments if not _all_agree(data, e.name)]
            rows += [f"full profile: {words}"] if (words := cheap_full_words(data)) else []
        for row in data.plan.questions:
            asked = row.question if row.question.endswith((".", "?")) else f"{row.question}."
            rows.append(f"the paper leaves open: {asked} Assumed: {row.assumption}")
    rows += [f"{row.expected.id} {row.expected.metric}: {row.note}" for row in data.measured if row.measured is None]
    return rows


def _all_agree(data: ReportData, experiment: str) -> bool:
    """True where every number of an experiment is the paper's: what was run of it is no smaller in what counts."""
    rows = [row.grade for row in data.measured if row.expected.experiment == experiment]
    return bool(rows) and set(rows) == {"agrees to the printed digits"}


def requirements(data: ReportData) -> Rows:
    """Return the requirements ledger with what was seen of each."""
    return [
        (r.id, r.what, place_words(r.place), r.status, r.owner, ledger.evidence_cell(data.evidence, r.id))
        for r in (data.plan.requirements if data.plan is not None else ())
    ]


def reproductions(data: ReportData) -> Rows:
    """Return the profiles that were run later, and what came of them."""
    rows: Rows = []
    for item in data.reproductions:
        state = "passed" if item.passed else "failed"
        weak = " (WEAK isolation)" if item.weak else ""
        named = [f"{item.backend}{weak}, {item.cpus:g} cores, {item.memory_mb} MiB", item.where, item.builds]
        place = ", ".join(filter(None, named))
        said = item.reason or item.data or "without data from outside"
        rows.append((str(item.number), item.profile, state, item.started, f"{item.seconds:.1f}", place, said))
    return rows


def check_cells(check: Check) -> tuple[str, ...]:
    """Return the cells of one check."""
    code = "" if check.exit_code is None else str(check.exit_code)
    return (check.name, check.state.replace("_", " "), f"{check.seconds:.1f}", code, check.note, check.log)


def place(item: Diagnostic) -> str:
    """Return `path:line` of a diagnostic."""
    return f"{item.path}:{item.line}" if item.path and item.line else item.path


def place_words(item: PaperPlace) -> str:
    """Return where the paper says it."""
    page = f"p. {item.page}" if item.page else ""
    return ", ".join(part for part in (item.section, item.label, page) if part)


def decisions(data: ReportData) -> Rows:
    """Return the decisions of the safety policy and what they looked at."""
    rows: Rows = []
    for item in data.decisions:
        looked = "; ".join(f"{s.name} {s.examined} of {s.inputs}" for s in item.scanners) or "-"
        policy = f"{item.policy.file} {item.policy.version} {item.policy.sha256[:12]}"
        rows.append((item.gate, item.decision, item.status, item.subject, policy, item.screened_by or "-", looked))
    return rows


def findings(data: ReportData) -> Rows:
    """Return the findings of the safety policy, worst first."""
    order = ("critical", "high", "medium", "low", "info")
    ranked = sorted(data.findings, key=lambda item: order.index(item.severity))
    return [
        (
            item.severity,
            item.rule,
            f"{item.evidence.path}:{item.evidence.line}" if item.evidence.line else item.evidence.path,
            item.message,
            item.remedy,
        )
        for item in ranked
    ]


def provenance(data: ReportData) -> list[tuple[str, str]]:
    """Return ids, hashes, versions, and the settings that are not the default."""
    record = data.record
    rows = [("run", record.id), ("started", record.started), ("finished", record.finished)]
    rows += [("paper sha256", record.paper_sha256)]
    rows += [(f"version of {name}", value) for name, value in sorted(record.versions.items())]
    rows += [(f"hash of {name}", value) for name, value in sorted(record.hashes.items())]
    rows += [("answers recorded for a prompt in other words", str(record.reworded or ""))]
    chosen = {key: item for key, item in sorted(record.settings.items()) if item.source != "default"}
    rows += [(f"setting {key}", f"{item.value} (from {item.source})") for key, item in chosen.items()]
    return [(name, clean_line(value, 200)) for name, value in rows if value]


def _setting(data: ReportData, key: str) -> str:
    item = data.record.settings.get(key)
    return str(item.value) if item is not None and item.value else ""
