"""The check `audit`: what the policy says about the code. The auditor asks it before anything is executed."""

from __future__ import annotations

from collections.abc import Sequence

from agentsys.core.artifacts import Check, Diagnostic
from agentsys.verify.checks.base import CheckSpec, Found, Screened
from agentsys_policies.engine import Policy
from agentsys_policies.schema import Decision

GATES = {"code", "dependency", "command"}
"""What has to be looked at before any code is run."""


def audit_found(decisions: Sequence[Decision], policy: Policy) -> Found:
    """Turn the audit of a tree into a check, which only a complete allow passes."""
    refused = [decision for decision in decisions if not decision.allows]
    complete = {decision.gate for decision in decisions} == GATES
    note = ", ".join(f"{decision.gate} {decision.decision}" for decision in decisions)
    state = "passed" if complete and not refused else "failed"
    check = Check(name=CHECK.name, state=state, note=note, log="audit/code.json")
    rows = [row for decision in refused for row in policy_diagnostics(decision, policy)]
    return Found(check, tuple(rows))


def policy_diagnostics(decision: Decision, policy: Policy) -> list[Diagnostic]:
    """Return one diagnostic for each finding that stops, or one that says why the decision is no allow.

    Findings of the policy are repaired like any other fault.
    """
    rows = [
        Diagnostic(
            kind="audit",
            check=CHECK.name,
            message=f"rule `{item.rule}` ({item.severity}): {item.message}",
            path=item.evidence.path,
            line=item.evidence.line,
            symbol=item.rule,
            detail="\n".join(part for part in (item.evidence.quote, item.remedy) if part),
        )
        for item in policy.open_findings(decision)
        if item.severity in ("medium", "high", "critical")
    ]
    if rows:
        return rows
    message = (
        f"the {decision.gate} gate says {decision.decision} ({decision.status}): {decision.note or decision.subject}"
    )
    return [Diagnostic(kind="audit", check=CHECK.name, message=message)]


def with_installed(audit: Found, screened: Screened | None) -> Found:
    """Add what was said about the installed environment to the audit of the repository."""
    if screened is None:
        return audit
    note = ", ".join(part for part in (audit.check.note, screened.note) if part)
    state = "failed" if screened.refused else audit.check.state
    check = audit.check.model_copy(update={"note": note, "state": state})
    return Found(check, (*audit.diagnostics, *screened.found))


CHECK = CheckSpec("audit")
