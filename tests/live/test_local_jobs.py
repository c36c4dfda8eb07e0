"""A job of processes on this machine: it outlives who follows it, and a killed process loses no cell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from agentsys.run.jobs.local import LocalEngine
from integration.test_kill_and_resume import command
from live.jobs import SANDBOX, cells, executed
from live.sandboxes import need
from live.slurm import descendants, naming
from unit.run.claimed_run import CELLS, make_claimed

pytestmark = [pytest.mark.slow, pytest.mark.index, pytest.mark.bwrap, pytest.mark.timeout(600)]
DEADLINE = 120.0


def test_a_job_outlives_who_follows_it_and_a_killed_process_loses_no_cell_and_runs_none_twice(tmp_path: Path) -> None:
    need("bwrap")
    pytest.importorskip("submitit")
    run = make_claimed(tmp_path, pause=0.5)
    words = ("--profile", "claims", "--on", "local", "--tasks", "2")
    argv = command("reproduce", run.path, *words, *SANDBOX)
    follower = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, start_new_session=True)
    folder = run.reproductions / "01"
    until = time.monotonic() + DEADLINE
    while cells(folder) < 3:
        assert time.monotonic() < until and follower.poll() is None, "no cell was run"
        time.sleep(0.1)
    os.killpg(follower.pid, signal.SIGINT)  # as a terminal does, to all that began in it
    said = follower.communicate(timeout=60)[1]
    assert follower.returncode == 130 and "goes on without this terminal" in said, said
    ids = json.loads((folder / "job.json").read_text())["submissions"][0]["ids"]
    assert [seen.state for seen in LocalEngine().states(ids)] == ["running", "running"]

    for pid in (victim := int(ids[0].partition(":")[0]), *descendants(victim)):
        os.kill(pid, signal.SIGKILL)
    done = subprocess.run(command("jobs", "follow", run.path), capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "claims: 2 verified" in done.stdout, done.stdout + done.stderr
    logged = [json.loads(line)["command"] for line in (run.claims / "cells.jsonl").read_text().splitlines()]
    assert len(logged) == len(set(map(tuple, logged))) == CELLS and not naming(str(tmp_path))
    ran = executed(folder)
    assert len(ran) == CELLS and ran.total() <= CELLS + 1, "only the cell that was under way may be run twice"
