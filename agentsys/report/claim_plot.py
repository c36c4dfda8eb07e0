"""Plots of claims as SVG with selectable text: raw rows, and the statistic beside the paper's value and the control."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentsys.core.rundir import RunDir
from agentsys.core.text import clean_line
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.claims.contract import Contract
from agentsys.plan.claims.rule import parts
from agentsys.plan.workspace import CONTRACTS
from agentsys.report.claim_parts import leading, of_part
from agentsys.report.claim_reading import ClaimVerdict, read_verdicts
from agentsys.report.reading import Problems, read_model

if TYPE_CHECKING:
    from agentsys.report.claim_points import Dot, Points, Series
    from agentsys.report.claim_values import Values

ABSENT = "no plots were drawn: matplotlib is not installed (`pip install 'agentsys[plots]'`)"
STYLE: dict[str, object] = {
    "svg.fonttype": "none",
    "text.usetex": False,
    # No text is a formula, whatever it holds.
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5b3a8c", "#7a5c00")
_ROOM = 45
"""Characters that stand side by side below a plot."""
_GREY, PAPER, _ASKED = "#777777", "#b3261e", "#1a7f37"


@dataclass(frozen=True)
class Plots:
    """Claim to its plot, an `<svg>` element, and to its raw values.

    `why` says why there is no plot at all, where something kept them.
    """

    svg: Mapping[str, str] = field(default_factory=dict[str, str])
    why: str = ""
    values: Mapping[str, Values] = field(default_factory=dict[str, "Values"])


def draw_plots(run: RunDir) -> Plots:
    """Return the plots of the judged claims of a run, drawn from its raw rows; matplotlib is loaded only here."""
    problems = Problems()
    verdicts = read_verdicts(run, problems)
    contracts = read_model(run.claims / CONTRACTS, Contracts, problems)
    if not verdicts or contracts is None:
        return Plots()
    from agentsys.report.claim_points import points, read_rows_of
    from agentsys.report.claim_values import values

    found = read_rows_of(run, contracts, problems)
    if found is None:
        return Plots(why=clean_line(f"no plots were drawn: {problems[0]}")) if problems else Plots()
    rows, tables = found
    raw = {name: values(rows, name) for name in verdicts if name in contracts.claims}
    try:
        import matplotlib
    except ImportError:
        return Plots(why=ABSENT, values=raw)
    library: Any = matplotlib
    drawn: dict[str, str] = {}
    for name in raw:
        contract = contracts.current(name)
        shown = points(contract, rows, tables.get(name, {}), _dots(contract, verdicts[name]))
        if shown is not None and shown.series:
            with library.rc_context({**STYLE, "svg.hashsalt": name, "svg.id": name}):
                drawn[name] = _svg(shown)
    return Plots(drawn, values=raw)


def _dots(contract: Contract, verdict: ClaimVerdict) -> Iterator[Dot]:
    from agentsys.report.claim_points import Dot

    several = contract.accept is not None and len(parts(contract.accept)) > 1
    for key, label in (("accept", "claim"), ("control", "control")):
        found = verdict.outcomes.get(key)
        if found is None or (several and not found.parts):  # of which part its numbers are is not known
            continue
        found = of_part(found, leading(contract))
        if found.value is not None:
            low, high = (found.value if end is None else end for end in (found.low, found.high))
            yield Dot(label, found.value, min(low, found.value), max(high, found.value))


def _svg(shown: Points) -> str:
    from matplotlib.figure import Figure

    wide = bool(shown.dots)
    figure: Any = Figure(figsize=(7.2 if wide else 4.8, 2.9), layout="constrained")
    axes: Any = figure.subplots(1, 2 if wide else 1, squeeze=False, width_ratios=[3, 2] if wide else [1])
    _raw(axes[0][0], shown)
    if wide:
        _statistic(axes[0][1], shown)
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Creator": None, "Date": None, "Format": None, "Type": None})
    text = file.getvalue().decode("utf-8")
    return text[text.index("<svg") :].strip()


def _raw(axes: Any, shown: Points) -> None:
    from agentsys.report.claim_points import CONTROLLED

    lines = list(dict.fromkeys(each.label.removesuffix(CONTROLLED) for each in shown.series))
    for each in shown.series:
        _curve(axes, shown, each, COLOURS[lines.index(each.label.removesuffix(CONTROLLED)) % len(COLOURS)])
    if shown.line is not None:
        axes.axhline(shown.line, color=PAPER, linestyle="--", linewidth=1, label=f"{shown.line_label} {shown.line:g}")
    if shown.guide[0]:
        axes.plot(*shown.guide, color=PAPER, linestyle="--", linewidth=1, label=f"paper, slope {shown.paper:g}")
    long = sum(map(len, shown.names)) > _ROOM  # names that would lie over each other are counted
    if shown.names:
        axes.set_xlim(-0.5, len(shown.names) - 0.5)
        axes.set_xticks(range(len(shown.names)), range(1, len(shown.names) + 1) if long else shown.names)
    if shown.log_x:
        axes.set_xscale("log")
        _logarithmic(axes.xaxis)
    if shown.log_y and all(value > 0 for each in shown.series for value in each.low):
        axes.set_yscale("log")
        _logarithmic(axes.yaxis)
    axes.set_xlabel(clean_line(f"{shown.x_label}{', by name' if long else ''}", 50))
    axes.set_ylabel(clean_line(shown.y_label, 40))
    axes.set_title("; ".join(("rows: mean, smallest and largest", *shown.notes)), fontsize=8, loc="left")
    axes.legend(fontsize=7, frameon=False)


def _curve(axes: Any, shown: Points, each: Series, colour: str) -> None:
    style: dict[str, Any] = {"color": colour, "label": clean_line(each.label, 34), "markersize": 3, "linewidth": 1.2}
    style["marker"] = ("s" if each.control else "o") if len(each.x) <= 40 else ""
    if each.control:
        style |= {"markerfacecolor": "white", "alpha": 0.6, "linestyle": ":"}
    if not shown.names:
        axes.plot(each.x, each.mean, **style)
        axes.fill_between(each.x, each.low, each.high, color=colour, alpha=0.12, linewidth=0)
        return
    spread = [
        [max(mean - low, 0.0) for mean, low in zip(each.mean, each.low, strict=True)],
        [max(high - mean, 0.0) for mean, high in zip(each.mean, each.high, strict=True)],
    ]
    axes.errorbar(each.x, each.mean, yerr=spread, capsize=2, elinewidth=0.7, **{**style, "linestyle": "none"})


def _logarithmic(axis: Any) -> None:
    """Plain numbers at the decades: matplotlib's own are formulas, which are off here."""
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _statistic(axes: Any, shown: Points) -> None:
    """The statistic of claim and control with its interval; what the rule accepts is shaded."""
    for place, dot in enumerate(shown.dots):
        colour = _GREY if dot.label == "control" else COLOURS[0]
        axes.errorbar([dot.value], [place], xerr=[[dot.value - dot.low], [dot.high - dot.value]], marker="o",
                      color=colour, capsize=3, linestyle="none")  # fmt: skip
    if shown.paper is not None:
        axes.axvline(shown.paper, color=PAPER, linestyle="--", linewidth=1, label=f"paper {shown.paper:g}")
    axes.margins(x=0.15)
    low, high = axes.get_xlim()
    for bound in (shown.low, shown.high):
        if bound is not None:
            low, high = min(low, bound), max(high, bound)
    low, high = low - 0.02 * (high - low), high + 0.02 * (high - low)
    if shown.low is not None or shown.high is not None:
        start, end = low if shown.low is None else shown.low, high if shown.high is None else shown.high
        axes.axvspan(start, end, color=_ASKED, alpha=0.12, linewidth=0, label="accepted")
        axes.set_xlim(low, high)
    axes.set_ylim(len(shown.dots) - 0.4, -0.6)
    axes.set_yticks(range(len(shown.dots)), [dot.label for dot in shown.dots])
    axes.set_xlabel(clean_line(shown.dots_label, 30))
    axes.set_title("statistic, with its interval", fontsize=8, loc="left")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, frameon=False, loc="best")
