"""Which paragraphs speak of a figure or a table."""

from __future__ import annotations

import re

from agentsys.paper.model import Block, Figure, ListBlock, Paper, Paragraph, Table

_MENTION = re.compile(
    r"\b(?P<kind>Figures?|Figs?\.?|Tables?|Tab\.)\s*~?(?P<labels>(?:[A-Z]?\.?\d+[a-z]?|[IVX]+)(?:\s*(?:,|and|&|–|-)\s*(?:[A-Z]?\.?\d+[a-z]?|[IVX]+))*)"
)
_REFERENCE = re.compile(r"\\[A-Za-z]*ref\*?\s*\{([^{}]*)\}")


def with_citing(paper: Paper, labels: dict[str, str] | None = None) -> Paper:
    """Return the paper with `citing` filled in.

    Args:
        labels: LaTeX label -> id of the block that carries it.
    """
    mentions: dict[tuple[str, str], list[str]] = {}
    for block in paper.blocks():
        if isinstance(block, Paragraph | ListBlock):
            for key in _mentioned(block.text, labels or {}):
                mentions.setdefault(key, []).append(block.id)
    if not mentions:
        return paper

    def filled(block: Block) -> Block:
        if not isinstance(block, Figure | Table):
            return block
        kind = "figure" if block.caption[:3].lower() == "fig" or isinstance(block, Figure) else "table"
        found = [*block.citing, *mentions.get((kind, block.label), []), *mentions.get(("id", block.id), [])]
        return block.model_copy(update={"citing": tuple(dict.fromkeys(found))}) if found else block

    sections = tuple(
        section.model_copy(update={"blocks": tuple(filled(block) for block in section.blocks)})
        for section in paper.sections
    )
    return paper.model_copy(update={"sections": sections})


def _mentioned(text: str, labels: dict[str, str]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for match in _MENTION.finditer(text):
        kind = "figure" if match["kind"].lower().startswith("fig") else "table"
        for label in re.findall(r"[A-Z]?\.?\d+|[IVX]+", match["labels"]):
            found.add((kind, label))
    for match in _REFERENCE.finditer(text):
        found.update(("id", labels[name.strip()]) for name in match[1].split(",") if name.strip() in labels)
    return found
