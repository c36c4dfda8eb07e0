"""Findings as SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/), which editors and code hosts show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote as percent

from agentsys_policies.rulebook import Rule
from agentsys_policies.schema import Decision, Finding, Override, Severity

_LEVELS: dict[Severity, str] = {
    "info": "note",
    "low": "note",
    "medium": "warning",
    "high": "error",
    "critical": "error",
}


def sarif(decisions: Sequence[Decision], rules: Mapping[str, Rule], version: str) -> dict[str, Any]:
    """Return one run with every finding; overrides become suppressions with their justification.

    What a scanner skipped is a notification, and `executionSuccessful` is true only if nothing was skipped.
    """
    used = sorted({item.rule for decision in decisions for item in decision.findings})
    skipped = [reason for decision in decisions for scanner in decision.scanners for reason in scanner.skipped]
    whole = all(decision.status == "ok" for decision in decisions)
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "agentsys",
                        "semanticVersion": version,
                        "informationUri": "https://pypi.org/project/agentsys/",
                        "rules": [_rule(name, rules) for name in used],
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": whole,
                        "toolExecutionNotifications": [
                            {"level": "warning", "message": {"text": f"not examined: {reason}"}} for reason in skipped
                        ],
                    }
                ],
                "results": [
                    _result(item, used, decision.overrides) for decision in decisions for item in decision.findings
                ],
                "columnKind": "unicodeCodePoints",
            }
        ],
    }


def _rule(name: str, rules: Mapping[str, Rule]) -> dict[str, Any]:
    rule = rules.get(name)
    if rule is None:
        return {"id": name}
    return {
        "id": name,
        "shortDescription": {"text": rule.message},
        "help": {"text": rule.remedy},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"category": rule.category, "severity": rule.severity},
    }


def _result(item: Finding, used: Sequence[str], overrides: Sequence[Override]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": item.rule,
        "ruleIndex": used.index(item.rule),
        "level": _LEVELS[item.severity],
        "message": {"text": f"{item.message} (remedy: {item.remedy})" if item.remedy else item.message},
        "properties": {"category": item.category, "severity": item.severity, "provenance": item.evidence.provenance},
    }
    if item.evidence.path:
        place: dict[str, Any] = {"artifactLocation": {"uri": percent(item.evidence.path)}}
        if item.evidence.line:
            region: dict[str, Any] = {"startLine": item.evidence.line}
            if item.evidence.column:
                region["startColumn"] = item.evidence.column
            if item.evidence.quote:
                region["snippet"] = {"text": item.evidence.quote}
            place["region"] = region
        found["locations"] = [{"physicalLocation": place}]
    lifted = [one for one in overrides if one.rule == item.rule]
    if lifted:
        found["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": f"{one.who}, {one.ts}: {one.reason}"}
            for one in lifted
        ]
    return found
