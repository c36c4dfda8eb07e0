"""The paper's numbers beside those measured here, as a drawing: one row a number, one panel a unit."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from typing import Any

from agentsys.core.artifacts import MeasuredResult
from agentsys.core.text import clean_line
from agentsys.report.claim_plot import COLOURS, PAPER, STYLE
from agentsys.report.facts import is_full

MOST = 24
"""Numbers of one drawing; the table below it has all."""
_LARGEST = 1e150
_LINE, _LINES = 34, 2
"""Characters of a line of a name, and lines of it."""
_MARKS = {"equal": ("o", "paper"), "at_most": ("<", "paper, at most"), "at_least": (">", "paper, at least")}


def draw_numbers(rows: Sequence[MeasuredResult], name: str) -> str:
    """Return an `<svg>` element with selectable text; empty where nothing was measured or matplotlib is not installed.

    Args:
        name: of the figure or table that states the numbers; the same rows and name give the same bytes.
    """
    panels = _panels(rows)
    try:
        import matplotlib
    except ImportError:
        return ""
    library: Any = matplotlib
    if not panels:
        return ""
    with library.rc_context({**STYLE, "svg.hashsalt": name, "svg.id": name}):
        return _svg(panels)


def _panels(rows: Sequence[MeasuredResult]) -> dict[str, list[MeasuredResult]]:
    """Return measured rows by their unit, as many as one drawing holds."""
    done = [
        row for row in rows if row.measured is not None and _drawable(row.measured) and _drawable(row.expected.value)
    ]
    found: dict[str, list[MeasuredResult]] = {}
    for row in done[:MOST]:
        found.setdefault(row.expected.unit, []).append(row)
    return found


def _drawable(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and abs(value) < _LARGEST


def _svg(panels: dict[str, list[MeasuredResult]]) -> str:
    from matplotlib.figure import Figure

    heights = [len(rows) + 1.2 for rows in panels.values()]
    figure: Any = Figure(figsize=(5.6, 0.42 * sum(heights) + 0.3), layout="constrained")
    axes: Any = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for place, (unit, rows) in enumerate(panels.items()):
        _panel(axes[place][0], unit, rows, first=place == 0)
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Creator": None, "Date": None, "Format": None, "Type": None})
    text = file.getvalue().decode("utf-8")
    return text[text.index("<svg") :].strip()


def _panel(axes: Any, unit: str, rows: Sequence[MeasuredResult], *, first: bool) -> None:
    places = range(len(rows))
    here = [row.measured for row in rows]
    paper = [row.expected.value for row in rows]
    axes.hlines(places, here, paper, color="#999999", linewidth=1)
    for relation, (marker, label) in _MARKS.items():
        chosen = [(row.expected.value, place) for place, row in enumerate(rows) if row.expected.relation == relation]
        if chosen:
            values, lines = zip(*chosen, strict=True)
            axes.plot(values, lines, marker, markerfacecolor="white", color=PAPER, markersize=7, label=label)
    for full, label in ((True, "here"), (False, "here, not at the paper's scale")):
        chosen = [place for place, row in enumerate(rows) if is_full(row) is full]
        if chosen:
            colour = COLOURS[0] if full else COLOURS[4]
            axes.plot([here[place] for place in chosen], chosen, "o", color=colour, markersize=3.5, label=label)
    axes.set_yticks(places, [_name(row.expected.metric) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.08)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(clean_line(unit or "value", 50))
    if first:
        axes.legend(fontsize=8, frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))


def _name(metric: str) -> str:
    lines = textwrap.wrap(clean_line(metric), _LINE)
    return "\n".join(lines[:_LINES]) + ("…" if len(lines) > _LINES else "")
