"""What a report says of the reviews: where code and paper were found to differ, and what became of it."""

from __future__ import annotations

from collections import Counter

from agentsys.core.artifacts import Review, ReviewFinding
from agentsys.core.numbers import plural
from agentsys.report.data import ReportData, RoundData
from agentsys.verify.review_findings import fingerprint, last_answer

FINDINGS_HEAD = ("requirement", "place", "what differs", "the paper", "what became of it")


def review_words(data: ReportData) -> str:
    """Return `9 files beside the paper, 3 findings: 2 repaired, 1 dismissed`; empty where no review was done."""
    found = _reviews(data)
    if not found:
        return ""
    files = {path for _, review in found for path in review.files}
    fates = Counter(fate.split(":")[0] for _, fate in _findings(data))
    words = f"{plural(len(files), 'file')} beside the paper, {plural(fates.total(), 'finding')}"
    return f"{words}: {', '.join(f'{count} {fate}' for fate, count in sorted(fates.items()))}" if fates else words


def findings(data: ReportData) -> list[tuple[str, ...]]:
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
    looked = [item.review for item in after if item.review is not None and row.path in item.review.files]
    if any(fingerprint(row) == fingerprint(other) for review in looked for other in review.open):
        return "open"
    return f"repaired: {diagnosis.cause}" if looked else f"answered and not looked at again: {diagnosis.cause}"
