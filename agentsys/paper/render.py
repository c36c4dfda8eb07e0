"""A paper as Markdown, for people and for models."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from agentsys.paper.citing import cited_floats
from agentsys.paper.model import Algorithm, Block, Code, Equation, Figure, ListBlock, Paper, Section, Table
from agentsys.paper.query import with_children

LEFT_OUT = frozenset({"references"})
MOST_WORDS = 400
"""Characters of the words inside a figure."""
_MARK = re.compile(r"[^\W\d_]{3,}[.,;:)]?\^\{(\d{1,2})\}")
"""A mark of a footnote: raised digits behind a word."""
_NUMBER = re.compile(r"\s*(\d{1,2})(?!\d)")


def to_markdown(
    paper: Paper,
    sections: Collection[str] | None = None,
    *,
    left_out: bool = True,
    floats: bool = False,
    blocks: Collection[str] = (),
    notes: bool = False,
) -> str:
    """Return the paper as Markdown.

    Args:
        paper: what to show.
        sections: ids of the sections to show; None shows everything but the references, with figures and tables
            that stand behind them. A section brings the sections below it.
        left_out: whether to name, in one line at the end, what is not shown; no use to who cannot ask for it.
        floats: whether to append the tables, algorithms and captions of figures that the sections speak of and that
            stand elsewhere.
        blocks: ids of blocks to append where they stand elsewhere.
        notes: whether to append the footnotes where sections are chosen, too; a paper that is shown whole has them.
    """
    chosen = None if sections is None else with_children(paper, sections)
    shown = [item for item in paper.sections if (item.kind not in LEFT_OUT if chosen is None else item.id in chosen)]
    parts: list[str] = []
    if sections is None:
        parts.append(f"# {paper.title}" if paper.title else f"# {paper.source}")
        if paper.authors:
            parts.append(" · ".join(line for line in paper.authors.splitlines() if line))
    if paper.notation and (sections is None or shown):
        parts.append(_notation(paper))
    for section in shown:
        parts.extend(_section(section))
    if paper.footnotes and (sections is None or notes):
        parts.append("## Footnotes\n\n" + "\n".join(f"- {note}" for note in paper.footnotes))
    elsewhere = set(blocks) - {block.id for section in shown for block in section.blocks}
    if sections is None:
        elsewhere |= late_floats(paper)
    if floats and chosen is not None:
        elsewhere |= set(cited_floats(paper, chosen))
    if elsewhere:
        parts.append("Cited above, from other sections:" if shown else "")
        parts.extend(_cited(block) for block in paper.blocks() if block.id in elsewhere)
    ids = {section.id for section in shown}
    if left_out and (rest := [section for section in paper.sections if section.id not in ids]):
        names = ", ".join(f"`{section.id}` {section.title}".strip() for section in rest)
        parts.append(f"available: {names}")
    return "\n\n".join(part for part in parts if part) + "\n"


def late_floats(paper: Paper) -> set[str]:
    """Return the ids of figures and tables in sections that nobody is shown: they may stand behind the bibliography."""
    late = (block for section in paper.sections if section.kind in LEFT_OUT for block in section.blocks)
    return {block.id for block in late if isinstance(block, Figure | Table)}


def one_by_one(paper: Paper, sections: Collection[str], blocks: Collection[str] = ()) -> dict[str, str]:
    """Return sections, and the tables, algorithms and captions of other sections that they speak of, each by its id.

    Args:
        sections: ids of the sections to show; those below them are not added.
        blocks: ids of blocks to show where they stand elsewhere.
    """
    shown = [section for section in paper.sections if section.id in sections]
    found = {"notation": _notation(paper)} if paper.notation and shown else {}
    found |= {section.id: "\n\n".join(_section(section)) for section in shown}
    own = {block.id for section in shown for block in section.blocks}
    elsewhere = (set(blocks) | set(cited_floats(paper, sections))) - own
    found |= {block.id: _cited(block) for block in paper.blocks() if block.id in elsewhere}
    found |= _noted("\n".join(found.values()), paper.footnotes)
    return {name: text for name, text in found.items() if text}


def _noted(text: str, footnotes: Sequence[str]) -> dict[str, str]:
    """Return the footnotes whose mark stands behind a word of a text."""
    marks = set(_MARK.findall(text))
    numbers = [(_NUMBER.match(note), note) for note in footnotes]
    return {f"footnote {number[1]}": f"Footnote: {note}" for number, note in numbers if number and number[1] in marks}


def _notation(paper: Paper) -> str:
    return f"Notation (LaTeX macros of the source):\n\n```latex\n{paper.notation}\n```"


def _cited(block: Block) -> str:
    """A float without its picture: who is given an excerpt has no folder to look it up in."""
    return _caption(block) if isinstance(block, Figure) and block.caption else block_markdown(block)


def _caption(block: Figure) -> str:
    """Return the caption of a figure with the words inside it: axes, their numbers and legends decide too."""
    words = figure_words(block)
    return f"> {block.caption}" + (f"\n> (In the figure: {words})" if words else "")


def figure_words(block: Figure) -> str:
    """Return the words inside a figure, each line of them once, as far as they go into `MOST_WORDS` characters."""
    lines = dict.fromkeys(" ".join(line.split()) for line in block.text.split("\n"))
    telling = [line for line in lines if len(set(line.split())) > 1 or len(line) > 1]
    kept: list[str] = []
    for line in telling:
        if sum(map(len, kept)) + len(line) <= MOST_WORDS:
            kept.append(line)
    return " | ".join(kept)


def _section(section: Section) -> list[str]:
    name = f"{section.number} {section.title}".strip()
    parts = [f"{'#' * min(section.level + 1, 6)} {name}"] if name else []
    parts.extend(block_markdown(block) for block in section.blocks)
    return parts


def block_markdown(block: Block) -> str:
    """Return one block as Markdown."""
    match block:
        case Equation():
            return _equation(block)
        case Table():
            return _table(block)
        case Figure():
            picture = f"![{f'Figure {block.label}'.strip()}]({block.image})\n\n" if block.image else ""
            return f"{picture}{_caption(block)}" if block.caption else picture
        case Algorithm():
            lines = "\n".join("  " * line.indent + line.text for line in block.lines) or block.text
            return f"**{block.caption}**\n\n```text\n{lines}\n```"
        case ListBlock():
            return _list(block)
        case Code():
            return f"```{block.language}\n{block.text}\n```"
        case _:
            return block.text


def _list(block: ListBlock) -> str:
    lines = block.text.split("\n")
    if block.ordered and len(lines) == len(block.items) and re.match(r"\(?\w{1,4}[.)]\s", lines[0]):
        return block.text  # with its own marks: the text may refer to `(b)`
    marks = (f"{number}." if block.ordered else "-" for number in range(1, len(block.items) + 1))
    return "\n".join(f"{mark} {item}" for mark, item in zip(marks, block.items, strict=True))


def _equation(block: Equation) -> str:
    number = f"    ({block.number})" if block.number else ""
    if block.latex is not None:
        tag = f" \\tag{{{block.number}}}" if block.number and "\\tag" not in block.latex else ""
        return f"$$\n{block.latex}{tag}\n$$"
    doubt = "" if block.trusted else " (the characters of this equation are not reliable)"
    text = block.text
    if block.number and text.endswith(f"({block.number})"):
        text = text[: -len(block.number) - 2].rstrip()
    picture = f"\n\n![equation]({block.image})" if block.image else ""
    rows = text.split("\n")
    rows[-1] += f"{number}{doubt}"
    return "\n".join(f"    {row}" for row in rows) + picture


def _table(block: Table) -> str:
    head = f"**{block.caption}**\n\n" if block.caption else ""
    if not block.rows:
        return f"{head}```text\n{block.text}\n```" if block.text else head.strip()
    width = max(len(row) for row in block.rows)
    lines: list[str] = []
    for number, row in enumerate(block.rows):
        cells = [cell.replace("|", "\\|") for cell in row] + [""] * (width - len(row))
        lines.append("| " + " | ".join(cells) + " |")
        if number == 0:
            lines.append("|" + " --- |" * width)
    return head + "\n".join(lines)
