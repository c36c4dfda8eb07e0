"""Papers in Markdown or plain text, as other parsers and people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentsys.paper.builder import SectionBuilder
from agentsys.paper.model import Code, Equation, Figure, ListBlock, Paper, Reference, Table

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_NUMBER = re.compile(r"^(?:Appendix\s+)?(\d{1,2}(?:\.\d{1,2})*|[A-Z](?:\.\d{1,2})*|[IVX]+(?=\.))[.:]?\s+(?=\S)")
_DISPLAY = re.compile(r"\$\$(?P<latex>.+?)\$\$\s*(?P<number>\([^()\s]{1,12}\))?[.,;]?", re.S)
"""A display formula, with its number inside or behind it."""
_CAPTION = re.compile(r"^\W*(?P<kind>Figure|Fig\.?|Table)\s*(?P<label>\d+|[IVX]+|[A-Z]\.?\d+)\s*[:.|]", re.I)
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)])\s+")
_IMAGE = re.compile(r"^!\[(?P<alt>[^\]]*)\]\((?P<target>[^)]*)\)\s*$")
_TAG = re.compile(r"\\tag\s*\{\s*(?P<number>[^}]+?)\s*\}")


def read_markdown(text: str, name: str, sha256: str, *, plain: bool = False) -> Paper:
    """Read Markdown, or plain text in paragraphs."""
    builder = SectionBuilder("text" if plain else "markdown")
    title = ""
    for chunk in chunks(text):
        heading = _heading(chunk, plain)
        if heading is None:
            _add_block(builder, chunk)
            continue
        level, words = heading
        if not title and not builder.sections and builder.open is None and level == 1 and not builder.blocks:
            title = words
            continue
        number = _NUMBER.match(words)
        bare = words[number.end() :] if number else words
        depth = number[1].count(".") + 1 if number else max(level - 1, 1)
        builder.heading(bare, depth, number[1] if number else "")
    builder.close()
    title = title or next((line.strip("# ") for line in text.splitlines() if line.strip()), "")[:200]
    listed = (section for section in builder.sections if section.kind == "references")
    references = tuple(Reference(raw=block.text) for section in listed for block in section.blocks)
    return builder.paper(name, sha256, "text" if plain else "markdown", title=title, references=references)


def chunks(text: str) -> Iterator[str]:
    """Yield paragraphs, fences, formulas and headings whole."""
    lines: list[str] = []
    fence = ""
    for line in text.replace("\r\n", "\n").split("\n"):
        stripped = line.strip()
        if fence:
            lines.append(line)
            if stripped.endswith(fence) or (fence == "$$" and _DISPLAY.fullmatch("\n".join(lines).strip())):
                fence = ""
                yield "\n".join(lines)
                lines = []
            continue
        opens = "```" if stripped.startswith("```") else "$$" if stripped.startswith("$$") else ""
        closed = opens == "$$" and _DISPLAY.fullmatch(stripped) is not None
        if (opens or _HEADING.match(line) or not stripped) and lines:
            yield "\n".join(lines)
            lines = []
        if opens and not closed:
            fence = opens
            lines = [line]
        elif closed or _HEADING.match(line):
            yield line
        elif stripped:
            lines.append(line)
    if lines:
        yield "\n".join(lines)


def _heading(chunk: str, plain: bool) -> tuple[int, str] | None:
    match = _HEADING.match(chunk)
    if match:
        return len(match[1]), match[2].strip("* ")
    words = chunk.strip()
    known = re.fullmatch(
        r"(?:\d{1,2}\.?\s+)?(Abstract|Introduction|References|Conclusions?|Acknowledge?ments?)", words, re.I
    )
    numbered = re.fullmatch(r"\d{1,2}(?:\.\d{1,2})*\.?\s+[A-Z][^.!?\n]{2,80}", words)
    if plain and (known or numbered):
        return 2, words
    return None


def _add_block(builder: SectionBuilder, chunk: str) -> None:
    stripped = chunk.strip()
    first, _, rest = stripped.partition("\n")
    image = _IMAGE.match(first)
    caption = _CAPTION.match(stripped)
    if stripped.startswith("```"):
        builder.add(Code, text=rest.removesuffix("```").rstrip(), language=first[3:].strip())
    elif stripped.startswith("$$"):
        display = _DISPLAY.fullmatch(stripped)
        latex = (display["latex"] if display else stripped.strip("$")).strip()
        tag = _TAG.search(latex)
        body = _TAG.sub("", latex).strip()
        number = tag["number"] if tag else (display and display["number"]) or ""
        builder.add(Equation, text=body, latex=body, number=number.strip("() "))
    elif image or (caption and caption["kind"].lower().startswith("fig")):
        words = rest.strip() if image else stripped
        label = _CAPTION.match(words)
        alt = image["alt"] if image else ""
        builder.add(Figure, label=label["label"] if label else "", caption=words or alt)
    elif caption and caption["kind"].lower() == "table" and "\n|" not in stripped:
        _caption_table(builder, caption["label"], " ".join(stripped.split()))
    elif stripped.startswith("|") or stripped.lower().startswith(("<table", "<html><body><table")):
        rows = _pipe_rows(stripped) if stripped.startswith("|") else html_rows(stripped)
        before = builder.blocks[-1] if builder.blocks else None
        if isinstance(before, Table) and before.caption and not before.rows:
            whole = {"rows": rows, "raw_lines": tuple(stripped.splitlines()), "text": stripped}
            builder.blocks[-1] = before.model_copy(update=whole)
        else:
            builder.add(Table, rows=rows, raw_lines=tuple(stripped.splitlines()), text=stripped)
    elif _ITEM.match(stripped):
        items = tuple(_ITEM.sub("", item) for item in re.split(r"\n(?=\s*(?:[-*+•]|\d{1,2}[.)])\s+)", stripped))
        builder.add(ListBlock, items=items, ordered=stripped[:1].isdigit(), text=stripped)
    else:
        builder.paragraph(re.sub(r"\s*\n\s*", " ", stripped))


def _caption_table(builder: SectionBuilder, label: str, words: str) -> None:
    """Give a caption to the table right before it that has none; else it waits for the table after it."""
    before = builder.blocks[-1] if builder.blocks else None
    if isinstance(before, Table) and not before.caption:
        builder.blocks[-1] = before.model_copy(update={"caption": words, "label": label})
    else:
        builder.add(Table, label=label, caption=words)


def _pipe_rows(text: str) -> tuple[tuple[str, ...], ...]:
    lines = [line for line in text.splitlines() if not re.fullmatch(r"[|\s:-]+", line)]
    return tuple(tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))) for line in lines)


MAX_SPAN = 60
"""Columns or rows that one cell of HTML may cover."""


def html_rows(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the cells of a table that is written as HTML, each in its column: covered places are empty cells."""
    found: list[tuple[str, ...]] = []
    covered: dict[int, int] = {}
    for row in re.findall(r"<tr[^>]*>(.*?)</tr>", text, re.S | re.I):
        cells: list[str] = []
        below: dict[int, int] = {}
        for match in re.finditer(r"<t[dh](?P<how>[^>]*)>(?P<words>.*?)</t[dh]>", row, re.S | re.I):
            while covered.get(len(cells), 0):
                cells.append("")
            place, columns, rows = len(cells), _span(match["how"], "colspan"), _span(match["how"], "rowspan")
            cells += [re.sub(r"<[^>]+>", "", match["words"]).strip(), *[""] * (columns - 1)]
            below |= dict.fromkeys(range(place, place + columns), rows - 1)
        while covered.get(len(cells), 0):
            cells.append("")
        covered = {place: left - 1 for place, left in covered.items() if left > 1} | {
            place: left for place, left in below.items() if left > 0
        }
        found.append(tuple(cells))
    return tuple(found)


def _span(attributes: str, name: str) -> int:
    match = re.search(rf"\b{name}\s*=\s*[\"']?(\d{{1,3}})", attributes, re.I)
    return min(max(int(match[1]), 1), MAX_SPAN) if match else 1
