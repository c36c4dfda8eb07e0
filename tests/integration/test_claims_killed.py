"""`kill -9` while claims are put to the test, then `resume`: no cell is lost or run twice. The sandboxes are real."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.claimed_runs import CELLS, cells, copied, kill_when, verdicts
from integration.test_kill_and_resume import command, leftovers

pytestmark = [pytest.mark.index, pytest.mark.timeout(900)]


def began(run: Path) -> bool:
    """The environment is being installed; no cell was run yet."""
    return b'"stage": "experiments", "round": 0, "data": {"check": "install"' in (run / "events.jsonl").read_bytes()


def judged(run: Path) -> bool:
    """All cells are done, and their rows put together."""
    return (run / "claims" / "judged").is_dir()


def at_cell(count: int) -> Callable[[Path], bool]:
    """So many cells stand in the log."""

    def reached(run: Path) -> bool:
        log = run / "claims" / "cells.jsonl"
        return log.is_file() and log.read_bytes().count(b"\n") >= count

    return reached


def whole_lines(log: Path) -> bytes:
    raw = log.read_bytes() if log.is_file() else b""
    return raw[: raw.rfind(b"\n") + 1]


def check_killed(tmp_path: Path, before: Path, after: Path, point: Callable[[Path], bool], jobs: int) -> None:
    run = copied(before, tmp_path)
    log = run / "claims" / "cells.jsonl"
    kill_when(run, command("resume", run, "--quiet", "--set", f"claim_jobs={jobs}"), point)
    kept = whole_lines(log)
    done = subprocess.run(command("resume", run, "--quiet"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert log.read_bytes().startswith(kept)
    commands, expected = (sorted(row["command"] for row in cells(each)) for each in (run, after))
    assert commands == expected and len(set(map(tuple, commands))) == CELLS
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    executed = [row for row in events if row["type"] == "sandbox.exec" and row["data"]["check"].startswith("claim ")]
    assert CELLS <= len(executed) <= CELLS + jobs, "only cells that were under way may be run twice"
    assert {row["outcome"] for row in cells(run)} == {"ok"}
    assert verdicts(run) == verdicts(after) and leftovers(run.name) == []


@pytest.mark.slow
@pytest.mark.parametrize(("point", "jobs"), [(at_cell(2), 1), (at_cell(20), 2)])
def test_a_killed_claim_run_goes_on_cell_by_cell(
    tmp_path: Path, before_claims: Path, after_claims: Path, point: Callable[[Path], bool], jobs: int
) -> None:
    check_killed(tmp_path, before_claims, after_claims, point, jobs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "jobs"),
    [
        (began, 2),
        (at_cell(1), 2),
        (at_cell(4), 1),
        (at_cell(5), 2),
        (at_cell(7), 2),
        (at_cell(13), 1),
        (at_cell(26), 2),
        (at_cell(39), 2),
        (at_cell(CELLS), 2),
        (judged, 2),
    ],
)
def test_a_claim_run_killed_at_any_of_ten_points_goes_on_cell_by_cell(
    tmp_path: Path, before_claims: Path, after_claims: Path, point: Callable[[Path], bool], jobs: int
) -> None:
    check_killed(tmp_path, before_claims, after_claims, point, jobs)
