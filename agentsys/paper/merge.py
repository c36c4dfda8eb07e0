"""A second reading of the same paper gives equations and cells of tables; everything else stays as the PDF has it.

Prose, numbers and tables of a text layer are right where a model guesses. Of a model, paragraphs are taken as well on
pages whose mathematics is not to be trusted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from agentsys.paper.model import Block, Equation, Paper, Paragraph, Table

SOURCE_LIKENESS = 0.55
MODEL_LIKENESS = 0.6
"""Least likeness (0 to 1) of letters, digits and signs at which two equations without a common number are the same."""
CELL_LIKENESS = 0.5
"""Least share of the words and numbers of a source's table that the PDF's table must hold to be the same."""
_DISPLAY = re.compile(r"\\\[(?P<body>.*?)\\\]", re.S)
_TAG = re.compile(r"\\tag\s*\{\s*\(?(?P<number>[^{}()]*)\)?\s*\}")


def with_source(paper: Paper, source: Paper) -> Paper:
    """Return the paper with the LaTeX of its source's equations, its cells of tables, and its macros as notation."""
    numbered = {part: item.latex for item in source.equations for part in item.number.split(", ") if part}
    waiting = [item.latex or "" for item in source.equations if not item.number]
    tables = {table.label: table for table in source.tables if table.label and table.rows}

    def merged(block: Block) -> Block:
        if isinstance(block, Table) and block.label in tables:
            return _with_cells(block, tables[block.label])
        if not isinstance(block, Equation):
            return block
        latex = numbered.get(block.number) if block.number else _nearest(block.text, waiting, SOURCE_LIKENESS)
        if latex is None:
            return block
        if not block.number:
            waiting.remove(latex)
        return block.model_copy(update={"latex": latex, "source": "latex", "trusted": True, "confidence": 1.0})

    warnings = paper.warnings
    if _plain(source.title) and _plain(source.title) != _plain(paper.title):
        warnings = (*warnings, f"the source has another title than the PDF: `{source.title[:100]}`")
    parser = f"{paper.parser} + {source.parser}"
    return paper.with_blocks(merged, notation=source.notation, parser=parser, warnings=warnings)


def _with_cells(block: Table, source: Table) -> Table:
    """Take the cells of the source if it is the same table: another numbering must not exchange two of them."""
    seen = set(re.findall(r"[a-z]{3,}|\d+(?:\.\d+)?", f"{block.caption} {block.text}".lower()))
    words = [
        word for row in source.rows for cell in row for word in re.findall(r"[a-z]{3,}|\d+(?:\.\d+)?", cell.lower())
    ]
    shared = sum(word in seen for word in words)
    if not words or shared < CELL_LIKENESS * len(words):
        return block
    return block.model_copy(update={"rows": source.rows, "source": "latex", "confidence": 1.0})


def with_pages(paper: Paper, markdown: Mapping[int, str]) -> Paper:
    """Return the paper with the display equations that a model wrote as Markdown, by page number."""
    doubtful = {page.number for page in paper.pages if not page.math_trusted}
    waiting = {page: _displays(text) for page, text in markdown.items()}
    prose = {page: _paragraphs(text) for page, text in markdown.items() if page in doubtful}

    def merged(block: Block) -> Block:
        if isinstance(block, Equation) and block.page in waiting:
            return _equation(block, waiting[block.page])
        if isinstance(block, Paragraph) and block.page in prose:
            found = difflib.get_close_matches(block.text, prose[block.page], 1, MODEL_LIKENESS)
            return block.model_copy(update={"text": found[0], "source": "nougat"}) if found else block
        return block

    pages = tuple(
        page.model_copy(update={"source": "nougat"}) if page.number in markdown else page for page in paper.pages
    )
    return paper.with_blocks(merged, pages=pages)


def _displays(markdown: str) -> list[tuple[str, str]]:
    """Return `(number, LaTeX)` of every display equation."""
    found: list[tuple[str, str]] = []
    for match in _DISPLAY.finditer(markdown):
        tag = _TAG.search(match["body"])
        found.append((tag["number"].strip() if tag else "", _TAG.sub("", match["body"]).strip()))
    return found


def _paragraphs(markdown: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", _DISPLAY.sub("\n\n", markdown)) if len(part.strip()) > 40]


def _equation(block: Equation, waiting: list[tuple[str, str]]) -> Equation:
    """Take the equation with the same number, else the one most like it."""
    chosen = next((item for item in waiting if block.number and item[0] == block.number), None)
    if chosen is None:
        free = [item for item in waiting if block.number or not item[0]]
        latex = _nearest(block.text, [item[1] for item in free], MODEL_LIKENESS)
        chosen = next((item for item in free if item[1] == latex), None)
    if chosen is None:
        return block
    waiting.remove(chosen)
    return block.model_copy(update={"latex": chosen[1], "source": "nougat", "trusted": True, "confidence": 0.85})


def _nearest(text: str, choices: list[str], likeness: float) -> str | None:
    """Return the formula most like a text, or None if none is like it enough."""
    scored = [(difflib.SequenceMatcher(None, _letters(text), _letters(item)).ratio(), item) for item in choices]
    best = max(scored, key=lambda pair: pair[0], default=(0.0, ""))
    return best[1] if best[0] >= likeness else None


def _letters(text: str) -> str:
    return re.sub(r"\\(?:begin|end)\{[^}]*\}|\\[A-Za-z]+|[^A-Za-z0-9=+]", "", text)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())
