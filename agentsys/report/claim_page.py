"""One claim in full, as Markdown: what the paper says, what was measured, what was agreed before, how to redo it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from agentsys.core.text import fence, md
from agentsys.report.claims import ClaimRow, because

if TYPE_CHECKING:
    from agentsys.report.claim_values import Values

LINES = ("of", "paper", "measured", "interval", "n", "the rule")
BY_SEED = ("case", "setting", "method", "quantity", "unit", "value by seed")
Say = Callable[[object, int], str]
"""Makes a text of paper or model harmless in one line of a kind of Markdown, at most so many characters long."""
_LONG = 1500


def plot_file(claim: str) -> str:
    """Return the path of a claim's plot in a folder of claims."""
    return f"pages/{claim.lower()}.svg"


def page_file(claim: str) -> str:
    """Return the path of a claim's page in a folder of claims."""
    return f"pages/{claim.lower()}.md"


def body(row: ClaimRow, plot: str = "", say: Say = md, raw: Values | None = None) -> list[str]:
    """Return the blocks of a claim's page, without its heading.

    Args:
        plot: a block that shows the plot, or says why there is none; empty for nothing.
        raw: what was measured seed by seed, where the rows are at hand.
    """
    return [
        *words(row, say),
        f"**{say(row.verdict or 'not judged', 40)}**: {say(because(row) or 'no rule was evaluated', _LONG)}.",
        measured(row, say),
        *([f"Checked apart from it: {say(row.checked, 300)}."] if row.checked else []),
        *([plot] if plot else []),
        *(by_seed(row.claim, raw, say) if raw is not None else []),
        contract(row, say),
        *done(row, say),
        *review(row, say),
        *limits(row, say),
    ]


def words(row: ClaimRow, say: Say = md) -> list[str]:
    """Return the claim, and the paper's own words that it rests on."""
    place = "" if row.text.rstrip(" .").endswith(f"({row.place})") else f" ({say(row.place, 100)})"
    claim = f"> {say(row.text, 2000)}{place}"
    return [claim, *(["\n".join(f"- the paper: {say(quote, 600)}" for quote in row.quotes)] if row.quotes else [])]


def measured(row: ClaimRow, say: Say = md) -> str:
    """Return the table of what the paper says and what was measured."""
    lines = [(line.what, line.paper, line.measured, line.interval, str(line.n or ""), line.says) for line in row.lines]
    return table(LINES, lines, say)


def by_seed(claim: str, raw: Values, say: Say = md) -> list[str]:
    """Return the table of raw values; nothing where there are none."""
    if not raw.lines:
        return []
    left = f" ({raw.left} more lines are in the file)" if raw.left else ""
    head = f"Measured, seed by seed, as rows/{claim}.csv holds it{left}:"
    return [head, table(BY_SEED, raw.lines, say, _LONG)]


def contract(row: ClaimRow, say: Say = md) -> str:
    """Return the table of what was agreed before the code."""
    terms = [*row.terms, ("amended", "; ".join(row.amendments)), ("SHA-256", row.contract)]
    return table(("contract", row.kind), [(name, text) for name, text in terms if text], say, _LONG)


def done(row: ClaimRow, say: Say = md) -> list[str]:
    """Return what was run and what it took, and the last command of each case."""
    if not row.cells:
        return ["Nothing was run for this claim."]
    failed = f", {row.failed} of them failed" if row.failed else ""
    took = f"{row.cells} cells{failed}, {row.cpu_seconds:.1f} CPU s, {row.seconds:.1f} s on the clock"
    took += f"; {row.elsewhere}" if row.elsewhere else ""
    commands = fence("\n".join(row.commands), "sh")
    return [f"{say(took, 400)}. Every command is in `cells.jsonl`; the last of each case:", commands]


def review(row: ClaimRow, say: Say = md) -> list[str]:
    """Return what a reviewer found of the claim's code beside contract and paper; nothing where none gave an answer."""
    rows = [f"- {say(line, 600)}" for line in row.review]
    return ["The code of this claim beside the paper:", "\n".join(rows)] if rows else []


def limits(row: ClaimRow, say: Say = md) -> list[str]:
    """Return the limits as a list with its heading; nothing where there are none."""
    return ["Limits:", "\n".join(f"- {say(text, _LONG)}" for text in row.limits)] if row.limits else []


def table(head: Sequence[str], rows: Iterable[Sequence[str]], say: Say = md, limit: int = 300) -> str:
    """Return a Markdown table of texts that are made harmless here."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(say(cell, limit) for cell in row)} |" for row in rows]
    return "\n".join(lines)
