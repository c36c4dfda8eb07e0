"""The check `review`: where a reader finds that code and paper differ. It comes on top of a round that passed."""

from __future__ import annotations

from collections.abc import Iterable

from agentsys.core.artifacts import Check, CheckState, Diagnosis, Diagnostic, ReviewFinding, Verdict
from agentsys.verify.checks.base import CheckSpec
from agentsys.verify.logs.diagnostics import order_and_merge


def review_diagnostics(rows: Iterable[ReviewFinding]) -> tuple[Diagnostic, ...]:
    """Return findings in the form in which the debugger is given them; what is the same is merged."""
    return order_and_merge(_diagnostic(row) for row in rows)


def _diagnostic(row: ReviewFinding) -> Diagnostic:
    quotes = [f"paper: {row.paper}", f"code: {row.code}" if row.code else "", f"wanted: {row.fix}" if row.fix else ""]
    return Diagnostic(
        kind="fidelity",
        check=CHECK.name,
        message=f"{row.requirement} {row.severity}: {row.what}",
        path=row.path,
        line=row.line,
        symbol=row.requirement,
        detail="\n".join(part for part in quotes if part),
        requirements=(row.requirement,),
    )


def with_review(
    verdict: Verdict, round: int, state: CheckState, note: str, diagnostics: tuple[Diagnostic, ...]
) -> Verdict:
    """Return the verdict of a later round on the same tree: the same checks, and what the review said last."""
    rest = (row for row in verdict.checks if row.name != CHECK.name)
    checks = (*rest, Check(name=CHECK.name, state=state, note=note))
    return verdict.model_copy(update={"round": round, "checks": checks, "diagnostics": diagnostics})


def fingerprint(row: ReviewFinding) -> str:
    """Return the fingerprint that the finding has as a diagnostic, merged with others or not."""
    return review_diagnostics([row])[0].fingerprint


def last_answer(row: ReviewFinding, diagnoses: Iterable[Diagnosis]) -> tuple[Diagnosis | None, str]:
    """Return the last of these diagnoses that was about the finding, and the reason if it dismissed it."""
    mark = fingerprint(row)
    answers = [diagnosis for diagnosis in diagnoses if mark in diagnosis.fingerprints]
    if not answers:
        return None, ""
    return answers[-1], next((item.reason for item in answers[-1].dismissed if item.fingerprint == mark), "")


CHECK = CheckSpec("review", demanded=False)
