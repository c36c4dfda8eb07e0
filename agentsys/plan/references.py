"""What references such as `Figure 2` or `Eq. (3)` mean: the page, and the picture for models that see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from agentsys.core.artifacts import ExpectedResult, FileSpec, PaperPlace, Plan
from agentsys.core.prompts import render
from agentsys.llm.pictures import fitted
from agentsys.llm.types import Image, Prompt
from agentsys.llm.vision import can_see, without_images
from agentsys.paper.model import Figure, Paper
from agentsys.paper.named import Referable, find_sections, label, referable, reference, references
from agentsys.plan.answers import LedgerRow
from agentsys.plan.context import Context

MAX_IMAGES = 6
"""Pictures of one call."""
_MAX_FILE = 20_000_000
_MAX_CAPTION = 1500

R = TypeVar("R", LedgerRow, ExpectedResult)
_METHOD = re.compile(
    r"(?i)\b(architectures?|overview|pipeline|framework|schematic|diagram|model|structure|workflow|algorithm|illustrat\w+)\b"
)


def with_figures(context: Context, role: str, prompt: Prompt, refs: Iterable[str]) -> Prompt:
    """Return the prompt with the pictures that `refs` name; for a model that cannot see, with their captions."""
    seen = replace(prompt, images=images_for(context, refs))
    return seen if can_see(context.settings, role) else without_images(seen)


def images_for(context: Context, refs: Iterable[str]) -> tuple[Image, ...]:
    """Return the pictures of what `refs` name, e.g. `Figure 2`, `Eq. (3)`, at most six.

    An equation has a picture only where its text is not to be trusted, a table only where its cells could not be read.
    """
    wanted = {found for ref in refs for found in references(ref)}
    return _images(context, (row for row in referable(context.ws.paper) if row.image and reference(row) in wanted))


def main_figures(paper: Paper) -> list[str]:
    """Return the names of the figures of the body, those about the method's structure first."""
    body = [block for section in paper.sections if section.kind in ("body", "other") for block in section.blocks]
    figures = [block for block in body if isinstance(block, Figure) and block.image and label(block)]
    figures.sort(key=lambda figure: _METHOD.search(figure.caption) is None)
    return [f"Figure {label(figure)}" for figure in figures[:MAX_IMAGES]]


def cited(plan: Plan, spec: FileSpec) -> list[str]:
    """Return the words of a file's requirements in which figures, tables, algorithms or equations are named."""
    rows = [row for row in plan.requirements if row.id in spec.requirements]
    return [text for row in rows for text in (row.place.label, row.what, row.place.quote)]


def with_pages(rows: Sequence[R], paper: Paper) -> tuple[R, ...]:
    """Return requirements or expected results with the page of each place: from the reader, never from a model."""
    return tuple(row.model_copy(update={"place": _located(row.place, paper)}) for row in rows)


def _located(place: PaperPlace, paper: Paper) -> PaperPlace:
    wanted = references(place.label)[:1]
    page = next((block.page for block in referable(paper) if wanted == [reference(block)]), None)
    section = next(iter(find_sections(paper, place.section)), None)
    return place.model_copy(update={"page": page or (section.page if section is not None else None)})


def _images(context: Context, blocks: Iterable[Referable]) -> tuple[Image, ...]:
    found: list[Image] = []
    for block in blocks:
        if len(found) == MAX_IMAGES:
            break
        picture = _picture(context.ws.run.paper, block.image or "")
        if picture is None:
            continue
        name = f"{type(block).__name__} {label(block)}"
        caption = context.quote((getattr(block, "caption", "") or block.text)[:_MAX_CAPTION])
        text = render("plan/figure", fence=context.fence, name=name, page=block.page, caption=caption).strip()
        found.append(Image(name, *picture, caption=text))
    return tuple(found)


def _picture(folder: Path, name: str) -> tuple[bytes, str] | None:
    """Read a picture below the paper's folder; the name may come from a hostile source file."""
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or not path.is_file() or path.stat().st_size > _MAX_FILE:
        return None
    return fitted(path.read_bytes())
