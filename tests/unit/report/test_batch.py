"""What many papers came to: groups of failures, one exit code, and a page that is harmless whatever it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.core.errors import Status
from agentsys.report.batch import Batch, Row, exit_code, repeated, write_batch

CODES: dict[Status, int] = {
    "verified": 0, "internal_error": 1, "config_error": 3, "provider_error": 4, "unverified": 5, "blocked": 6,
    "limit": 7, "interrupted": 130,
}  # fmt: skip


def row(status: Status, paper: str = "p", **more: object) -> Row:
    values = {"key": f"{paper}-1", "paper": paper, "status": status, "exit_code": CODES[status], "cost": 0.5}
    return Row.model_validate(values | more)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["verified", "verified"], 0),
        (["verified", "unverified"], 5),
        (["unverified", "limit", "blocked"], 7),
        (["unverified", "provider_error", "limit"], 4),
        (["provider_error", "internal_error"], 1),
        (["config_error", "provider_error"], 3),
        (["verified", "interrupted"], 130),
    ],
)
def test_only_verified_papers_end_with_0_and_the_first_failure_of_the_table_is_said(
    statuses: list[Status], code: int
) -> None:
    assert exit_code([row(status) for status in statuses]) == code


def test_failures_of_a_kind_stand_together_the_most_frequent_first() -> None:
    rows = [
        row("unverified", "a", code="rounds_used", failed=("pytest",), reason="pytest failed (1)"),
        row("provider_error", "b", code="KeyRefused", reason="no"),
        row("unverified", "c", code="rounds_used", failed=("pytest",), reason="pytest failed (7)"),
        row("unverified", "d", code="rounds_used", failed=("smoke",), reason="smoke failed"),
        row("verified", "e"),
    ]
    found = [(group.code, group.checks, group.papers) for group in repeated(rows)]
    assert found[0] == ("rounds_used", ("pytest",), ("a", "c"))
    assert sorted(found[1:]) == [("KeyRefused", (), ("b",)), ("rounds_used", ("smoke",), ("d",))]


def test_sums_are_of_all_papers_and_an_unknown_price_makes_the_sum_unknown() -> None:
    batch = Batch(id="x", papers="list", workers=2, where="local", started="")
    assert batch.taken([row("verified"), row("limit")]).cost == 1.0
    assert batch.taken([row("verified"), row("limit", cost=None)]).cost is None
    assert batch.taken([row("verified"), row("limit")]).statuses == {"verified": 1, "limit": 1}


def test_the_page_links_to_runs_beside_it_and_takes_no_markup_from_anywhere(tmp_path: Path) -> None:
    run, folder = tmp_path / "2026-run", tmp_path / "batch-x"
    run.mkdir()
    (run / "report.html").write_text("page")
    evil = "<script>alert(1)</script>"
    rows = [row("unverified", evil, run=str(run), reason=evil, hint=evil, title=evil, code=evil, failed=(evil,))]
    batch = Batch(id=evil, papers=evil, workers=1, where="local", started="now", seconds=1.0).taken(rows)
    write_batch(batch, folder)
    page = (folder / "batch.html").read_text().replace("&#39;", "'")
    assert "<script" not in page and "&lt;script&gt;" in page
    assert 'href="../2026-run/report.html"' in page
    assert "default-src 'none'" in page and "0 of 1 papers verified" in page
    assert Batch.model_validate_json((folder / "batch.json").read_bytes()).rows == rows
