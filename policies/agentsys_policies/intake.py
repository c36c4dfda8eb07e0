"""Intake gate: limits and active content of a document, and what was done with text that nobody sees."""

from __future__ import annotations

from collections.abc import Iterator

from agentsys_policies.decide import finding
from agentsys_policies.rulebook import IntakeRules, Rule
from agentsys_policies.schema import Evidence, Finding, IntakeFacts, Scanner
from agentsys_policies.text import quote


def screen(facts: IntakeFacts, rules: IntakeRules) -> tuple[list[Finding], Scanner]:
    """Return the findings on a document and the receipt of what was examined of it."""
    by_id = {rule.id: rule for rule in rules.rules}
    found = list(_findings(facts, rules, by_id))
    pages = max(facts.pages, 1)
    rendered = facts.format == "pdf"
    missed = pages - facts.pages_examined if rendered else 0
    skipped = (f"{missed} of {pages} pages were not searched for hidden text",) if missed > 0 else ()
    return found, Scanner(name="intake", version="1", inputs=pages, examined=pages - max(missed, 0), skipped=skipped)


def _findings(facts: IntakeFacts, rules: IntakeRules, by_id: dict[str, Rule]) -> Iterator[Finding]:
    place = Evidence(path=facts.path, provenance="paper")
    if facts.size > rules.max_bytes:
        yield finding(by_id["intake.too-large"], place, f"{facts.size} bytes, {rules.max_bytes} are the limit")
    if facts.pages > rules.max_pages:
        yield finding(by_id["intake.too-many-pages"], place, f"{facts.pages} pages, {rules.max_pages} are the limit")
    if facts.encrypted:
        yield finding(by_id["intake.encrypted"], place)
    if facts.active_content:
        yield finding(by_id["intake.active-content"], place, ", ".join(facts.active_content))
    if facts.attachments:
        yield finding(by_id["intake.attachments"], place, str(facts.attachments))
    if facts.annotations_given:
        yield finding(by_id["intake.annotations"], place)
    if facts.invisible_characters:
        yield finding(by_id["intake.invisible-characters"], place, str(facts.invisible_characters))
    for run in facts.hidden:
        rule = by_id["intake.hidden-text" if run.removed else "intake.hidden-text-kept"]
        where = Evidence(path=facts.path, line=run.page, quote=quote(run.text), provenance="paper")
        yield finding(rule, where, f"{run.reason}, page {run.page}")
