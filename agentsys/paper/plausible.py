"""Whether a file that was read looks like a paper at all."""

from __future__ import annotations

from pathlib import PurePath

from agentsys.paper.model import Paper

LEAST_WORDS = 100
"""Fewer words are a note, or the beginning of a file."""
LEAST_SECTIONS = 2
TEXT_SUFFIXES = frozenset({"", ".md", ".markdown", ".txt", ".text", ".rst"})
"""Endings of files that are meant to be read as text."""


def unlike_a_paper(paper: Paper) -> str:
    """Return in words what speaks against the file being a paper; empty where nothing does."""
    words = sum(len(text.split()) for text in (paper.abstract, *(block.text for block in paper.blocks())))
    titled = sum(bool(section.title) for section in paper.sections)
    suffix = PurePath(paper.source).suffix.lower()
    reasons = (
        f"a file `*{suffix}` was taken as plain text"
        if paper.format in ("markdown", "text") and suffix not in TEXT_SUFFIXES
        else "",
        f"it has only {words} words" if words < LEAST_WORDS else "",
        "neither an abstract, nor sections, nor references were found"
        if not paper.abstract and titled < LEAST_SECTIONS and not paper.references
        else "",
    )
    return "; ".join(filter(None, reasons))
