"""The facts about a document that the intake gate judges, taken from what the reader found."""

from __future__ import annotations

from pathlib import Path

from agentsys.paper.model import Paper
from agentsys_policies.schema import HiddenText, IntakeFacts


def intake_facts(paper: Paper, folder: Path) -> IntakeFacts:
    """Return what the reader saw of the document in `folder`.

    Hidden text counts as removed: the reader takes it out of all blocks before anything else sees them.
    """
    audit = paper.audit
    active = [
        name
        for name, there in (
            ("javascript", audit.javascript),
            ("launch", audit.launch),
            ("open_action", audit.open_action),
        )
        if there
    ]
    sources = [file for file in folder.glob("source.*") if file.is_file()]
    return IntakeFacts(
        path=paper.source,
        sha256=paper.sha256,
        format=paper.format,
        size=sources[0].stat().st_size if sources else 0,
        pages=max(1, len(paper.pages)),
        # A source without pages has no layer that could be hidden; its text is all there is.
        pages_examined=max(1, len(paper.pages)) if audit.checked or not paper.pages else 0,
        active_content=tuple(active),
        attachments=len(audit.embedded_files),
        hidden=tuple(
            HiddenText(page=row.page, reason=row.reason, text=row.text[:500], removed=True) for row in audit.hidden_text
        ),
    )
