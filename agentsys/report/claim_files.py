"""The pages of claims in a folder of claims: `README.md` with the scoreboard, in `pages/` each claim and its plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agentsys.core.files import write_atomic
from agentsys.core.text import md
from agentsys.report.claim_page import body, page_file, plot_file, table
from agentsys.report.claim_plot import Plots
from agentsys.report.claims import HEAD, ClaimRow, cells_of, scoreboard

_AGAIN = "`python claims/evaluate.py` evaluates every verdict again from the raw rows, with numpy and scipy alone."


INDEX, PAGES = "README.md", "pages"


def write_pages(folder: Path, title: str, rows: Sequence[ClaimRow], plots: Plots) -> None:
    """Write the pages into a folder of claims; those that lie there already are replaced, or taken away."""
    pages = folder / PAGES
    for old in (*pages.glob("*.md"), *pages.glob("*.svg")):
        old.unlink()
    index = [
        f"# Claims of {md(title, 200)}",
        f"**{md(scoreboard(rows))}**",
        table(HEAD, [cells_of(row) for row in rows]),
        "\n".join(f"- [Claim {row.claim}]({page_file(row.claim)})" for row in rows),
        _AGAIN,
        *([md(plots.why, 600)] if plots.why else []),
    ]
    files = {INDEX: "\n\n".join(index) + "\n"}
    for row in rows:
        drawn = plots.svg.get(row.claim, "")
        plot = f"![plot of claim {row.claim}]({row.claim.lower()}.svg)" if drawn else md(plots.why, 600)
        head = f"# Claim {row.claim}: {md(row.verdict or 'not judged')}"
        files[page_file(row.claim)] = (
            "\n\n".join([head, *body(row, plot, raw=plots.values.get(row.claim)), f"[All claims](../{INDEX})"]) + "\n"
        )
        if drawn:
            files[plot_file(row.claim)] = drawn + "\n"
    for name, text in files.items():
        write_atomic(folder / name, text)
