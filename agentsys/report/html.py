"""`report.html`: one file, no script, no request to anywhere, opens from a folder."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import cast

from agentsys.display.clean import clean_line, clean_text
from agentsys.report import facts
from agentsys.report.data import ReportData
from agentsys.report.markup import cut_lines
from agentsys.report.verdict import effective_status, headline, next_command

MAX_BYTES = 1_000_000
PATCH_LINES = (400, 60, 10)
"""Lines kept of each patch; fewer where the page would become too large."""


def html(data: ReportData) -> str:
    """Return the whole page, below 1 MB.

    Raises: ValueError if it cannot be made that small.
    """
    for lines in PATCH_LINES:
        page = _render(data, lines)
        if len(page.encode()) < MAX_BYTES:
            return page
    raise ValueError("the report does not fit into 1 MB")


def _render(data: ReportData, patch_lines: int) -> str:
    from jinja2 import Environment, StrictUndefined

    def line(text: object) -> str:
        return clean_line(text, 400)

    def block(text: str) -> str:
        return cut_lines(clean_text(text), patch_lines)

    source = resources.files("agentsys.report").joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    # jinja2 types its table of filters by those it has itself.
    filters = cast("dict[str, Callable[..., object]]", environment.filters)
    filters.update(line=line, block=block, check_cells=facts.check_cells)
    return environment.from_string(source).render(
        data=data,
        facts=facts,
        status=effective_status(data),
        headline=headline(data),
        next_command=next_command(data),
        max_diagnostics=20,
    )
