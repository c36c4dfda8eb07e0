"""What of the paper's figures and tables a run drew or measured: each with the plots and numbers that stand for it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agentsys.core.artifacts import MeasuredResult
from agentsys.core.blocks import FIGURES
from agentsys.core.tree import RESULTS
from agentsys.paper.model import Figure, Paper, Table
from agentsys.paper.named import label, named_blocks
from agentsys.report.claim_page import plot_file
from agentsys.report.claims import ClaimRow
from agentsys.report.data import ReportData
from agentsys.report.facts import grades

DRAWINGS = (".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp")
"""Kinds of pictures that a page can show."""
_BETWEEN = re.compile(r"[\W_]+|(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])", re.IGNORECASE)
_ZEROS = re.compile(r"\b0+(?=\d)")


@dataclass(frozen=True)
class Beside:
    """A figure or table of the paper, and what a run has of it."""

    block: Figure | Table
    file: str
    """Its name as part of the name of a file: `figure-2`; no two have the same."""
    claims: tuple[ClaimRow, ...] = ()
    """Claims that name it."""
    drawn: tuple[str, ...] = ()
    """Pictures among the results, by their paths in the repository."""
    numbers: tuple[MeasuredResult, ...] = ()
    """Numbers that the paper states there."""

    @property
    def name(self) -> str:
        """As a reader names it: `Figure 2`."""
        return named(self.block)

    @property
    def crop(self) -> str:
        """Where its picture lies in the repository, where there is one."""
        return f"{FIGURES}{self.file}.png"

    def plots(self, there: Collection[str]) -> list[tuple[str, str]]:
        """Return (path in the repository, words) of each picture that stands for it, of the files that are there."""
        found = [
            (f"{FIGURES}{self.file}-here.svg", f"numbers of {self.name}, the paper's and those measured here"),
            *((f"claims/{plot_file(row.claim)}", f"plot of claim {row.claim}") for row in self.claims),
            *((name, name) for name in self.drawn),
        ]
        return [row for row in found if row[0] in there]

    @property
    def grades(self) -> str:
        """How many of its numbers have which grade: `7 agree to the printed digits, 1 within 40 %`."""
        return grades(self.numbers)

    @property
    def any(self) -> bool:
        return bool(self.claims or self.drawn or self.numbers)


@dataclass(frozen=True)
class Compared:
    """Every figure and table of the paper of which a run has something, and what is left over on either side."""

    pairs: tuple[Beside, ...] = ()
    others: tuple[str, ...] = ()
    """Pictures among the results that stand for none that is known."""
    left: tuple[Figure, ...] = ()
    """Figures of which there is nothing."""


def compare_figures(data: ReportData, paper: Paper | None, results: Sequence[str]) -> Compared:
    """Set the paper's figures and tables beside what a run has of them.

    A plot of a claim stands for what the claim's places name, a picture among the results for what its own path names
    (`results/figure_2.png`), a number for its place in the plan.

    Args:
        results: paths in the repository of what lies in `results/`.
    """
    drawn = tuple(name for name in results if name.lower().endswith(DRAWINGS))
    if paper is None:
        return Compared(others=drawn)
    claims = [(_ids(paper, " ".join((row.place, *map(_place, row.quotes)))), row) for row in data.claims]
    pictures = [(_ids(paper, spelled(name)), name) for name in drawn]
    numbers = [(_ids(paper, row.expected.place.label), row) for row in data.measured]
    blocks = [block for block in paper.blocks() if isinstance(block, Figure | Table)]
    files = _files(blocks)
    rows = [
        Beside(
            block,
            files[block.id],
            tuple(row for ids, row in claims if block.id in ids),
            tuple(name for ids, name in pictures if block.id in ids),
            tuple(row for ids, row in numbers if block.id in ids),
        )
        for block in blocks
    ]
    return Compared(
        tuple(row for row in rows if row.any),
        tuple(name for ids, name in pictures if not ids),
        tuple(row.block for row in rows if isinstance(row.block, Figure) and not row.any),
    )


def named(block: Figure | Table) -> str:
    """Return what a reader calls it: `Figure 2`, or `Figure` where it has no number."""
    return f"{'Figure' if isinstance(block, Figure) else 'Table'} {label(block)}".strip()


def _files(blocks: Sequence[Figure | Table]) -> dict[str, str]:
    """Return a plain name of a file for each block, by its id."""
    found: dict[str, str] = {}
    for number, block in enumerate(blocks, 1):
        name = re.sub(r"[^a-z0-9]+", "-", named(block).lower()).strip("-")[:40]
        found[block.id] = f"{name}-{number}" if name in found.values() else name
    return found


def spelled(path: str) -> str:
    """Return a path as a reader would say it: `results/fig02a.png` is `fig 2 a`."""
    inner = path.removeprefix(f"{RESULTS}/").rpartition(".")[0]
    return _ZEROS.sub("", " ".join(_BETWEEN.sub(" ", inner).split()))


def _ids(paper: Paper, text: str) -> set[str]:
    return {block.id for block in named_blocks(paper, text) if isinstance(block, Figure | Table)}


def _place(quote: str) -> str:
    """Return the place of a quotation as `ClaimRow.quotes` holds it: its words may name what it is not about."""
    return quote.rpartition("” (")[2]
