"""From checked pages to a Paper."""

from __future__ import annotations

import re

from agentsys.paper.model import Block, PageInfo, Paragraph, Reference, Section, SectionKind
from agentsys.paper.pdf import captions, floats, headings, layout
from agentsys.paper.pdf.blocks import BlockBuilder
from agentsys.paper.pdf.headings import Heading
from agentsys.paper.pdf.layout import Body, Page
from agentsys.paper.pdf.lines import Line, page_lines
from agentsys.paper.pdf.references import split_references
from agentsys.paper.pdf.wire import RawDocument, RawPage
from agentsys.paper.pdf.words import Vocabulary, tidy


class Assembled:
    """The parts of a paper that come from page text."""

    def __init__(self) -> None:
        self.title = ""
        self.authors = ""
        self.sections: list[Section] = []
        self.references: list[Reference] = []
        self.pages: list[PageInfo] = []
        self.furniture: list[str] = []


def assemble(document: RawDocument, raw_pages: list[RawPage]) -> Assembled:
    """Find title, sections and blocks."""
    pages = [Page(raw.number, raw.width, raw.height, page_lines(raw), raw) for raw in raw_pages]
    result = Assembled()
    result.furniture = layout.drop_furniture(pages)
    body = layout.body_style(pages)
    for page in pages:
        page.columns = layout.count_columns(page, body)
    result.pages = [_info(page) for page in pages]
    flow = [line for page in pages for line in page.lines]
    found = headings.find_headings(flow, body, document.outline)
    builder = BlockBuilder(body, Vocabulary(flow))
    first = found[0].first if found else 0
    result.title, title_lines = _title(pages, body, document)
    result.authors = _authors(pages, title_lines, flow[first] if found else None)
    result.sections = _sections(pages, flow, found, builder, body)
    if not found:
        return result
    result.references = [
        reference
        for section in result.sections
        if section.kind == "references"
        for reference in split_references(section)
    ]
    return result


def _info(page: Page) -> PageInfo:
    raw = page.raw
    return PageInfo(
        number=page.number,
        width=page.width,
        height=page.height,
        columns=page.columns,
        chars=raw.chars,
        unmapped=raw.unmapped,
        hidden_chars=raw.hidden_chars,
        scanned=raw.chars < 50 and bool(raw.images),
    )


def _title(pages: list[Page], body: Body, document: RawDocument) -> tuple[str, list[Line]]:
    """The largest letters in the upper part of the first page."""
    if not pages:
        return "", []
    page = pages[0]
    upper = [
        line for line in page.lines if line.box[1] < 0.55 * page.height and len(re.findall(r"[A-Za-z]", line.plain)) > 2
    ]
    if not upper:
        return document.metadata.get("Title", ""), []
    size = max(line.size for line in upper)
    lines: list[Line] = []
    for line in upper:
        near = not lines or line.base - lines[-1].base < 2 * size
        if line.size > 0.94 * size and near:
            lines.append(line)
    text = " ".join(tidy(line.plain) for line in lines)
    return re.sub(r"\s*[∗*†‡]+$", "", text), lines


def _authors(pages: list[Page], title: list[Line], end: Line | None) -> str:
    if not pages or not title:
        return ""
    after = False
    found: list[str] = []
    for line in pages[0].lines:
        if line is end:
            break
        if after and line not in title:
            found.append(tidy(line.plain))
        after = after or line is title[-1]
    return "\n".join(found[:40])


def _sections(
    pages: list[Page], flow: list[Line], found: list[Heading], builder: BlockBuilder, body: Body
) -> list[Section]:
    starts = {heading.first: heading for heading in found}
    covered = {index for heading in found for index in range(heading.first, heading.last + 1)}
    sections: list[tuple[Heading | None, list[Block]]] = [(None, [])]
    offset = 0
    for page in pages:
        _page(page, offset, starts, covered, sections, builder, body)
        offset += len(page.lines)
    return _numbered_sections(sections)


def _page(
    page: Page,
    offset: int,
    starts: dict[int, Heading],
    covered: set[int],
    sections: list[tuple[Heading | None, list[Block]]],
    builder: BlockBuilder,
    body: Body,
) -> None:
    taken = {index - offset for index in covered if offset <= index < offset + len(page.lines)}
    found = captions.find_captions(page, body, taken)
    owned = floats.assign(page, found, body, taken)
    owner = {index: position for position, indices in owned.items() for index in indices}
    first = {caption.first: position for position, caption in enumerate(found)}
    caption_lines = {index for caption in found for index in range(caption.first, caption.last + 1)}
    pending: list[Line] = []

    def close() -> None:
        if pending:
            _append(sections[-1][1], builder.text_blocks(page, pending), builder)
            pending.clear()

    for index, line in enumerate(page.lines):
        heading = starts.get(index + offset)
        if heading is not None:
            close()
            sections.append((heading, []))
        if index in first:
            close()
            position = first[index]
            sections[-1][1].append(builder.float_block(page, found[position], owned.get(position, [])))
        if index in taken or index in owner or index in caption_lines:
            continue
        pending.append(line)
    close()


def _append(blocks: list[Block], more: list[Block], builder: BlockBuilder) -> None:
    """Add blocks; a paragraph that a page break cut in two is made whole."""
    last = next((block for block in reversed(blocks) if isinstance(block, Paragraph)), None)
    if more and last is not None and isinstance(more[0], Paragraph) and last.page != more[0].page:
        open_end = not re.search(r"[.:!?”\"]$", last.text)
        if open_end and re.match(r"[a-z(\[,]", more[0].text):
            joined = (
                builder.vocabulary.join(last.text, more[0].text)
                if re.search(r"\w-$", last.text)
                else f"{last.text} {more[0].text}"
            )
            blocks[blocks.index(last)] = last.model_copy(update={"text": joined})
            more = more[1:]
    blocks.extend(more)


def _numbered_sections(sections: list[tuple[Heading | None, list[Block]]]) -> list[Section]:
    result: list[Section] = []
    used: set[str] = set()
    path: list[tuple[int, str]] = []
    for heading, blocks in sections:
        if heading is None:
            if blocks:
                result.append(Section(id="front", kind="other", page=blocks[0].page, blocks=tuple(blocks)))
                used.add("front")
            continue
        identity = _unique(f"s{heading.number}" if heading.number else _slug(heading.title), used)
        while path and path[-1][0] >= heading.level:
            path.pop()
        parent = path[-1][1] if path else None
        path.append((heading.level, identity))
        kind: SectionKind = heading.kind
        result.append(
            Section(
                id=identity,
                number=heading.number,
                title=tidy(heading.title),
                level=heading.level,
                page=heading.page,
                parent=parent,
                kind=kind,
                blocks=tuple(blocks),
            )
        )
    return result


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "section"


def _unique(wanted: str, used: set[str]) -> str:
    name, count = wanted, 2
    while name in used:
        name, count = f"{wanted}-{count}", count + 1
    used.add(name)
    return name
