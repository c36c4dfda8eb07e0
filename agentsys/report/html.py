"""`report.html`: one file, no script, no request to anywhere, opens from a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from typing import cast

from agentsys.core.text import clean_line, clean_text, cut_lines
from agentsys.report import facts, ledger, reviewing
from agentsys.report.data import ReportData
from agentsys.report.verdict import effective_status, headline, next_command

MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class _Size:
    """How much of long texts a page keeps: lines of a patch, diagnostics of a round, characters of a cell."""

    patch: int
    diagnostics: int
    cell: int


SIZES = (_Size(400, 20, 400), _Size(60, 20, 400), _Size(10, 5, 200), _Size(4, 2, 80))


def html(data: ReportData) -> str:
    """Return the whole page, below 1 MB: long texts are cut further until it fits, and what is cut is said."""
    for size in SIZES:
        page = _render(data, size)
        if len(page.encode()) < MAX_BYTES:
            return page
    return _render(_core(data), SIZES[-1])


def _core(data: ReportData) -> ReportData:
    """Keep what a page must say about any run, whatever its size."""
    left_out = (
        "this page would be larger than 1 MB: the plan, safety and all but the last 3 rounds are in report.md only"
    )
    return replace(
        data,
        plan=None,
        measured=data.measured[:50],
        rounds=data.rounds[-3:],
        decisions=(),
        evidence=None,
        mutation=None,
        problems=(left_out, *data.problems[:20]),
    )


def _render(data: ReportData, size: _Size) -> str:
    from jinja2 import Environment, StrictUndefined

    def line(text: object) -> str:
        return clean_line(text, size.cell)

    def block(text: str) -> str:
        return cut_lines(clean_text(text), size.patch)

    source = resources.files("agentsys.report").joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    # jinja2 types its table of filters by those it has itself.
    filters = cast("dict[str, Callable[..., object]]", environment.filters)
    filters.update(line=line, block=block, check_cells=facts.check_cells)
    return environment.from_string(source).render(
        data=data,
        facts=facts,
        ledger=ledger,
        reviewing=reviewing,
        status=effective_status(data),
        headline=headline(data),
        next_command=next_command(data),
        max_diagnostics=size.diagnostics,
    )
