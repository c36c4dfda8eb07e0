"""The audit as a page that a person reads: verdict first, then what was found, then what was looked at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from agentsys_policies.advisories import Advisories
from agentsys_policies.licences import kind_of
from agentsys_policies.sbom import Installed
from agentsys_policies.schema import Decision, Finding
from agentsys_policies.text import quote

_MOST = 200
"""Findings listed one by one; the rest are counted."""


def page(
    title: str,
    decisions: Sequence[Decision],
    *,
    head: str = "",
    installed: Sequence[Installed] = (),
    advisories: Advisories | None = None,
) -> str:
    """Return the audit page as Markdown."""
    lines = [f"# Safety audit of {_plain(title)}", "", *_looser(decisions), f"**{verdict(decisions)}**", ""]
    lines += ["| gate | subject | decision | status | findings |", "| --- | --- | --- | --- | --- |"]
    for item in decisions:
        by = f" by {item.screened_by}" if item.screened_by else ""
        row = (item.gate, _plain(item.subject), f"{item.decision}{by}", item.status, str(len(item.findings)))
        lines.append(f"| {' | '.join(row)} |")
    lines += ["", "## Findings", "", *_findings(decisions)]
    lines += ["", "## What was looked at", "", *_receipts(decisions)]
    lines += ["", "## Installed packages", "", *_packages(installed, advisories)]
    lines += ["", "## Rules and record", "", *_rules(decisions)]
    if head:
        lines.append(f"- head of the record: `{head}`; `agentsys audit verify` recomputes it")
    return "\n".join(lines) + "\n"


def verdict(decisions: Sequence[Decision]) -> str:
    """Return the verdict over all decisions in one sentence."""
    if not decisions:
        return "Nothing was audited."
    if all(item.allows for item in decisions):
        return "Allowed: every gate examined all that it had to see and found nothing that stops."
    blocked = sorted({item.gate for item in decisions if item.decision == "block"})
    if blocked:
        return f"Refused by: {', '.join(blocked)}."
    waiting = sorted({item.gate for item in decisions if not item.allows})
    return f"Not allowed without a person's look: {', '.join(waiting)}."


def _findings(decisions: Sequence[Decision]) -> list[str]:
    found = [item for decision in decisions for item in decision.findings]
    if not found:
        return ["None."]
    lines = [_finding(item) for item in found[:_MOST]]
    if len(found) > _MOST:
        rest = Counter(item.rule for item in found[_MOST:])
        lines.append(
            f"- and {len(found) - _MOST} more: " + ", ".join(f"{rule} {count}" for rule, count in rest.items())
        )
    for decision in decisions:
        for one in decision.overrides:
            lines.append(f"- permitted by {_plain(one.who)} ({one.ts}), rule `{one.rule}`: {_plain(one.reason)}")
    return lines


def _finding(item: Finding) -> str:
    place = f" in `{_code(item.evidence.path)}`" if item.evidence.path else ""
    line = f" line {item.evidence.line}" if item.evidence.line else ""
    words = f": `{_code(item.evidence.quote)}`" if item.evidence.quote else ""
    what = f"{_plain(item.message)}. Remedy: {_plain(item.remedy)}."
    return f"- **{item.severity}** `{item.rule}`{place}{line}{words}: {what}"


def _receipts(decisions: Sequence[Decision]) -> list[str]:
    lines: list[str] = []
    for decision in decisions:
        for one in decision.scanners:
            lines.append(f"- {decision.gate}, {one.name} {one.version}: {one.examined} of {one.inputs} examined")
            lines += [f"  - not examined: `{_code(reason)}`" for reason in one.skipped[:50]]
            if len(one.skipped) > 50:
                lines.append(f"  - and {len(one.skipped) - 50} more")
    return lines or ["Nothing."]


def _packages(installed: Sequence[Installed], advisories: Advisories | None) -> list[str]:
    if not installed:
        return ["Not looked at: there is no list of an installed environment."]
    lines = [f"{len(installed)} distributions; the bill of materials is in `sbom.cdx.json`.", ""]
    kinds = Counter(kind_of(item.licence) for item in installed)
    lines.append("- licences: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    strong = [item.name for item in installed if kind_of(item.licence) == "strong copyleft"]
    if strong:
        lines.append(f"- strong copyleft: {', '.join(map(_plain, strong))}")
    if advisories is None:
        return [*lines, "- vulnerabilities: not looked up, there is no advisory data"]
    hits = [(item, advisories.affecting(item.name, item.version)) for item in installed]
    lines.append(f"- vulnerabilities: looked up in data of {advisories.date} on {advisories.packages} packages")
    lines += [f"  - {_plain(item.name)} {_plain(item.version)}: {', '.join(ids)}" for item, ids in hits if ids]
    return lines if any(ids for _, ids in hits) else [*lines, "  - none of the installed versions is listed"]


def _rules(decisions: Sequence[Decision]) -> list[str]:
    refs = sorted({(item.policy.file, item.policy.version, item.policy.sha256) for item in decisions})
    return [f"- policy `{_code(file)}` {version}, sha256 `{digest}`" for file, version, digest in refs]


def _looser(decisions: Sequence[Decision]) -> list[str]:
    """What the policy lets pass that the shipped one does not; it stands before the verdict."""
    looser = sorted({row for item in decisions for row in item.loosened})
    return (
        ["**Judged by a policy looser than the shipped one:**", "", *(f"- {_plain(row)}" for row in looser), ""]
        if looser
        else []
    )


def _plain(text: str) -> str:
    """Text in Markdown that stays text."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", quote(text))


def _code(text: str) -> str:
    return quote(text).replace("`", "'").replace("|", "¦")
