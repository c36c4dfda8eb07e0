"""Build sections from headings and blocks, for the formats that say what is a heading."""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast

from agentsys.paper.model import Block, BlockBase, Format, Paper, Paragraph, Section, SectionKind, Source

B = TypeVar("B", bound=BlockBase)

KINDS: dict[str, SectionKind] = {
    "abstract": "abstract",
    "references": "references",
    "bibliography": "references",
    "acknowledgments": "acknowledgements",
    "acknowledgements": "acknowledgements",
    "acknowledgment": "acknowledgements",
    "acknowledgement": "acknowledgements",
    "appendix": "appendix",
    "appendices": "appendix",
    "supplementary material": "appendix",
}


class SectionBuilder:
    """Collects sections in order; gives ids, numbers and parents."""

    def __init__(self, source: Source) -> None:
        self.source: Source = source
        self.sections: list[Section] = []
        self.blocks: list[Block] = []
        self.path: list[tuple[int, str]] = []
        self.used: set[str] = set()
        self.count = 0
        self.open: Section | None = None
        self.appendix = False

    def next_id(self) -> str:
        """Return a fresh block id."""
        self.count += 1
        return f"b{self.count}"

    def heading(
        self, title: str, level: int, number: str = "", kind: SectionKind | None = None, page: int | None = None
    ) -> None:
        """Begin a section."""
        self.close()
        known = KINDS.get(re.sub(r"[^a-z ]+", "", title.lower()).strip())
        kind = kind or known or ("appendix" if self.appendix else "body")
        self.appendix = self.appendix or kind == "appendix"
        while self.path and self.path[-1][0] >= level:
            self.path.pop()
        parent = self.path[-1][1] if self.path else None
        identity = unique(f"s{number}" if number else slug(title), self.used)
        self.path.append((level, identity))
        self.open = Section(
            id=identity, number=number, title=title, level=max(level, 1), page=page, parent=parent, kind=kind
        )

    def add(self, kind: type[B], **fields: Any) -> B:
        """Add a block with a fresh id to the open section and return it."""
        block = kind(id=self.next_id(), source=self.source, **fields)
        self.blocks.append(cast(Block, block))
        return block

    def paragraph(self, text: str) -> None:
        """Add a paragraph, if there is any text."""
        if text:
            self.add(Paragraph, text=text)

    def close(self) -> None:
        """End the open section."""
        if self.open is None and self.blocks:
            self.open = Section(id=unique("front", self.used), kind="other", page=self.blocks[0].page)
        if self.open is not None:
            self.sections.append(self.open.model_copy(update={"blocks": tuple(self.blocks)}))
        self.open = None
        self.blocks = []

    def paper(self, name: str, sha256: str, kind: Format, **fields: Any) -> Paper:
        """End the open section and return the paper."""
        self.close()
        abstract = (block.text for section in self.sections if section.kind == "abstract" for block in section.blocks)
        fields.setdefault("abstract", "\n\n".join(text for text in abstract if text))
        return Paper(
            source=name,
            sha256=sha256,
            format=kind,
            parser=f"agentsys {'markdown' if kind == 'text' else kind} 1",
            sections=tuple(self.sections),
            **fields,
        )


def slug(title: str) -> str:
    """Return a title as an id."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-") or "section"


def unique(wanted: str, used: set[str]) -> str:
    """Return `wanted`, or it with a number if it is in use; the result is added to `used`."""
    name, count = wanted, 2
    while name in used:
        name, count = f"{wanted}-{count}", count + 1
    used.add(name)
    return name
