"""Findings of the policy as diagnostics, so that they are repaired like any other fault."""

from __future__ import annotations

from collections.abc import Sequence

from agentsys.core.artifacts import Diagnostic
from agentsys_policies.schema import Decision, Finding


def as_diagnostics(decision: Decision, findings: Sequence[Finding]) -> list[Diagnostic]:
    """Return one diagnostic for each finding that stops, or one that says why the decision is no allow."""
    rows = [
        Diagnostic(
            kind="audit",
            check="audit",
            message=f"rule `{item.rule}` ({item.severity}): {item.message}",
            path=item.evidence.path,
            line=item.evidence.line,
            symbol=item.rule,
            detail="\n".join(part for part in (item.evidence.quote, item.remedy) if part),
        )
        for item in findings
        if item.severity in ("medium", "high", "critical")
    ]
    if rows:
        return rows
    message = (
        f"the {decision.gate} gate says {decision.decision} ({decision.status}): {decision.note or decision.subject}"
    )
    return [Diagnostic(kind="audit", check="audit", message=message)]
