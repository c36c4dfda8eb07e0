"""Tables as plain text that fits a terminal and a pipe alike."""

from __future__ import annotations

from collections.abc import Sequence

from agentsys.core.text import clean_line


def table(head: Sequence[str], rows: Sequence[Sequence[object]], limit: int = 60) -> str:
    """Return columns separated by two spaces; each cell is one harmless line of at most `limit` characters."""
    cells = [[clean_line(cell, limit) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
