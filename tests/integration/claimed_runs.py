"""Runs whose repository is verified, on scripted answers, to be copied: before and after their claims were tested."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from integration.test_kill_and_resume import DEADLINE, command
from scripted.answers import fenced
from scripted.claims import BRUTE, measured
from scripted.recording import write_paper, write_recording

CELLS = 3 * 2 + 7 * 3 * 2 + 2
"""Scales, seeds and cases of both claims, and what the checker of the first recomputes."""


def start(folder: Path, backend: str) -> Path:
    """Run `implement`, and kill it where its repository is verified and the programs of claims come next."""
    paper = write_paper(folder)
    checked = {("checker", "claims/check_c1.py"): fenced(BRUTE)}
    recording = write_recording(folder / "recording", paper, measured() | checked)
    words = ("--quiet", "--set", "mutants=0", "--set", "full_seconds=0", "--sandbox", backend)
    argv = command("implement", paper, "--replay", recording, "--runs-dir", folder / "runs", *words)
    kill_when(folder / "runs" / "latest", argv, _verified)
    return (folder / "runs" / "latest").resolve()


def _verified(run: Path) -> bool:
    return (run / "events.jsonl").is_file() and b'"stage": "experiments"' in (run / "events.jsonl").read_bytes()


def finish(run: Path) -> None:
    """Go on to the end."""
    done = subprocess.run(command("resume", run, "--quiet"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def copied(run: Path, folder: Path) -> Path:
    """Return a copy of a run that belongs to one test."""
    return Path(shutil.copytree(run, folder / "runs" / run.name, symlinks=True))


def kill_when(run: Path, argv: list[str], reached: Callable[[Path], bool]) -> None:
    """Start the program, and kill it as soon as the run has reached a point."""
    process = subprocess.Popen(argv, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + DEADLINE
    while process.poll() is None and not reached(run):
        assert time.monotonic() < until, "the run neither ended nor came to the point"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def cells(run: Path) -> list[dict[str, Any]]:
    """Return the rows of the log of cells."""
    return [json.loads(line) for line in (run / "claims" / "cells.jsonl").read_text().splitlines()]


def verdicts(run: Path) -> dict[str, Any]:
    """Return the verdicts with the hashes of all that they rest on."""
    stored: dict[str, Any] = json.loads((run / "repo" / "claims" / "verdicts.json").read_text())
    return stored
