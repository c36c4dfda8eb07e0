"""Papers in Markdown or plain text, as other parsers and people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentsys.paper.builder import SectionBuilder
from agentsys.paper.model import Code, Equation, Figure, ListBlock, Paper, Paragraph, Reference, Table

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
    elif stripped.startswith("|") or stripped.lower().startswith(("<table", "<html><body><table")):
        rows = _pipe_rows(stripped) if stripped.startswith("|") else html_rows(stripped)
        label, caption = _caption_before(builder)
        raw = tuple(stripped.splitlines())
        builder.add(Table, label=label, caption=caption, rows=rows, raw_lines=raw, text=stripped)
    elif _ITEM.match(stripped):
        items = tuple(_ITEM.sub("", item) for item in re.split(r"\n(?=\s*(?:[-*+•]|\d{1,2}[.)])\s+)", stripped))
        builder.add(ListBlock, items=items, ordered=stripped[:1].isdigit(), text=stripped)
    else:
        builder.paragraph(re.sub(r"\s*\n\s*", " ", stripped))


def _caption_before(builder: SectionBuilder) -> tuple[str, str]:
    """Take the paragraph before a table as its caption, where it is one; return label and caption."""
    last = builder.blocks[-1] if builder.blocks else None
    found = _CAPTION.match(last.text) if isinstance(last, Paragraph) else None
    if last is None or found is None or not found["kind"].lower().startswith("tab"):
        return "", ""
    builder.blocks.pop()
    return found["label"], last.text


def _pipe_rows(text: str) -> tuple[tuple[str, ...], ...]:
    lines = [line for line in text.splitlines() if not re.fullmatch(r"[|\s:-]+", line)]
    return tuple(tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))) for line in lines)


def html_rows(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the cells of a table that is written as HTML, without the tags inside them."""
    found = (
        re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S | re.I)
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", text, re.S | re.I)
    )
    return tuple(tuple(re.sub(r"<[^>]+>", "", cell).strip() for cell in row) for row in found)
