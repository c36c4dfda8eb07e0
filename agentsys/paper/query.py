"""Find things in a paper."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from agentsys.paper.model import Block, Equation, ListBlock, Paper, Paragraph, Section, Table
from agentsys.paper.plausible import unlike_a_paper

SHORTEST_QUOTE = 12
"""Letters and digits below which a quote could be found anywhere."""
_LAYOUT = re.compile(
    r"\\(?:left|right|[bB]igg?[lr]?|[dt]?frac|math[a-z]+|text[a-z]*|operatorname|displaystyle|limits|q?quad)(?![A-Za-z])"
)
"""Commands of LaTeX that say how a formula looks."""


def find_section(paper: Paper, ref: str) -> Section | None:
    """Find a section by id, number or title (`3.2`, `Section 3.2`, `§3.2`, `attention`), or None."""
    wanted = ref.strip()
    by_id = {section.id: section for section in paper.sections}
    if wanted in by_id:
        return by_id[wanted]
    bare = re.sub(r"^(?:sections?|sec\.?|appendix|app\.?|§+)\s*", "", wanted, flags=re.I).rstrip(".: ")
    number = re.match(r"(?:\d+(?:\.\d+)*|[A-Z](?:\.\d+)*|[IVX]+(?:-[A-Z])?)(?=$|[\s.:])", bare)
    for candidate in (bare, number[0] if number else ""):
        for section in paper.sections:
            if candidate and section.number.lower() == candidate.lower():
                return section
    title = plain(re.sub(r"^[\d.]+\s+", "", bare))
    if not title:
        return None
    exact = [section for section in paper.sections if plain(section.title) == title]
    part = [section for section in paper.sections if len(title) >= 4 and title in plain(section.title)]
    return (exact or part or [None])[0]


def with_children(paper: Paper, wanted: Collection[str]) -> set[str]:
    """Return the ids of the wanted sections and of all that stand below them."""
    inside = set(wanted)
    for section in paper.sections:
        if section.parent in inside:
            inside.add(section.id)
    return inside


def plain(text: str) -> str:
    """Return the letters and digits of a text in small ASCII letters, words apart by one space: to find words again."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def words_of(paper: Paper) -> str:
    """Return title, abstract, and the paragraphs and lists of the whole paper."""
    blocks = [block for section in paper.sections for block in section.blocks]
    kept = (each.text for each in blocks if isinstance(each, Paragraph | ListBlock))
    return "\n".join([paper.title, paper.abstract, *kept])


def letters(text: str) -> str:
    """Return the letters and digits of a text, in lower case: what a quotation has in common with its source."""
    return "".join(re.findall(r"[^\W_]+", _LAYOUT.sub(" ", text).casefold()))


def stands_in(quote: str, source: str, shortest: int = SHORTEST_QUOTE) -> bool:
    """Return whether a quote's longer parts between dots and formulas stand in a source; layout does not count.

    A quote that is hardly more than formulas must stand there with them.

    Args:
        source: the `letters` of the text that is quoted.
        shortest: letters and digits below which a part says nothing about its place.
    """
    for between in (r"\.\.\.|…|\$[^$]*\$", r"\.\.\.|…"):
        parts = [letters(part) for part in re.split(between, quote)]
        if parts := [part for part in parts if len(part) >= shortest]:
            return all(part in source for part in parts)
    return False


def excerpt(paper: Paper, chars: int) -> str:
    """Return title, abstract, the introduction and the other headings, at most `chars` characters."""
    parts = [paper.title, paper.abstract]
    parts.append(
        "Sections: " + "; ".join(f"{item.number} {item.title}".strip() for item in paper.sections if item.title)
    )
    introduction = next((item for item in paper.sections if "introduction" in item.title.lower()), None)
    if introduction is None:
        introduction = next((item for item in paper.sections if item.kind in ("body", "other") and item.blocks), None)
    if introduction is not None:
        parts.append("\n".join(block.text for block in introduction.blocks if isinstance(block, Paragraph)))
    return "\n\n".join(part for part in parts if part)[:chars]


def summary_rows(paper: Paper) -> list[tuple[str, str]]:
    """Return what the summary table of `agentsys read` shows: name and value of each row."""
    equations = paper.equations
    numbered = sum(bool(item.number) for item in equations)
    doubtful = sum(not item.trusted for item in equations)
    hidden = sum(page.hidden_chars for page in paper.pages)
    searched = f"{hidden} characters" if paper.audit.checked else f"{hidden} characters, not every page was searched"
    return [
        ("title", paper.title or "not found"),
        ("format", f"{paper.format} ({paper.parser})"),
        ("pages", str(len(paper.pages)) if paper.pages else "-"),
        ("sections", str(sum(bool(item.title) for item in paper.sections))),
        ("equations", f"{len(equations)} ({numbered} numbered" + (f", {doubtful} doubtful)" if doubtful else ")")),
        ("tables", str(len(paper.tables))),
        ("figures", str(len(paper.figures))),
        ("algorithms", str(len(paper.algorithms))),
        ("references", str(len(paper.references))),
        ("hidden text", searched if paper.format == "pdf" else "-"),
        ("warnings", str(len(paper.warnings))),
        ("seconds", f"{paper.seconds:.1f}"),
    ]


def trust_lines(paper: Paper) -> list[str]:
    """Return what a reader should look up in the paper itself: what is in doubt of the whole, then page by page.

    Empty where nothing is in doubt, which does not say that everything was read rightly.
    """
    unlike = unlike_a_paper(paper)
    lines = [f"this may be no paper: {unlike}"] if unlike else []
    lines += [f"in doubt: {doubt}" for doubt in paper.doubts]
    blocks: dict[int | None, list[Block]] = {}
    for block in paper.blocks():
        blocks.setdefault(block.page, []).append(block)
    for page in paper.pages:
        doubts = (*page.doubts, *_block_doubts(blocks.get(page.number, [])))
        lines.extend(f"page {page.number}: {doubt}" for doubt in doubts)
    return lines


def _block_doubts(blocks: list[Block]) -> Iterator[str]:
    equations = [block for block in blocks if isinstance(block, Equation) and not block.trusted]
    empty = [_name(block) for block in equations if not block.text.strip()]
    wrong = [_name(block) for block in equations if block.text.strip()]
    if empty:
        yield f"read as a picture only: {', '.join(empty)}"
    if wrong:
        yield f"likely misread: {', '.join(wrong)}"
    bare = [f"table {block.label}".strip() for block in blocks if isinstance(block, Table) and not block.rows]
    if bare:
        yield f"no cells found: {', '.join(bare)}"


def _name(block: Equation) -> str:
    return f"equation ({block.number})" if block.number else "an equation without a number"
