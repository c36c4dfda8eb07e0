"""Which paragraphs speak of a figure or a table."""

from __future__ import annotations

import re
from collections.abc import Collection

from agentsys.paper.model import Algorithm, Block, Figure, ListBlock, Paper, Paragraph, Table
from agentsys.paper.query import with_children

_MENTION = re.compile(
    r"\b(?P<kind>Figures?|Figs?\.?|Tables?|Tab\.)\s*~?(?P<labels>(?:[A-Z]?\.?\d+[a-z]?|[IVX]+)(?:\s*(?:,|and|&|–|-)\s*(?:[A-Z]?\.?\d+[a-z]?|[IVX]+))*)"
)
_ALGORITHM = re.compile(r"\b(?:Algorithms?|Alg\.)\s*~?([A-Z]?\.?\d+|[IVX]+)\b")
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

    return paper.with_blocks(filled)


def cited_floats(paper: Paper, sections: Collection[str]) -> set[str]:
    """Return the ids of the tables, figures and algorithms that sections speak of and do not contain.

    Args:
        sections: ids of sections; those below them count as theirs.
    """
    inside = with_children(paper, sections)
    blocks = [block for section in paper.sections if section.id in inside for block in section.blocks]
    own = {block.id for block in blocks}
    text = "\n".join(block.text for block in blocks if isinstance(block, Paragraph | ListBlock))
    named = set(_ALGORITHM.findall(text))
    return {
        block.id
        for block in paper.blocks()
        if block.id not in own
        and (
            (isinstance(block, Figure | Table) and not own.isdisjoint(block.citing))
            or (isinstance(block, Algorithm) and block.label in named)
        )
    }


def _mentioned(text: str, labels: dict[str, str]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for match in _MENTION.finditer(text):
        kind = "figure" if match["kind"].lower().startswith("fig") else "table"
        for label in re.findall(r"[A-Z]?\.?\d+|[IVX]+", match["labels"]):
            found.add((kind, label))
    for match in _REFERENCE.finditer(text):
        found.update(("id", labels[name.strip()]) for name in match[1].split(",") if name.strip() in labels)
    return found
