"""A person's permission: it lifts one rule's findings, with a name and a reason, and it stays in the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from agentsys_policies.decide import outcome_of
from agentsys_policies.errors import PolicyError
from agentsys_policies.rulebook import Meta, PurposeRules, Rule
from agentsys_policies.schema import Decision, Evidence, Finding, Override


def permit(
    rule: str,
    who: str,
    reason: str,
    rules: Mapping[str, Rule],
    *,
    scope: Literal["finding", "run"] = "finding",
    evidence: Evidence | None = None,
) -> Override:
    """Build an override. Raises: PolicyError if the rule is unknown, may not be overridden, or name or reason lack."""
    if rule not in rules:
        raise PolicyError(f"there is no rule `{rule}`", "`agentsys policy explain` lists the rules")
    if rules[rule].never_override:
        raise PolicyError(f"nobody may override the rule `{rule}`", "change what it refused")
    if not who.strip():
        raise PolicyError("an override needs the name of a person", "give your name")
    if len(reason.strip()) < 10:
        raise PolicyError("an override needs a reason of at least ten characters", "say why this is acceptable")
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Override(
        rule=rule, who=who.strip(), reason=reason.strip(), ts=now, scope=scope, evidence=evidence or Evidence()
    )


def apply(
    decision: Decision,
    overrides: Sequence[Override],
    *,
    rules: Mapping[str, Rule],
    purpose: PurposeRules,
    meta: Meta,
) -> Decision:
    """Decide again without the findings that persons permitted.

    A status other than `ok` stays what it is: nobody can permit what was not examined.
    """
    used = [item for item in overrides if any(_lifts(item, one, rules, purpose) for one in decision.findings)]
    if not used or decision.status != "ok":
        return decision
    left = [one for one in decision.findings if not any(_lifts(item, one, rules, purpose) for item in used)]
    outcome = outcome_of(left, meta)
    return decision.model_copy(update={"decision": outcome, "overrides": (*decision.overrides, *used)})


def _lifts(override: Override, found: Finding, rules: Mapping[str, Rule], purpose: PurposeRules) -> bool:
    rule = rules.get(found.rule)
    if override.rule != found.rule or rule is None or rule.never_override:
        return False
    if purpose.categories.get(found.category) == "never_override":
        return False
    same = (override.evidence.path, override.evidence.quote) == (found.evidence.path, found.evidence.quote)
    return override.scope == "run" or same
