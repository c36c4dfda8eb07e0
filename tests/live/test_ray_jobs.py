"""Jobs on three Ray nodes, each in a network namespace: what comes back is what this machine gives; nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentsys.core.rundir import RunDir
from live.jobs import RESUMING, SANDBOX, cells, executed, logged, rows, verdicts
from live.ray_cluster import Cluster, Unusable
from live.sandboxes import need
from live.slurm import naming
from unit.run.claimed_run import CELLS, make_claimed
from unit.verify.delivered import FILES

pytest.importorskip("ray", reason="the package ray is not installed: pip install 'agentsys[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.index, pytest.mark.bwrap, pytest.mark.timeout(1200)]
DEADLINE = 300.0


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The run whose claims are put to the test on this machine; the packages are in the cache then."""
    need("bwrap")
    pytest.importorskip("submitit")
    run = make_claimed(tmp_path_factory.mktemp("local"))
    here = [sys.executable, "-m", "agentsys", "reproduce", str(run.path), "--profile", "claims", *SANDBOX]
    done = subprocess.run(here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return run


@pytest.fixture(scope="module")
def cluster(expected: RunDir, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes with one processor each, which have keys of a model in their environment and reach no index."""
    cache = {key: value for key, value in os.environ.items() if key in ("AGENTSYS_CACHE_DIR", "XDG_CACHE_HOME")}
    try:
        with Cluster(tmp_path_factory.mktemp("nodes"), 3) as made:
            own = {"OPENAI_API_KEY": "sk-not-for-tasks", "RAY_ADDRESS": made.address, "HOME": os.environ["HOME"]}
            made.env |= {**own, **cache, "UV_OFFLINE": "1"}
            for number in range(3):
                made.up(number)
            yield made
    except Unusable as error:
        pytest.skip(f"no nodes can be made here: {error}")


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """No process that works on a run of the test outlives it."""
    yield
    until = time.monotonic() + 20
    while (left := naming(str(tmp_path))) and time.monotonic() < until:
        time.sleep(0.2)
    assert left == []


def call(cluster: Cluster, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a command on the head."""
    argv = cluster.command(0, sys.executable, "-m", "agentsys", *map(str, words))
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=cluster.env, timeout=2 * DEADLINE)


def submit(cluster: Cluster, run: RunDir, *words: object) -> Path:
    """Submit a job and leave it alone; return its folder."""
    done = call(cluster, "reproduce", run.path, "--on", "ray", "--detach", *words, *SANDBOX)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(run.reproductions.glob("[0-9]*/job.json"))[-1].parent


def follow(cluster: Cluster, run: RunDir) -> None:
    done = call(cluster, "jobs", "follow", run.path)
    assert done.returncode == 0, done.stdout + done.stderr


def until(reached: Callable[[], object], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not reached():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.1)


def hosts(folder: Path) -> dict[str, str]:
    """Return on which node each part was begun."""
    return {file.parent.name: json.loads(file.read_text())["host"] for file in folder.glob("parts/*/begun.json")}


def pid_of(part: Path) -> int:
    return int(json.loads((part / "begun.json").read_text())["pid"])


def stewards() -> list[int]:
    return list(naming("ray::Steward"))


def test_a_job_goes_on_elsewhere_when_its_node_dies_and_ends_with_the_rows_of_this_machine(
    cluster: Cluster, expected: RunDir, tmp_path: Path
) -> None:
    run = make_claimed(tmp_path, pause=1.0)
    folder = submit(cluster, run, "--profile", "claims", "--tasks", "3")
    until(lambda: cells(folder) >= 4 and len(hosts(folder)) == 3, "tasks on three nodes")
    assert set(hosts(folder).values()) == {"node0", "node1", "node2"}
    cluster.kill(2)
    follow(cluster, run)
    lost = [part for part, host in hosts(folder).items() if host == "node2"]
    again = [part for part in hosts(folder) if part[:-2] == lost[0][:-2] and part not in lost]
    assert len(lost) == 1 and hosts(folder)[again[0]] in ("node0", "node1")
    assert rows(run) == rows(expected) and verdicts(run) == verdicts(expected)
    commands = [" ".join(row["command"]) for row in logged(run)]
    begun = executed(folder)
    assert len(commands) == len(set(commands)) == CELLS == len(begun)
    assert begun.total() <= CELLS + 1, "only the cell under way on that node may be run twice"
    assert {row["where"].split()[0] for row in logged(run)} == {"ray"}
    cluster.up(2)


def test_a_cancelled_job_keeps_its_cells_and_the_next_one_outlives_its_actor(
    cluster: Cluster, expected: RunDir, tmp_path: Path
) -> None:
    run = make_claimed(tmp_path, pause=2.0)
    first = submit(cluster, run, "--profile", "claims", "--tasks", "2")
    until(lambda: cells(first) >= 3, "the first cells")
    cancelled = call(cluster, "jobs", "cancel", run.path)
    assert cancelled.returncode == 130 and "cancelled" in cancelled.stdout, cancelled.stdout + cancelled.stderr
    kept = logged(run)
    assert 3 <= len(kept) < CELLS and not naming(str(tmp_path))

    before = stewards()
    second = submit(cluster, run, "--profile", "claims", "--tasks", "2")
    until(lambda: cells(second) >= 3, "cells of the second job")
    for pid in set(stewards()) - set(before):
        os.kill(pid, signal.SIGKILL)
    follow(cluster, run)
    assert rows(run) == rows(expected) and verdicts(run) == verdicts(expected) and logged(run)[: len(kept)] == kept
    begun = executed(first) + executed(second)
    assert len(begun) == CELLS and begun.total() <= CELLS + 4, "only cells under way may be run twice"


def test_a_profile_told_that_its_time_is_over_goes_on_from_its_rows_and_knows_no_keys(
    cluster: Cluster, tmp_path: Path
) -> None:
    files = {**FILES, "tiny/run.py": RESUMING}
    run = make_claimed(tmp_path, files=files)
    folder = submit(cluster, run, "--profile", "full")
    part = folder / "parts" / "00-0000-01"
    until(lambda: b"going on" in _of(part / "output.log") and b"\n" in _of(part / "output.log"), "the profile")
    environ = Path(f"/proc/{pid_of(part)}/environ").read_bytes()
    assert b"sk-not-for-tasks" in environ, "the node's own environment has keys"
    os.kill(pid_of(part), signal.SIGURG)
    follow(cluster, run)
    record = json.loads((folder / "reproduction.json").read_text())
    result = json.loads((folder / "results.json").read_text())
    assert (
        record["passed"]
        and record["where"].startswith("ray agentsys-")
        and (result["mean"], result["large"])
        == (
            5.5,
            11.0,
        )
    )
    assert "sk-not-for-tasks" not in "".join(path.read_text() for path in folder.rglob("*.json*"))


def test_a_job_over_its_time_is_ended_and_given_up(cluster: Cluster, tmp_path: Path) -> None:
    run = make_claimed(tmp_path, pause=600.0)
    submit(cluster, run, "--profile", "claims", "--tasks", "1", "--time", "6s")
    done = call(cluster, "jobs", "follow", run.path)
    assert done.returncode == 7 and "2 submissions ended before it was done: its time is over" in done.stdout, (
        done.stdout + done.stderr
    )
    assert "--time" in done.stdout


def _of(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""
