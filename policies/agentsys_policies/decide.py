"""From findings to a decision: the worst wins, and what was not examined is never an allow."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from agentsys_policies.rulebook import Meta, Rule
from agentsys_policies.schema import Decision, Evidence, Finding, Gate, Outcome, PolicyRef, Scanner, Severity, State
from agentsys_policies.text import quote

SEVERITIES: tuple[Severity, ...] = ("info", "low", "medium", "high", "critical")
_RANK = {name: rank for rank, name in enumerate(SEVERITIES)}
_OUTCOMES: tuple[Outcome, ...] = ("allow", "review", "block")


def rank(severity: Severity) -> int:
    """Order of severities: 0 is `info`, 4 is `critical`."""
    return _RANK[severity]


def outcome_of(findings: Iterable[Finding], meta: Meta) -> Outcome:
    """Return the outcome of the worst finding."""
    worst = max((_RANK[finding.severity] for finding in findings), default=-1)
    if worst >= _RANK[meta.block_at]:
        return "block"
    return "review" if worst >= _RANK[meta.review_at] else "allow"


def worse(first: Outcome, second: Outcome) -> Outcome:
    """Return the stricter of two outcomes."""
    return first if _OUTCOMES.index(first) >= _OUTCOMES.index(second) else second


def finding(rule: Rule, evidence: Evidence | None = None, detail: str = "") -> Finding:
    """Build a finding from its rule; `detail` is added to the rule's message."""
    return Finding(
        rule=rule.id,
        category=rule.category,
        severity=rule.severity,
        message=f"{rule.message}: {quote(detail)}" if detail else rule.message,
        remedy=rule.remedy,
        evidence=evidence or Evidence(),
    )


def decide(
    gate: Gate,
    subject: str,
    findings: Sequence[Finding],
    *,
    policy: PolicyRef,
    meta: Meta,
    sha256: str = "",
    status: State = "ok",
    scanners: Sequence[Scanner] = (),
    screened_by: str = "",
    note: str = "",
    loosened: Sequence[str] = (),
) -> Decision:
    """Build the decision of one gate. A status other than `ok` is at least `review`."""
    outcome = outcome_of(findings, meta)
    if any(scanner.examined < scanner.inputs or scanner.skipped for scanner in scanners) and status == "ok":
        status = "incomplete"
    if status != "ok":
        outcome = worse(outcome, "review")
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    key = f"{gate}\0{subject}\0{sha256}\0{policy.sha256}\0{outcome}\0{[item.model_dump() for item in findings]}"
    return Decision(
        id=f"{gate}-{hashlib.sha256(key.encode()).hexdigest()[:12]}",
        ts=now,
        gate=gate,
        subject=quote(subject),
        sha256=sha256,
        decision=outcome,
        status=status,
        screened_by=screened_by,
        policy=policy,
        findings=tuple(sorted(findings, key=lambda item: -_RANK[item.severity])),
        scanners=tuple(scanners),
        loosened=tuple(loosened),
        note=note,
    )
