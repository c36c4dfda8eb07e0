"""`kill -9` among the cells of claims, then `resume`: none is lost, none is run twice. The sandbox is real."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from integration.test_kill_and_resume import DEADLINE, command, environment
from scripted.claims import measured
from scripted.recording import write_paper, write_recording

pytestmark = [pytest.mark.index]


def kill_at(runs: Path, environ: dict[str, str], argv: list[str], count: int) -> None:
    """Start the program and kill it as soon as `count` cells are in the log."""
    process = subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + DEADLINE
    while process.poll() is None:
        logs = list(runs.glob("*/claims/cells.jsonl"))
        if logs and logs[0].read_bytes().count(b"\n") >= count:
            process.send_signal(signal.SIGKILL)
            break
        assert time.monotonic() < until, "the run neither ended nor came to the point"
        time.sleep(0.005)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize(
    "point", [1, pytest.param(7, marks=pytest.mark.slow), 20, pytest.param(47, marks=pytest.mark.slow)]
)
def test_a_killed_claim_run_goes_on_cell_by_cell(tmp_path: Path, backend: str, point: int) -> None:
    paper = write_paper(tmp_path)
    recording = write_recording(tmp_path / "recording", paper, measured())
    environ, runs = environment(tmp_path, backend), tmp_path / "runs"
    start = command("implement", paper, "--replay", recording, "--quiet", "--set", "mutants=0")
    kill_at(runs, environ, start, point)
    (run,) = (file.parent for file in runs.glob("*/run.json") if not file.parent.is_symlink())
    log = run / "claims" / "cells.jsonl"
    before = log.read_bytes()
    before = before[: before.rfind(b"\n") + 1]
    done = subprocess.run(command("resume", run, "--quiet"), env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert log.read_bytes().startswith(before) and before.count(b"\n") >= point
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert set(Counter(tuple(row["command"]) for row in rows).values()) == {1} and len(rows) == 3 * 2 + 7 * 3 * 2
    executed = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    cells = [row for row in executed if row["type"] == "sandbox.exec" and row["data"]["check"].startswith("claim ")]
    assert len(rows) <= len(cells) <= len(rows) + 1, "only the cell under way may be run twice"
    stored = json.loads((run / "repo" / "claims" / "verdicts.json").read_text())
    assert [row["verdict"] for row in stored["verdicts"]] == ["verified", "verified", "inconclusive"]
