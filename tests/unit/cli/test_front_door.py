"""What a user meets first: the real program, without a key, on papers and runs of the test's own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripted.recording import write_paper

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    return write_paper(tmp_path)


def test_a_run_that_stops_after_reading_needs_no_model_and_asks_none(agentsys: Run, paper: Path, tmp_path: Path):
    done = agentsys("implement", str(paper), "--stop-after", "read", "-o", "kept")
    assert done.returncode == 5, done.stderr
    assert "asked to stop after the paper was read" in done.stdout
    run = (tmp_path / "kept" / "latest").resolve()
    record = json.loads((run / "run.json").read_text())
    assert (record["reason_code"], record["usage"]["calls"]) == ("stopped", 0)
    assert (run / "paper" / "paper.json").is_file()
    assert not (run / "llm").exists() and not (run / "plan").exists()
