"""Jobs on a real Slurm that these tests start: what comes back is what this machine gives; nothing is lost or left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agentsys.core.rundir import RunDir
from agentsys.run.jobs.job import Place
from agentsys.run.jobs.slurm import SlurmEngine
from agentsys.run.jobs.steer import advance, look
from integration.test_kill_and_resume import command
from live.jobs import RESUMING, SANDBOX, cells, executed, logged, rows, verdicts
from live.sandboxes import need
from live.slurm import Cluster, absent, naming
from unit.run.claimed_run import CELLS, make_claimed
from unit.verify.delivered import FILES

pytestmark = [pytest.mark.slow, pytest.mark.index, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if why := absent():
        pytest.skip(why)
    need("bwrap")
    pytest.importorskip("submitit")
    folder = tmp_path_factory.mktemp("slurm")
    made = Cluster(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def expected(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The run whose claims are put to the test on this machine, by a job that nobody waits for."""
    run = make_claimed(tmp_path_factory.mktemp("local"))
    done = call(cluster, "reproduce", run.path, "--profile", "claims", "--on", "local", "--detach", *SANDBOX)
    assert done.returncode == 0, done.stdout + done.stderr
    return run


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """No process that works on a run of the test outlives it."""
    yield
    until = time.monotonic() + 10
    while (left := naming(str(tmp_path))) and time.monotonic() < until:
        time.sleep(0.2)
    assert left == []


def call(cluster: Cluster, *words: object) -> subprocess.CompletedProcess[str]:
    argv = command(str(words[0]), *words[1:])
    environment = {**cluster.environment, "OPENAI_API_KEY": "sk-not-for-nodes"}
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)


def submit(cluster: Cluster, run: RunDir, *words: object) -> Path:
    """Submit a job and leave it alone; return its folder."""
    done = call(cluster, "reproduce", run.path, "--on", "slurm", "--detach", *words, *SANDBOX)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(run.reproductions.glob("[0-9]*/job.json"))[-1].parent


def follow(cluster: Cluster, *runs: RunDir) -> None:
    """Wait for the latest job of each."""
    for run in runs:
        done = call(cluster, "jobs", "follow", run.path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_controller_that_restarts_and_a_node_that_dies_change_nothing_of_what_comes_back(
    cluster: Cluster, expected: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, cluster.environment[name])
    run = make_claimed(tmp_path, pause=2.5)  # the controller and the node go while cells are left
    folder = submit(cluster, run, "--profile", "claims", "--tasks", "2")
    place = Place(folder)
    cluster.until(lambda: cells(folder) >= 2, "the first cells")
    cluster.stop_controller()
    assert {each.state for each in look(place, SlurmEngine()).seen} == {"unknown"}
    assert advance(place, SlurmEngine()).state == "open", "nothing is concluded from that"
    cluster.start_controller()
    cluster.until(lambda: cells(folder) >= 8, "cells after the controller was back")
    cluster.kill_node()
    kept = cells(folder)
    cluster.start_node()
    follow(cluster, run, expected)
    assert 8 <= kept < CELLS and rows(run) == rows(expected)
    assert verdicts(run) == verdicts(expected)
    commands = [" ".join(row["command"]) for row in logged(run)]
    assert len(commands) == len(set(commands)) == CELLS
    begun = executed(folder)
    assert set(begun) == set(commands) and begun.total() <= CELLS + 2, "only cells under way may be run twice"
    assert {row["where"].split(",")[0].split(" on ")[1] for row in logged(run)} == {cluster.host.partition(".")[0]}
    assert {row["where"].split()[0] for row in logged(run)} == {"slurm"}


def test_a_job_that_is_preempted_and_one_that_is_put_back_by_hand_lose_no_cell_and_go_on_by_themselves(
    cluster: Cluster, expected: RunDir, tmp_path: Path
) -> None:
    run = make_claimed(tmp_path, pause=1.5)
    folder = submit(cluster, run, "--profile", "claims", "--tasks", "1")
    job = json.loads((folder / "job.json").read_text())["submissions"][0]["ids"][0]
    first, second = (folder / "parts" / f"00-0000-0{number}" for number in (1, 2))
    cluster.until(lambda: cells(folder) >= 3, "the first cells")
    others = ("--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 2")
    assert cluster.ask("sbatch", *others).returncode == 0
    cluster.until(lambda: (first / "ended.json").is_file(), "the end of what was preempted")
    assert json.loads((first / "ended.json").read_text())["reason"] == "the engine ends it"
    cluster.until(lambda: (second / "cells.jsonl").is_file(), "the next start")
    assert cluster.ask("scontrol", "requeue", job).returncode == 0
    follow(cluster, run, expected)
    assert rows(run) == rows(expected) and verdicts(run) == verdicts(expected)
    assert len(json.loads((folder / "job.json").read_text())["submissions"]) == 1, "Slurm alone has put it back"
    assert sorted(path.name for path in (folder / "parts").iterdir()) == [f"00-0000-0{number}" for number in (1, 2, 3)]
    begun = executed(folder)
    assert len(begun) == CELLS and begun.total() <= CELLS + 2, "only the cell under way may be run twice"


def test_a_job_that_was_cancelled_and_one_over_its_time_lose_no_cell_and_run_none_twice(
    cluster: Cluster, expected: RunDir, tmp_path: Path
) -> None:
    run = make_claimed(tmp_path, pause=1.3)
    first = submit(cluster, run, "--profile", "claims", "--tasks", "1")
    cluster.until(lambda: cells(first) >= 3, "the first cells")
    cancelled = call(cluster, "jobs", "cancel", run.path)
    assert cancelled.returncode == 130 and "cancelled" in cancelled.stdout, cancelled.stdout + cancelled.stderr
    kept = logged(run)
    assert 3 <= len(kept) < CELLS and not naming(str(tmp_path))

    notice = ("--time", "2m", "--ask", "signal=URG@10")
    second = submit(cluster, run, "--profile", "claims", "--tasks", "1", *notice)
    cluster.until(lambda: cells(second) >= 1, "a cell of the second job")
    job = json.loads((second / "job.json").read_text())["submissions"][0]["ids"][0]
    soon = (datetime.now().astimezone() + timedelta(seconds=12)).strftime("%Y-%m-%dT%H:%M:%S")
    assert cluster.ask("scontrol", "update", f"JobId={job}", f"EndTime={soon}").returncode == 0
    follow(cluster, run, expected)
    ends = [json.loads(file.read_text())["reason"] for file in sorted(second.glob("parts/*/ended.json"))]
    # The controller looks at time limits every 30 seconds: it may be late for the notice, and ends the job at once.
    assert len(ends) > 1 and set(ends[:-1]) <= {"its time is over", "the engine ends it"} and not ends[-1]
    assert rows(run) == rows(expected)
    begun = executed(first) + executed(second)
    assert logged(run)[: len(kept)] == kept and len(begun) == CELLS and begun.total() <= CELLS + len(ends)


def test_a_full_profile_goes_on_from_its_rows_when_its_time_is_over(cluster: Cluster, tmp_path: Path) -> None:
    files = {**FILES, "tiny/run.py": RESUMING}
    here, there = make_claimed(tmp_path / "here", files=files), make_claimed(tmp_path / "there", files=files)
    folder = submit(cluster, there, "--profile", "full")
    local = call(cluster, "reproduce", here.path, *SANDBOX)
    assert local.returncode == 0, local.stdout + local.stderr
    job = json.loads((folder / "job.json").read_text())["submissions"][0]["ids"][0]
    begun = folder / "parts" / "00-0000-01" / "output.log"
    if not (folder / "parts" / "00-0000-01" / "sealed.json").exists():
        cluster.until(lambda: begun.is_file() and b"going on" in begun.read_bytes(), "the profile")
    cluster.ask("scancel", "--signal=URG", job)
    follow(cluster, there)
    read = [json.loads((each / "results.json").read_text()) for each in (folder, here.reproductions / "01")]
    assert read[0] == read[1] and read[0]["large"] == 11.0
    record = json.loads((folder / "reproduction.json").read_text())
    assert record["passed"] and record["where"].startswith(f"slurm {job} on ")
    assert "OPENAI_API_KEY" not in "".join(path.read_text() for path in folder.glob("slurm/*.sh"))
    assert not list(Path(folder).rglob("*sk-not-for-nodes*")) and os.environ.get("OPENAI_API_KEY") != "sk-not-for-nodes"
    shutil.rmtree(tmp_path / "here")
