"""Pages of the paper for the places that a plan names. The page comes from the reader, never from a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from agentsys.core.artifacts import ExpectedResult, PaperPlace
from agentsys.paper.model import Algorithm, Equation, Figure, Paper, Section, Table
from agentsys.paper.query import find_section
from agentsys.plan.answers import LedgerRow

R = TypeVar("R", LedgerRow, ExpectedResult)


def with_pages(rows: Sequence[R], paper: Paper) -> tuple[R, ...]:
    """Return requirements or expected results with the page of each place, where the reader knows it."""
    return tuple(row.model_copy(update={"place": _located(row.place, paper)}) for row in rows)


def _located(place: PaperPlace, paper: Paper) -> PaperPlace:
    section = find_section(paper, place.section)
    page = _labelled(place.label, paper) or (section.page if isinstance(section, Section) else None)
    return place.model_copy(update={"page": page})


def _labelled(label: str, paper: Paper) -> int | None:
    """Return the page of the equation, table, figure or algorithm that a label such as `Eq. (3)` names."""
    found = re.search(r"(eq|table|tab|fig|alg)\w*\.?\s*\(?([A-Z]?\d+(?:\.\d+)*|[IVX]+)\)?", label, re.IGNORECASE)
    if found is None:
        return None
    kind, number = found[1].lower(), found[2]
    for block in paper.blocks():
        if isinstance(block, Equation) and kind == "eq" and block.number.strip("()") == number:
            return block.page
        kinds = {"table": Table, "tab": Table, "fig": Figure, "alg": Algorithm}
        if kind in kinds and isinstance(block, kinds[kind]) and block.label.split()[-1:] == [number]:
            return block.page
    return None
