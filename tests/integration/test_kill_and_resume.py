"""`kill -9` anywhere, then `resume`: the same end, no model asked twice, nothing left behind.

The answers are scripted, the sandbox is real.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripted.answers import CORE_RIGHT, CORE_WRONG, LINE, fenced, first_version, repair

POINTS_FAST = (30,)
POINTS_ALL = tuple(range(2, 82, 4))
DEADLINE = 240.0


def answers() -> dict[tuple[str, str], str]:
    """Two repairs: one by the debugger, one handed to the coder."""
    found = first_version(CORE_WRONG)
    found["debugger", "round-01"] = repair("a guess", LINE.format(2), LINE.format(3))
    from scripted.answers import as_json

    found["debugger", "round-02"] = as_json(
        {
            "cause": "count from one",
            "owner": "coder",
            "instructions": [{"path": "runmean/core.py", "instruction": "t from 1"}],
        }
    )
    found["coder", "round-02/runmean/core.py"] = fenced(CORE_RIGHT)
    return found


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "agentsys", *map(str, words)]


def environment(tmp_path: Path, backend: str) -> dict[str, str]:
    return {**os.environ, "AGENTSYS_RUNS_DIR": str(tmp_path / "runs"), "AGENTSYS_BACKEND": backend}


def kill_at(tmp_path: Path, environ: dict[str, str], argv: list[str], count: int) -> None:
    """Start the program and kill it as soon as its event log has `count` lines (or let it end)."""
    process = subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + DEADLINE
    while process.poll() is None:
        logs = list((tmp_path / "runs").glob("*/events.jsonl"))
        if logs and logs[0].read_bytes().count(b"\n") >= count:
            process.send_signal(signal.SIGKILL)
            break
        assert time.monotonic() < until, "the run neither ended nor came to the point"
        time.sleep(0.005)
    process.wait()


def check_killed(tmp_path: Path, backend: str, scripted, count: int) -> None:
    paper, recording = scripted(answers())
    environ = environment(tmp_path, backend)
    kill_at(tmp_path, environ, command("implement", paper, "--replay", recording, "--display", "quiet"), count)
    runs = [path for path in (tmp_path / "runs").iterdir() if not path.is_symlink()]
    assert len(runs) == 1
    interrupted = json.loads((runs[0] / "run.json").read_text())["status"] == "running"
    if interrupted:
        argv = command("resume", runs[0].name, "--display", "quiet")
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=DEADLINE)
        assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads((runs[0] / "run.json").read_text())
    assert record["status"] == "verified"
    assert record["rounds"] == 3 and record["pid"] is None
    keys = [json.loads(line)["key"] for line in (runs[0] / "llm" / "ledger.jsonl").read_text().splitlines()]
    assert len(keys) == len(set(keys)), "a call was paid for twice"
    assert len(keys) == len(answers()) + 1
    assert not (runs[0] / ".lock").exists()
    assert not list(runs[0].rglob("*.tmp"))
    assert leftovers(runs[0].name) == []


def leftovers(run: str) -> list[str]:
    """Name what sandboxes of this run left, whoever owns it."""
    from agentsys_sandbox.reap import clean_up

    found = clean_up(dry_run=True, everything=True).found
    return [f"{item.backend} {item.kind} {item.name}" for item in found if item.run == run]


@pytest.mark.index
@pytest.mark.parametrize("count", POINTS_FAST)
def test_a_killed_run_resumes_to_the_same_end(tmp_path: Path, backend: str, scripted, count: int):
    check_killed(tmp_path, backend, scripted, count)


@pytest.mark.index
@pytest.mark.slow
@pytest.mark.parametrize("count", POINTS_ALL)
def test_a_run_killed_at_any_of_twenty_points_resumes_to_the_same_end(
    tmp_path: Path, backend: str, scripted, count: int
):
    check_killed(tmp_path, backend, scripted, count)
