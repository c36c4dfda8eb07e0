"""Given a PDF and its LaTeX source, equations come from the source, places and everything else from the PDF."""

from __future__ import annotations

import difflib
import re

from agentsys.paper.model import Block, Equation, Paper

LIKENESS = 0.55


def with_source(paper: Paper, source: Paper) -> Paper:
    """Return the paper with the LaTeX of the source's equations, and its macros as notation."""
    numbered = {part: item for item in source.equations for part in item.number.split(", ") if part}
    waiting = [item for item in source.equations if not item.number]

    def merged(block: Block) -> Block:
        if not isinstance(block, Equation):
            return block
        found = numbered.get(block.number) if block.number else _nearest(block, waiting)
        if found is None:
            return block
        if found in waiting:
            waiting.remove(found)
        return block.model_copy(update={"latex": found.latex, "source": "latex", "trusted": True, "confidence": 1.0})

    sections = tuple(
        section.model_copy(update={"blocks": tuple(merged(block) for block in section.blocks)})
        for section in paper.sections
    )
    warnings = list(paper.warnings)
    if _plain(source.title) and _plain(source.title) != _plain(paper.title):
        warnings.append(f"the source has another title than the PDF: `{source.title[:100]}`")
    return paper.model_copy(
        update={
            "sections": sections,
            "notation": source.notation,
            "parser": f"{paper.parser} + {source.parser}",
            "warnings": tuple(warnings),
        }
    )


def _nearest(block: Equation, waiting: list[Equation]) -> Equation | None:
    scored = [
        (difflib.SequenceMatcher(None, _letters(block.text), _letters(item.text)).ratio(), position)
        for position, item in enumerate(waiting)
    ]
    best = max(scored, default=(0.0, 0))
    return waiting[best[1]] if best[0] >= LIKENESS else None


def _letters(text: str) -> str:
    return re.sub(r"\\(?:begin|end)\{[^}]*\}|\\[A-Za-z]+|[^A-Za-z0-9=+]", "", text)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())
