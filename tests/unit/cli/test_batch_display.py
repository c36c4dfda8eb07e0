"""How a batch is shown while it runs."""

from __future__ import annotations

import io

from rich.console import Console

from agentsys.cli.display.batch import BatchDisplay
from agentsys.report.batch import Row
from agentsys.run.batch.listing import Paper

PAPER = Paper("/papers/first.pdf", sha256="1")
EVIL = Paper("/papers/\x1b[31mred\x07.pdf", sha256="2")


def row(paper: Paper, **more: object) -> Row:
    values = {"key": paper.key, "paper": paper.name, "status": "unverified", "exit_code": 5, "cost": 0.25}
    return Row.model_validate({**values, "reason": "pytest failed", "seconds": 61, **more})


def test_without_a_terminal_each_begin_and_end_is_a_line_and_nothing_else_is() -> None:
    stream = io.StringIO()
    with BatchDisplay("plain", stream, 2) as shown:
        shown.begun(PAPER, 1)
        shown.noted(PAPER.key, {"type": "stage.started", "stage": "plan"})
        shown.lost(PAPER, "its worker was killed by signal 9")
        shown.begun(PAPER, 2)
        shown.ended(row(PAPER, failed=("pytest",)))
        shown.ended(row(EVIL, status="verified", exit_code=0), earlier=True)
    lines = [line[9:] for line in stream.getvalue().splitlines()]
    assert lines == [
        "begins first.pdf (worker 1)",
        "first.pdf: its worker was killed by signal 9; it is gone on with by another",
        "begins first.pdf (worker 2)",
        "unverified first.pdf: pytest failed (pytest failed), $0.25, 1:01; 1 of 2",
        "before: verified red.pdf: $0.25, 1:01; 2 of 2",
    ]


def test_quiet_shows_nothing() -> None:
    stream = io.StringIO()
    with BatchDisplay("quiet", stream, 1) as shown:
        shown.begun(PAPER, 1)
        shown.ended(row(PAPER))
    assert stream.getvalue() == ""


def test_the_table_has_stage_calls_and_cost_of_what_goes_on_and_the_sum_of_all() -> None:
    shown = BatchDisplay("live", io.StringIO(), 3, tick=lambda: 100.0)
    shown.ended(row(EVIL))
    shown.begun(PAPER, 1)
    shown.noted(PAPER.key, {"type": "round.started", "stage": "verify", "round": 2})
    shown.noted(PAPER.key, {"type": "llm.call", "price": 0.5})
    shown.noted("unknown", {"type": "llm.call", "price": 9.0})
    text = drawn(shown)
    assert "first.pdf" in text and "verify 2" in text and "$0.50" in text and "worker 1" in text
    assert "1 of 3 ended (1 unverified), 1 under way, $0.75" in text
    assert "\x1b" not in text and "\x07" not in text
    shown.noted(PAPER.key, {"type": "llm.call", "price": None})
    assert "under way, $?" in drawn(shown)
    assert shown.stopping() and "Ctrl-C once more stops at once" in drawn(shown)


def drawn(shown: BatchDisplay) -> str:
    stream = io.StringIO()
    Console(file=stream, width=140).print(shown._table())
    return stream.getvalue()
