"""Places of the paper as pictures: which boxes of which page a requirement, a number or a claim means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from agentsys.core.artifacts import PaperPlace
from agentsys.core.errors import PaperError
from agentsys.core.files import sha256_bytes
from agentsys.paper.model import Block, Box, Paper
from agentsys.paper.named import named_blocks
from agentsys.paper.pdf import process
from agentsys.paper.query import letters, stands_in
from agentsys.report.view.files import NotThere, read_inside

SOURCE, PAPER = "paper/source.pdf", "paper/paper.json"
DPI = 110
_MARGIN = 6.0
"""Points around a box."""
_MOST = 2
"""Boxes of one place: what its label names, and where its words stand."""
_MAX_PDF = 200 << 20
_MAX_PAPER = 64 << 20
_TIMEOUT = 60.0
_START = 40
"""Letters of a quotation that are enough to find the paragraph in which it begins."""


@dataclass(frozen=True)
class Spot:
    """A box of a page, in points from the top left corner; `name` is the block's id."""

    name: str
    page: int
    box: Box


def read_paper(run: Path) -> Paper | None:
    """Return the paper as it was read; None where it is not there or damaged."""
    try:
        return Paper.model_validate_json(read_inside(run, PAPER, _MAX_PAPER))
    except (NotThere, ValidationError):
        return None


def spots(paper: Paper, place: PaperPlace) -> tuple[Spot, ...]:
    """Return the boxes that a place means: what its label names, then the passage that holds its words."""
    quoted = _quoted(paper, place)
    blocks = (*named_blocks(paper, place.label)[:1], *([quoted] if quoted is not None else []))
    found = {spot.name: spot for block in blocks if (spot := whole(block)) is not None}
    return tuple(found.values())[:_MOST]


def whole(block: Block) -> Spot | None:
    """Return the box of a block; None where it is not known on which page it stands, and where."""
    if block.page is None or block.bbox is None:
        return None
    x0, y0, x1, y1 = block.bbox
    return Spot(block.id, block.page, (x0 - _MARGIN, y0 - _MARGIN, x1 + _MARGIN, y1 + _MARGIN))


def cut_out(run: Path, wanted: Iterable[Spot]) -> Mapping[str, bytes]:
    """Return a PNG of each spot by its name, from the PDF that the paper was read from; a child process reads it.

    It is empty where the file is another one, is encrypted, or cannot be drawn.
    """
    crops: list[list[object]] = [[spot.name, spot.page, *spot.box] for spot in wanted]
    paper = read_paper(run)
    if paper is None or not crops:
        return {}
    try:
        data = read_inside(run, SOURCE, _MAX_PDF)
        if sha256_bytes(data) != paper.sha256:
            return {}
        return process.crop(data, crops, dpi=DPI, trim=True, password="", timeout=_TIMEOUT)
    except (NotThere, PaperError):
        return {}


def _quoted(paper: Paper, place: PaperPlace) -> Block | None:
    """Return the block in which a quotation stands, or begins."""
    start = letters(place.quote)[:_START]
    if not start:
        return None
    texts = [(block, letters(block.text)) for block in paper.blocks() if block.bbox is not None]
    whole = (block for block, source in texts if stands_in(place.quote, source))
    begun = (block for block, source in texts if len(start) == _START and start in source)
    return next(whole, None) or next(begun, None)
