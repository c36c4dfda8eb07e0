"""From checked pages to a Paper."""

from __future__ import annotations

import re

from agentsys.paper.builder import SectionBuilder
from agentsys.paper.model import Block, PageInfo, Paper, Paragraph, Section
from agentsys.paper.pdf import bibliography, captions, headings, layout
from agentsys.paper.pdf.blocks import BlockBuilder, Stream
from agentsys.paper.pdf.front import Front, find_front
from agentsys.paper.pdf.grids import find_grids, inside
from agentsys.paper.pdf.headings import Heading
from agentsys.paper.pdf.layout import Body, Page, column_of
from agentsys.paper.pdf.lines import Line, page_lines
from agentsys.paper.pdf.mathfonts import Decoder, Repair
from agentsys.paper.pdf.regions import find_regions
from agentsys.paper.pdf.sideways import sideways_blocks
from agentsys.paper.pdf.trust import with_doubts
from agentsys.paper.pdf.wire import RawDocument, RawPage
from agentsys.paper.pdf.words import Vocabulary, join_lines, tidy
from agentsys.paper.references import split_references

MAX_TITLE = 4
"""Lines of a title."""
_MASTHEAD = re.compile(r"\b(?:Journal of|Proceedings|Transactions|Letters|Review|Magazine|Preprint|Facility)\b")


def assemble(document: RawDocument, raw_pages: list[RawPage], name: str, sha256: str) -> Paper:
    """Find title, sections and blocks."""
    decoder = Decoder(raw_pages)
    pages: list[Page] = []
    for raw in raw_pages:
        repair = Repair()
        pages.append(Page(raw.number, raw.width, raw.height, page_lines(raw, decoder, repair), raw, repair=repair))
    layout.drop_furniture(pages)
    body = layout.body_style(pages)
    for page in pages:
        page.columns = layout.count_columns(page, body)
    flow = [line for page in pages for line in page.lines]
    found = headings.find_headings(flow, body, document.outline)
    builder = BlockBuilder(body, Vocabulary(flow), decoder.guesses)
    title, title_lines = _title(pages, body, document)
    end = next((heading.first for heading in found), len(flow))
    front = find_front(pages[0], end, title_lines, body) if pages else Front()
    sections = _sections(pages, flow, found, builder, front)
    listed = (section for section in sections if section.kind == "references")
    abstract = (block for section in sections if section.kind == "abstract" for block in section.blocks)
    paper = Paper(
        source=name,
        sha256=sha256,
        format="pdf",
        parser="agentsys pdf 1",
        title=title,
        authors="\n".join(tidy(line.plain) for line in front.authors),
        abstract=" ".join(block.text for block in abstract if isinstance(block, Paragraph)),
        sections=tuple(sections),
        references=tuple(builder.references)
        or tuple(reference for section in listed for reference in split_references(section)),
        pages=tuple(_info(page, decoder.apple or decoder.mac_roman) for page in pages),
        footnotes=tuple(builder.footnotes),
    )
    return with_doubts(paper, pages)


def _info(page: Page, wrong: bool) -> PageInfo:
    raw = page.raw
    return PageInfo(
        number=page.number,
        width=page.width,
        height=page.height,
        columns=page.columns,
        chars=raw.chars,
        unmapped=page.repair.lost,
        math_repaired=page.repair.repaired > 0,
        math_trusted=not (raw.guessed or (wrong and page.repair.lost)),
        hidden_chars=raw.hidden_chars,
        scanned=raw.chars < 50 and bool(raw.images),
    )


def _title(pages: list[Page], body: Body, document: RawDocument) -> tuple[str, list[Line]]:
    """The largest letters in the upper part of the first page."""
    if not pages:
        return "", []
    page = pages[0]
    walled = {index for grid in find_grids(page) for index in inside(grid, page)}
    upper = [
        line
        for index, line in enumerate(page.lines)
        if index not in walled and line.box[1] < 0.55 * page.height and len(re.findall(r"[A-Za-z]", line.plain)) > 2
    ]
    if not upper:
        return document.metadata.get("Title", ""), []
    named = [line for line in upper if not _MASTHEAD.search(line.plain)]
    sizes = {round(_top_size(line), 1) for line in named}
    # The name of a journal may be larger than the title; what is left must still be larger than running text.
    upper = named if sizes and max(sizes) > 1.2 * body.size else upper
    size = max(map(_top_size, upper))
    lines: list[Line] = []
    for line in upper:
        near = not lines or line.base - lines[-1].base < 2 * size
        if _top_size(line) > 0.94 * size and near:
            lines.append(line)
    if len(lines) > MAX_TITLE:  # a page in letters of one size has no title to tell
        return tidy(lines[0].plain), []
    text = " ".join(tidy(line.plain) for line in lines)
    return re.sub(r"\s*[∗*†‡]+$", "", text), lines


def _top_size(line: Line) -> float:
    """The largest size of a line that is more than a single large initial: small capitals have two sizes."""
    sizes: dict[float, int] = {}
    for span in line.spans:
        sizes[span.size] = sizes.get(span.size, 0) + len(span.text)
    total = sum(sizes.values())
    return max(size for size, count in sizes.items() if count >= 0.08 * total)


def _sections(
    pages: list[Page], flow: list[Line], found: list[Heading], builder: BlockBuilder, front: Front
) -> list[Section]:
    starts = {heading.first: heading for heading in found}
    covered = {index for heading in found for index in range(heading.first, heading.last + 1)}
    streams: list[tuple[Heading | None, Stream]] = [(None, Stream())]
    builder.footnotes.extend(tidy(line.plain) for line in front.notices)
    builder.numbers.collect((line, column_of(page, line)[1]) for page in pages for line in page.lines)
    offset = 0
    for page in pages:
        taken = {index - offset for index in covered if offset <= index < offset + len(page.lines)}
        opening = front.lines if page is pages[0] else set[int]()
        found_captions = captions.find_captions(page, builder.body, taken | opening)
        regions = find_regions(page, found_captions, taken | opening, builder.body)
        first = {caption.first: position for position, caption in enumerate(regions.captions)}
        if page.aside and (turned := sideways_blocks(page, builder)):
            streams[-1][1].put_float(turned)
        loose = {inner[0]: (grid, inner) for grid, inner in regions.loose}
        builder.footnotes.extend(
            join_lines([page.lines[index] for index in note], builder.vocabulary) for note in regions.footnotes
        )
        for index, line in enumerate(page.lines):
            heading = starts.get(index + offset)
            if heading is not None:
                streams.append((heading, Stream()))
            if index in loose:
                grid, inner = loose[index]
                streams[-1][1].put_float(builder.loose_table(page, grid, inner))
            if index in first:
                position = first[index]
                streams[-1][1].put_float(builder.float_blocks(page, regions, position))
            if index not in taken and index not in regions.used and index not in opening:
                streams[-1][1].lines.append(line)
        offset += len(page.lines)
    by_number = {page.number: page for page in pages}
    streams = _with_bibliography(streams)
    for heading, stream in streams:
        if heading is not None and heading.kind == "references":
            builder.references.extend(bibliography.entries(stream.lines, builder.vocabulary))
    sections = [(heading, builder.stream_blocks(stream, by_number)) for heading, stream in streams]
    result = SectionBuilder("text-layer")
    for heading, blocks in _run_in_abstract(sections):
        if heading is not None:
            result.heading(tidy(heading.title), heading.level, heading.number, heading.kind, heading.page)
        result.blocks = blocks
    result.close()
    return result.sections


_Streams = list[tuple[Heading | None, Stream]]


def _with_bibliography(streams: _Streams) -> _Streams:
    """Part a bibliography that has no heading from the section before it."""
    if any(heading is not None and heading.kind == "references" for heading, _ in streams):
        return streams
    for place in range(len(streams) - 1, -1, -1):
        stream = streams[place][1]
        start = bibliography.begins(stream.lines)
        if start is None:
            continue
        listed = Stream()
        listed.lines = stream.lines[start:]
        listed.floats = [(max(at - start, 0), blocks) for at, blocks in stream.floats if at > start]
        stream.floats = [(at, blocks) for at, blocks in stream.floats if at <= start]
        del stream.lines[start:]
        title = Heading(-1, -1, "", "References", 1, "references", listed.lines[0].page)
        return [*streams[: place + 1], (title, listed), *streams[place + 1 :]]
    return streams


_Parts = list[tuple[Heading | None, list[Block]]]


def _run_in_abstract(sections: _Parts) -> _Parts:
    """Make a section of a first paragraph that begins with `Abstract—`."""
    heading, blocks = sections[0]
    for index, block in enumerate(blocks):
        match = re.match(r"Abstract\s*[—–:.-]+\s*(?=\S)", block.text)
        if heading is None and match and isinstance(block, Paragraph):
            bare = block.model_copy(update={"text": block.text[match.end() :]})
            start = Heading(-1, -1, "", "Abstract", 1, "abstract", block.page or 1)
            return [(None, blocks[:index]), (start, [bare, *blocks[index + 1 :]]), *sections[1:]]
    return sections
