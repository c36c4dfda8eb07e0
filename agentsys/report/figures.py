"""The folder of a delivered repository in which the paper's figures stand beside the run's: crops of the PDF, one page.

It is written for readers when a run has ended. No program of the repository is given it (`core.tree`), and a release
leaves it out: the crops are the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from agentsys.core.artifacts import MeasuredResult
from agentsys.core.blocks import FIGURES, clear_figures
from agentsys.core.files import write_atomic
from agentsys.core.rundir import RunDir
from agentsys.core.text import md
from agentsys.core.tree import RESULTS
from agentsys.paper.model import Paper
from agentsys.report.beside import Beside, Compared, compare_figures, named
from agentsys.report.claim_page import page_file
from agentsys.report.data import ReportData
from agentsys.report.facts import claim_words, grade_words
from agentsys.report.number_plot import draw_numbers
from agentsys.report.verdict import headline
from agentsys.report.view.files import NotThere, names_below, read_png
from agentsys.report.view.places import cut_out, read_paper, whole

INDEX = f"{FIGURES}README.md"
MAX_CROP, MAX_CROPS = 1 << 20, 16 << 20
"""Bytes of one crop, and of all of them: they are committed with the repository."""
RIGHTS = (
    "The pictures in this folder are cut from the paper. They are its authors' or its publisher's, not this "
    "repository's, and stand here so that a reader can compare: see what the paper's licence allows before you pass "
    "them on. A release leaves this folder out, and nothing in the repository reads it."
)


def write_figures(run: RunDir, data: ReportData) -> None:
    """Write the folder anew; there is none where there is nothing to compare.

    Raises: OSError.
    """
    clear_figures(run.repo)
    paper, there = read_paper(run.path), _files(run)
    found = compare_figures(data, paper, [name for name in there if name.startswith(f"{RESULTS}/")])
    if not found.pairs and not found.others:
        return
    pictures: dict[str, bytes] = {}
    for row in found.pairs:
        if drawn := draw_numbers(row.numbers, row.file):
            pictures[f"{row.file}-here.svg"] = drawn.encode() + b"\n"
    pictures |= _crops(run, found.pairs)
    for name, content in pictures.items():
        write_atomic(run.repo / FIGURES / name, content)
    there += [f"{FIGURES}{name}" for name in pictures]
    write_atomic(run.repo / INDEX, _page(data, paper, found, there))


def _files(run: RunDir) -> list[str]:
    """Return what a run drew, by its paths in the repository."""
    found = (name for part in (RESULTS, "claims/pages") for name in names_below(run.path, f"repo/{part}"))
    return [name.removeprefix("repo/") for name in found]


def _crops(run: RunDir, rows: Sequence[Beside]) -> dict[str, bytes]:
    """Return the PNG of each figure and table by its file's name: as the reader kept it, or cut out of the PDF now."""
    kept = {row.block.id: png for row in rows if (png := _kept(run.path, row.block.image))}
    missing = [row.block for row in rows if row.block.id not in kept]
    cut = cut_out(run.path, [spot for block in missing if (spot := whole(block)) is not None])
    crops: dict[str, bytes] = {}
    room = MAX_CROPS
    for row in rows:
        png = kept.get(row.block.id) or cut.get(row.block.id, b"")
        if png and len(png) <= min(room, MAX_CROP):
            crops[row.crop.removeprefix(FIGURES)] = png
            room -= len(png)
    return crops


def _kept(run: Path, image: str | None) -> bytes:
    try:
        return read_png(run, f"paper/{image}") if image else b""
    except NotThere:
        return b""


def _page(data: ReportData, paper: Paper | None, found: Compared, there: Sequence[str]) -> str:
    parts = [
        "# The paper's figures and tables beside this repository's",
        f"{md(headline(data), 600)}.",
        RIGHTS,
        *([said] if (said := _no_pictures(paper)) else []),
    ]
    for row in found.pairs:
        parts += _pair(row, there)
    if found.others:
        parts += ["## Drawn here, of no figure that its name tells", *(_picture(name, name) for name in found.others)]
    if found.left:
        rows = [f"- {md(block.caption or named(block), 160)}{_on(block.page)}" for block in found.left]
        parts += ["## Figures of which nothing was drawn or measured here", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def _no_pictures(paper: Paper | None) -> str:
    if paper is None:
        return "The paper as it was read is not in this run: it cannot be said which figures these are."
    if paper.format != "pdf":
        return f"There are no pictures of the paper here: it was read from {paper.format}, not from a PDF."
    return ""


def _pair(row: Beside, there: Sequence[str]) -> list[str]:
    name = md(row.name)
    theirs = _picture(row.crop, f"{row.name} of the paper") if row.crop in there else "no picture of it was cut out"
    ours = [_picture(path, words) for path, words in row.plots(there)] or ["nothing was drawn for it"]
    return [
        f"## {name}{_on(row.block.page)}",
        *([f"> {md(row.block.caption, 600)}"] if row.block.caption else []),
        "\n".join(["| the paper | this repository |", "| --- | --- |", f"| {theirs} | {'<br>'.join(ours)} |"]),
        *([f"{_claims(row, there)}."] if row.claims else []),
        *([_numbers(row.numbers)] if row.numbers else []),
    ]


def _claims(row: Beside, there: Sequence[str]) -> str:
    said: list[str] = []
    for claim in row.claims:
        page, name = f"claims/{page_file(claim.claim)}", f"Claim {md(claim.claim)}"
        linked = f"[{name}](../{page})" if page in there else name
        said.append(f"{linked}: {md(claim.verdict or 'not judged')}")
    return "; ".join(said)


def _picture(path: str, words: str) -> str:
    near = path.removeprefix(FIGURES) if path.startswith(FIGURES) else f"../{path}"
    return f"![{md(words)}]({quote(near)})"


def _on(page: int | None) -> str:
    return f" (page {page})" if page else ""


def _numbers(rows: Sequence[MeasuredResult]) -> str:
    lines = [
        f"| {md(row.expected.metric)} | {md(claim_words(row.expected))} "
        f"| {'-' if row.measured is None else format(row.measured, 'g')} | {md(grade_words(row))} |"
        for row in rows
    ]
    return "\n".join(["| number | paper | here | grade |", "| --- | --- | --- | --- |", *lines])
