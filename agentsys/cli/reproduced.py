"""What a running profile prints, and what came of it, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from agentsys.cli.output import table
from agentsys.core.text import clean_line

if TYPE_CHECKING:
    from agentsys.run.reproduce import Reproduced
    from agentsys_sandbox.base import OnOutput

MAX_LINE = 4000


def streaming(show: Callable[[str], None]) -> OnOutput:
    """Return what shows the lines of a running program, harmless for a terminal; of a progress bar the last state."""
    rest: dict[str, bytes] = {}

    def on_output(stream: Literal["stdout", "stderr"], piece: bytes) -> None:
        *lines, rest[stream] = (rest.get(stream, b"") + piece).split(b"\n")
        if len(rest[stream]) > MAX_LINE:  # a progress bar draws itself on one line for ever
            rest[stream] = rest[stream].rpartition(b"\r")[2][:MAX_LINE]
        for line in lines:
            show(clean_line(line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace"), MAX_LINE))

    return on_output


def words(done: Reproduced) -> str:
    """Return verdict, checks, the table of numbers and where everything lies."""
    from agentsys.report.facts import NUMBERS_HEAD, numbers

    record = done.record
    state = "passed" if record.passed else "failed"
    lines = [f"{record.profile} profile {state} after {record.seconds:.1f} s ({record.backend or 'no sandbox'})"]
    if record.weak:
        lines.append("  sandbox  WEAK, it isolates less than Docker does")
    if not record.passed:
        lines.append(f"  reason   {clean_line(record.reason, 500)}")
        lines += [f"  hint     {clean_line(record.hint, 300)}"] if record.hint else []
    lines.append(f"  written  {done.folder}")
    rows: Sequence[tuple[str, ...]] = numbers(done.rows)
    return "\n".join([*lines, "", table(NUMBERS_HEAD, rows)] if rows and record.passed else lines)
