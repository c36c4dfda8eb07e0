"""Tables and figures that stand sideways on an upright page: read as if the page were turned."""

from __future__ import annotations

from dataclasses import replace

from agentsys.paper.model import Block, Box
from agentsys.paper.pdf import captions
from agentsys.paper.pdf.blocks import BlockBuilder
from agentsys.paper.pdf.captions import CAPTION
from agentsys.paper.pdf.layout import Page
from agentsys.paper.pdf.lines import Line
from agentsys.paper.pdf.regions import find_regions
from agentsys.paper.pdf.words import join_lines

LEAST = 6
"""Sideways lines below which they are labels of a figure."""


def sideways_blocks(page: Page, builder: BlockBuilder) -> list[Block]:
    """Return the floats with a caption among the sideways lines of a page; what is left of the lines is notes."""
    blocks: list[Block] = []
    for angle in (90, -90):
        lines = [line for line in page.aside if (line.angle + 180) % 360 - 180 == angle]
        if len(lines) < LEAST or not any(CAPTION.match(line.plain) for line in lines):
            continue
        turned = _turned(page, lines, angle)
        regions = find_regions(turned, captions.find_captions(turned, builder.body, set()), set(), builder.body)
        for position in range(len(regions.captions)):
            for block in builder.float_blocks(turned, regions, position):
                box = None if block.bbox is None else _back(block.bbox, page, angle)
                blocks.append(block.model_copy(update={"bbox": box}))
        rest = [line for index, line in enumerate(lines) if index not in regions.used]
        if rest:
            builder.footnotes.append(join_lines(rest, builder.vocabulary))
        page.aside = [line for line in page.aside if not any(line is other for other in lines)]
    return blocks


def _turned(page: Page, lines: list[Line], angle: int) -> Page:
    raw = page.raw.model_copy(
        update={
            "width": page.height,
            "height": page.width,
            "rules": [_turn(box, page, angle) for box in page.raw.drawings if _thin(box)],
            "drawings": [_turn(box, page, angle) for box in (*page.raw.rules, *page.raw.drawings) if not _thin(box)],
            "images": [_turn(box, page, angle) for box in page.raw.images],
        }
    )
    return Page(page.number, page.height, page.width, [_line(line, page, angle) for line in lines], raw)


def _thin(box: Box) -> bool:
    return box[2] - box[0] < 2.5 and box[3] - box[1] > 5


def _line(line: Line, page: Page, angle: int) -> Line:
    boxes = [_turn((span.x0, span.y0, span.x1, span.y1), page, angle) for span in line.spans]
    # Few words have descenders: most end at the baseline.
    base = sorted(box[3] for box in boxes)[len(boxes) // 3]
    spans = [
        replace(span, x0=box[0], y0=box[1], x1=box[2], y1=box[3], base=base)
        for span, box in zip(line.spans, boxes, strict=True)
    ]
    return Line(line.page, spans, 0, line.hyphen)


def _turn(box: Box, page: Page, angle: int) -> Box:
    x0, y0, x1, y1 = box
    if angle == 90:
        return (page.height - y1, x0, page.height - y0, x1)
    return (y0, page.width - x1, y1, page.width - x0)


def _back(box: Box, page: Page, angle: int) -> Box:
    x0, y0, x1, y1 = box
    if angle == 90:
        return (y0, page.height - x1, y1, page.height - x0)
    return (page.width - y1, x0, page.width - y0, x1)
