"""Pictures of figures and of what could not be read for certain as text, and one sheet with all of them."""

from __future__ import annotations

import html
from collections.abc import Collection
from pathlib import Path
from typing import Any

from agentsys.core.errors import PaperError
from agentsys.core.files import sha256_bytes, write_atomic
from agentsys.paper.model import Algorithm, Block, Box, Equation, Figure, Paper, Table
from agentsys.paper.pdf import process

DPI = 150
MAX_PICTURES = 400
MARGIN = 4.0
"""Points around the box of an equation."""


def add_pictures(paper: Paper, source: Path, folder: Path, password: str = "") -> Paper:
    """Write `figures/*.png` and `figures/index.html` into `folder`; return the paper with their names.

    Does nothing unless `source` is the PDF that the paper was read from.
    """
    doubtful = {page.number for page in paper.pages if not page.math_trusted}
    boxes = ((block, _box(block, doubtful)) for block in paper.blocks() if block.page)
    wanted = {block.id: (block, box) for block, box in boxes if box is not None}
    if paper.format != "pdf" or not wanted or not source.is_file():
        return paper
    data = source.read_bytes()
    if sha256_bytes(data) != paper.sha256:
        return paper
    chosen = list(wanted.items())[:MAX_PICTURES]
    crops: list[list[Any]] = [[name, block.page, *box] for name, (block, box) in chosen]
    try:
        pictures = process.crop(data, crops, dpi=DPI, trim=True, password=password, timeout=120.0)
    except PaperError as error:
        note = f"no pictures: {error.message}"
        return paper.model_copy(update={"warnings": (*paper.warnings, note)})
    for name, png in pictures.items():
        write_atomic(folder / "figures" / f"{name}.png", png)
    result = paper.with_blocks(
        lambda block: block.model_copy(update={"image": f"figures/{block.id}.png"}) if block.id in pictures else block
    )
    write_atomic(folder / "figures" / "index.html", contact_sheet(result))
    missing = len(wanted) - len(pictures)
    if missing:
        note = f"{missing} of {len(wanted)} pictures could not be cut out"
        result = result.model_copy(update={"warnings": (*result.warnings, note)})
    return result


def _box(block: Block, doubtful: Collection[int]) -> Box | None:
    """The box to cut out of the page, or None if the block needs no picture; `doubtful` are pages by number."""
    if block.bbox is None:
        return None
    x0, y0, x1, y1 = block.bbox
    if isinstance(block, Figure):
        return block.bbox
    unread = isinstance(block, Table) and not block.rows
    wrong = isinstance(block, Equation) and not block.trusted
    if isinstance(block, Algorithm):
        unread, wrong = not block.lines, block.page in doubtful
    if unread or wrong:
        return (x0 - MARGIN, y0 - MARGIN, x1 + MARGIN, y1 + MARGIN)
    return None


def contact_sheet(paper: Paper) -> str:
    """Return one HTML page with every picture, its caption and the paragraphs that mention it."""
    texts = {block.id: block.text for block in paper.blocks()}
    parts: list[str] = []
    for block in paper.blocks():
        image = getattr(block, "image", None)
        if not image:
            continue
        caption = getattr(block, "caption", "") or block.text
        citing = "".join(
            f"<p>{html.escape(texts.get(name, '')[:400])}</p>" for name in getattr(block, "citing", ())[:3]
        )
        name = html.escape(str(image).removeprefix("figures/"))
        words = f"{html.escape(caption)} (page {block.page})"
        parts.append(f'<figure><img src="{name}" alt=""><figcaption>{words}</figcaption>{citing}</figure>')
    head = (
        '<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'\">"
        "<style>body{font:14px sans-serif;max-width:60em;margin:auto}img{max-width:100%;border:1px solid #ccc}"
        "figure{margin:2em 0}p{color:#555;font-size:12px}</style>"
    )
    return f"{head}<title>{html.escape(paper.title)}</title><h1>{html.escape(paper.title)}</h1>{''.join(parts)}\n"
