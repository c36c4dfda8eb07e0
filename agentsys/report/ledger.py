"""What a report says of the ledger: evidence for each requirement, what the tests notice, and what reviews found."""

from __future__ import annotations

from collections import Counter

from agentsys.core.artifacts import Review, ReviewFinding
from agentsys.core.numbers import plural
from agentsys.core.text import clean_line
from agentsys.report.data import ReportData, RoundData
from agentsys.verify.checks.review import fingerprint, last_answer
from agentsys.verify.fidelity.dodged import DodgeKind
from agentsys.verify.fidelity.evidence import UNNAMED, Evidence, EvidenceState, RequirementEvidence
from agentsys.verify.fidelity.mutation_report import MutationReport, TriedMutant
from agentsys.verify.fidelity.papermap import SHOWN_MEANS, STATE_WORDS, open_ends

MUTANTS_HEAD = ("fault", "place", "before", "after", "outcome", "seconds")
REVIEW_HEAD = ("requirement", "place", "what differs", "the paper", "what became of it")
_MOST_IDS = 12
_DODGED: tuple[tuple[DodgeKind, str], ...] = (
    ("swallowed", "exceptions of the method swallowed"),
    ("unchecked", "kept from the type checker"),
)
_OPEN: tuple[tuple[EvidenceState, str], ...] = (
    ("not_done", "not done"),
    ("executed", "executed only"),
    ("written", "no evidence"),
    ("not_attempted", "not attempted"),
)


def evidence_words(data: ReportData) -> str:
    """Return `27 of 31 requirements shown by a fault noticed or a result; not done: R7, ...`; empty without a plan."""
    seen = data.evidence
    if seen is None:
        return ""
    words = [f"{len(seen.ids('shown'))} of {len(seen.requirements)} requirements shown by a fault noticed or a result"]
    if not seen.looked_at_tests:
        words[0] += " (no record of tests)"
    elif data.verdict is None or not data.verdict.passed:
        words[0] += " (of code that did not pass)"
    for state, name in _OPEN:
        ids = seen.ids(state)
        words += [f"{name}: {_ids(ids)}"] if ids else []
    unnamed = unnamed_count(seen)
    if unnamed:
        words.append(f"{unnamed} counted by any public function of the owner file: the plan names no symbols")
    words.append(SHOWN_MEANS)
    return "; ".join(words)


def open_line(data: ReportData) -> str:
    """Return what was left out, assumed or hidden, each by name: `1 unresolved (R3); not attempted: E2`."""
    rows = data.plan.requirements if data.plan is not None else ()
    words: list[str] = []
    for state in ("unresolved", "inferred"):
        ids = [row.id for row in rows if row.status == state]
        words += [f"{len(ids)} {state} ({_ids(ids)})"] if ids else []
    left = [row.expected.id for row in data.measured if row.grade == "not attempted"]
    words += [f"numbers not attempted: {_ids(left)}"] if left else []
    for kind, name in _DODGED:
        places = [f"{item.path}:{item.line}" for item in data.dodges if item.kind == kind]
        words += [f"{name}: {_ids(list(dict.fromkeys(places)))}"] if places else []
    return "; ".join(words)


def dodged_words(data: ReportData) -> list[str]:
    """Return a sentence for each swallowed exception, and for each line that the type checker was told to ignore."""
    return [f"{item.path}:{item.line}: {item.words}" for item in data.dodges]


def mutants_words(data: ReportData) -> str:
    """Return `the tests noticed 10 of 12 planted faults`; empty where the check was not done."""
    report = data.mutation
    if report is None:
        return ""
    caught, survived, left = (report.count(state) for state in ("caught", "survived", "not_run"))
    words = f"the tests noticed {caught} of {plural(caught + survived, 'planted fault')}"
    if not caught + survived:
        words = "no planted fault was tried"
    if broke := report.count("broke"):
        words += f"; {broke} more broke the code by themselves"
    if left:
        words += f"; {left} not tried"
    return f"{words}: {clean_line(report.note, 120)}" if report.note else words


def open_words(data: ReportData) -> list[str]:
    """Return a sentence for each requirement without owner or evidence, those that are not done first."""
    seen = data.evidence
    rows = open_ends(seen) if seen is not None else []
    rows.sort(key=lambda row: row.state != "not_done")
    what = {row.id: row.what for row in data.plan.requirements} if data.plan is not None else {}
    return [f"{row.id} is {_state(row)}: {what.get(row.id, '')} ({row.note})" for row in rows]


def unnoticed_words(data: ReportData) -> list[str]:
    """Return a sentence for each planted fault that no test noticed."""
    return [f"tests do not notice: {_fault(item)}" for item in (data.mutation.survivors if data.mutation else ())]


def mutants(report: MutationReport) -> list[tuple[str, ...]]:
    """Return the rows of the table of planted faults."""
    return [
        (item.fault, f"{item.path}:{item.line} {item.symbol}", item.before, item.after, _outcome(item), _took(item))
        for item in report.mutants
    ]


def evidence_cell(evidence: Evidence | None, requirement: str) -> str:
    """Return what was seen of one requirement, for the table of the ledger."""
    row = evidence.of(requirement) if evidence is not None else None
    if row is None:
        return "not looked at"
    tests = max([len(row.tests), *(item.tests_total for item in row.symbols)])
    measured = sum(1 for item in row.symbols if item.value is not None)
    parts = [plural(tests, "test")] if tests else []
    parts += [plural(measured, "result")] if measured else []
    said = f"{_state(row)}: {', '.join(parts)}" if parts else _state(row)
    return f"{said}; {row.note}" if row.note and row.note != UNNAMED else said


def unnamed_count(evidence: Evidence) -> int:
    """Return how many requirements counted by the owner file's functions, as the plan names no symbols."""
    return sum(1 for row in evidence.requirements if not row.named)


def _ids(ids: list[str]) -> str:
    more = len(ids) - _MOST_IDS
    return ", ".join(ids[:_MOST_IDS]) + (f" and {more} more" if more > 0 else "")


def _state(row: RequirementEvidence) -> str:
    return STATE_WORDS[row.state]


def _fault(item: TriedMutant) -> str:
    place = f"{item.path}:{item.line} in {item.symbol}"
    why = f" ({item.note})" if item.note else ""
    return f"{item.fault} at {place}: `{item.before}` -> `{item.after}`{why}"


def _outcome(item: TriedMutant) -> str:
    if item.state == "caught":
        return f"noticed by {item.by}"
    words = {"survived": "not noticed", "broke": "the code broke by itself"}.get(item.state, "not tried")
    return f"{words}: {item.note}" if item.note else words


def _took(item: TriedMutant) -> str:
    return f"{item.seconds:.1f}" if item.seconds else ""


def review_words(data: ReportData) -> str:
    """Return `9 files beside the paper, 3 findings: 2 repaired, 1 dismissed`; empty where no review was done."""
    found = _reviews(data)
    if not found:
        return ""
    files = {path for _, review in found for path in review.files}
    fates = Counter(fate.split(":")[0] for _, fate in _findings(data))
    words = f"{plural(len(files), 'file')} beside the paper, {plural(fates.total(), 'finding')}"
    return f"{words}: {', '.join(f'{count} {fate}' for fate, count in sorted(fates.items()))}" if fates else words


def review_findings(data: ReportData) -> list[tuple[str, ...]]:
    """Return the rows of the table of findings, in the order of the reviews."""
    return [
        (row.requirement, f"{row.path}:{row.line}" if row.line else row.path, row.what, row.paper, fate)
        for row, fate in _findings(data)
    ]


def _reviews(data: ReportData) -> list[tuple[RoundData, Review]]:
    return [(item, item.review) for item in data.rounds if item.review is not None]


def _findings(data: ReportData) -> list[tuple[ReviewFinding, str]]:
    return [(row, _fate(data, item.number, row)) for item, review in _reviews(data) for row in review.findings]


def _fate(data: ReportData, reviewed: int, row: ReviewFinding) -> str:
    """Return what became of a finding, by the last diagnosis that was about it and by the rounds after that."""
    if row.severity == "doubt":
        return "doubted: reported only"
    later = [item.diagnosis for item in data.rounds if item.number > reviewed and item.diagnosis is not None]
    diagnosis, reason = last_answer(row, later)
    if diagnosis is None:
        return "open"
    if reason:
        return f"dismissed: {reason}"
    after = [item for item in data.rounds if item.number > diagnosis.round]
    if not any(item.verdict is not None and item.verdict.passed for item in after):
        return "open"
    file = row.read_with or row.path
    looked = [item.review for item in after if item.review is not None and file in item.review.files]
    if any(fingerprint(row) == fingerprint(other) for review in looked for other in review.open):
        return "open"
    return f"repaired: {diagnosis.cause}" if looked else f"answered and not looked at again: {diagnosis.cause}"
