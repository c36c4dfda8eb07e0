"""Put nougat's pages and the text layer together.

Prose, numbers and tables stay as the text layer has them; display equations, and the paragraphs of pages whose
mathematics is not to be trusted, come from nougat, on pages that were accepted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from agentsys.paper.model import Block, Equation, Paper, Paragraph
from agentsys.paper.nougat import PageReading

_DISPLAY = re.compile(r"\\\[(?P<body>.*?)\\\]", re.S)
_TAG = re.compile(r"\\tag\s*\{\s*\(?(?P<number>[^{}()]*)\)?\s*\}")
LIKENESS = 0.6


def merge(paper: Paper, accepted: Mapping[int, PageReading]) -> Paper:
    """Return the paper with the equations of accepted pages."""
    doubtful = {page.number for page in paper.pages if not page.math_trusted}
    waiting = {page: _displays(reading.markdown) for page, reading in accepted.items()}
    prose = {page: _paragraphs(reading.markdown) for page, reading in accepted.items() if page in doubtful}

    def merged(block: Block) -> Block:
        if isinstance(block, Equation) and block.page in waiting:
            return _equation(block, waiting[block.page])
        if isinstance(block, Paragraph) and block.page in prose:
            return _paragraph(block, prose[block.page])
        return block

    sections = tuple(
        section.model_copy(update={"blocks": tuple(merged(block) for block in section.blocks)})
        for section in paper.sections
    )
    pages = tuple(
        page.model_copy(update={"source": "nougat"}) if page.number in accepted else page for page in paper.pages
    )
    return paper.model_copy(update={"sections": sections, "pages": pages})


def _displays(markdown: str) -> list[tuple[str, str]]:
    """Return `(number, LaTeX)` of every display equation."""
    found: list[tuple[str, str]] = []
    for match in _DISPLAY.finditer(markdown):
        tag = _TAG.search(match["body"])
        found.append((tag["number"].strip() if tag else "", _TAG.sub("", match["body"]).strip()))
    return found


def _paragraphs(markdown: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", _DISPLAY.sub("\n\n", markdown)) if len(part.strip()) > 40]


def _letters(text: str) -> str:
    return re.sub(r"\\[A-Za-z]+|[^A-Za-z0-9=+]", "", text)


def _equation(block: Equation, waiting: list[tuple[str, str]]) -> Equation:
    """Take the equation with the same number, else the one most like it."""
    chosen = next((item for item in waiting if block.number and item[0] == block.number), None)
    if chosen is None:
        free = [item for item in waiting if not item[0]] if not block.number else waiting
        scored = [
            (difflib.SequenceMatcher(None, _letters(block.text), _letters(item[1])).ratio(), item) for item in free
        ]
        best = max(scored, key=lambda pair: pair[0], default=(0.0, ("", "")))
        if best[0] < LIKENESS:
            return block
        chosen = best[1]
    waiting.remove(chosen)
    return block.model_copy(update={"latex": chosen[1], "source": "nougat", "trusted": True, "confidence": 0.85})


def _paragraph(block: Paragraph, texts: list[str]) -> Paragraph:
    found = difflib.get_close_matches(block.text, texts, 1, LIKENESS)
    return block.model_copy(update={"text": found[0], "source": "nougat"}) if found else block
