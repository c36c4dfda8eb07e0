"""The bibliography, entry by entry."""

from __future__ import annotations

import re

from agentsys.paper.model import ListBlock, Reference, Section

_DOI = re.compile(r"\b10\.\d{4,9}/[^\s,;\"]+[^\s,;.\"]")
_ARXIV = re.compile(r"arXiv[: ](?:preprint )?(?:arXiv:)?(?P<id>\d{4}\.\d{4,5}|[a-z-]+/\d{7})", re.I)
_KEY = re.compile(r"^\[(?P<key>[^\]]{1,20})\]\s*")


def make_reference(raw: str, key: str = "") -> Reference:
    """Make one entry, with what identifies the work."""
    match = _KEY.match(raw)
    if match and not key:
        key, raw = match["key"], raw[match.end() :]
    doi = _DOI.search(raw)
    arxiv = _ARXIV.search(raw)
    return Reference(key=key, raw=raw.strip(), doi=doi[0] if doi else "", arxiv=arxiv["id"] if arxiv else "")


def split_references(section: Section) -> list[Reference]:
    """Return the entries of a section: bracketed keys where there are some, else one a paragraph."""
    texts: list[str] = []
    for block in section.blocks:
        if isinstance(block, ListBlock):
            texts.extend(block.items)
        elif block.type == "paragraph":
            texts.append(block.text)
    joined = "\n".join(texts)
    keyed = re.split(r"(?:^|\s)(?=\[(?:\d{1,3}|[A-Z][A-Za-z+]{1,6}\d{2}[a-z]?)\]\s)", joined)
    if len(keyed) > 3:
        texts = [text for text in keyed if _KEY.match(text.strip())]
    return [make_reference(" ".join(text.split())) for text in texts if text.strip()]
