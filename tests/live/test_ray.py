"""Many papers on three Ray nodes, each in a network namespace of its own: a node that dies takes nothing with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from live.ray_cluster import Cluster, Unusable
from scripted.endpoint import PRICE, Endpoint, papers

pytest.importorskip("ray", reason="the package ray is not installed: pip install 'agentsys[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DEADLINE = 240.0
QUESTIONS = 7
"""Of one paper, up to its plan."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes with one processor each."""
    try:
        with Cluster(tmp_path_factory.mktemp("nodes"), 3) as made:
            made.env["OPENAI_API_KEY"] = "none"
            yield made
    except Unusable as error:
        pytest.skip(f"no nodes can be made here: {error}")


@pytest.fixture(scope="module")
def endpoint(cluster: Cluster) -> Iterator[Endpoint]:
    """The scripted endpoint at an address that every node reaches; the nodes are up once it is there."""
    with Endpoint(wait=0.4, listener=cluster.listener()) as made:
        cluster.env["OPENAI_BASE_URL"] = made.url
        for number in range(3):
            cluster.up(number)
        yield made


class Batch:
    """One list of papers, worked on from the head."""

    def __init__(self, folder: Path, cluster: Cluster, *names: str) -> None:
        self.folder, self.cluster = folder, cluster
        papers(folder / "papers", *names)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        own = ["batch", str(self.folder / "papers"), "--on", "ray", "--address", self.cluster.address]
        own += ["--model", "scripted", "--price", PRICE, "--budget", "5", "--runs-dir", str(self.folder / "runs")]
        own += ["--set", "claims=off", "--stop-after", "plan", *words]
        argv = self.cluster.command(0, sys.executable, "-m", "agentsys", *own)
        with (self.folder / "said.log").open("ab") as log:
            return subprocess.Popen(
                argv, env=self.cluster.env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )  # fmt: skip

    def ended(self, process: subprocess.Popen[bytes], code: int) -> dict[str, Any]:
        """Wait for the end; return what batch.json holds."""
        assert process.wait(DEADLINE) == code, self.said()
        return json.loads(next(self.folder.glob("runs/batch-*/batch.json")).read_text())

    def said(self) -> str:
        return (self.folder / "said.log").read_text()[-3000:]

    def paid(self) -> list[str]:
        """Return the key of every booked call, with its run."""
        runs = [file.parent for file in self.folder.glob("runs/*/run.json") if not file.parent.is_symlink()]
        files = [(run.name, run / "llm" / "ledger.jsonl") for run in runs]
        lines = [(name, line) for name, file in files if file.exists() for line in file.read_text().splitlines()]
        return [f"{name} {json.loads(line)['key']}" for name, line in lines]

    def workers(self) -> list[int]:
        """Return the worker processes on all nodes."""
        return [pid for name in self.cluster.names for pid in self.cluster.pids(name) if _is_worker(pid)]

    def until(self, reached: Callable[[], object]) -> None:
        end = time.monotonic() + DEADLINE
        while not reached():
            assert time.monotonic() < end, self.said()
            time.sleep(0.05)


def _is_worker(pid: int) -> bool:
    return b"agentsys.run.batch.worker" in _of(pid, "cmdline")


def _of(pid: int, name: str) -> bytes:
    """Return what the kernel says of a process; nothing of one that is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def test_ctrl_c_reaches_the_workers_on_every_node_and_the_same_command_goes_on(
    tmp_path: Path, cluster: Cluster, endpoint: Endpoint
):
    batch = Batch(tmp_path, cluster, "A", "B")
    process = batch.start("--workers", "2")
    before = len(endpoint.seen.asked)
    batch.until(lambda: len(endpoint.seen.asked) >= before + 3)
    driver = next(pid for pid in cluster.pids(cluster.names[0]) if _is_command(pid))
    os.kill(driver, signal.SIGINT)
    rows = batch.ended(process, 130)["rows"]
    assert {row["status"] for row in rows} == {"interrupted"}
    assert all(json.loads((Path(row["run"]) / "run.json").read_text())["status"] == "interrupted" for row in rows)
    batch.until(lambda: batch.workers() == [])
    first = set(batch.paid())
    batch.ended(batch.start("--workers", "2"), 5)
    assert first <= set(batch.paid()) and len(batch.paid()) == len(set(batch.paid())) == 2 * QUESTIONS


def _is_command(pid: int) -> bool:
    words = _of(pid, "cmdline").split(b"\0")
    return b"batch" in words and words[0] == sys.executable.encode()


def test_workers_whose_command_is_killed_end_on_every_node(tmp_path: Path, cluster: Cluster, endpoint: Endpoint):
    """Measured, since Ray promises it only of its own processes: what an actor started is not one of them."""
    batch = Batch(tmp_path, cluster, "C", "D")
    process = batch.start("--workers", "2")
    batch.until(lambda: len(batch.paid()) >= 3)
    os.kill(next(pid for pid in cluster.pids(cluster.names[0]) if _is_command(pid)), signal.SIGKILL)
    process.wait(DEADLINE)
    batch.until(lambda: batch.workers() == [])
    batch.ended(batch.start("--workers", "2"), 5)
    assert len(batch.paid()) == len(set(batch.paid())) == 2 * QUESTIONS


def test_a_cluster_of_its_own_asks_for_a_token_and_is_gone_after_the_batch(
    tmp_path: Path, cluster: Cluster, endpoint: Endpoint
):
    papers(tmp_path / "papers", "I")
    own = ["batch", "papers", "--on", "ray", "--workers", "1", "--model", "scripted", "--runs-dir", "runs"]
    argv = cluster.command(1, sys.executable, "-m", "agentsys", *own, "--set", "claims=off", "--stop-after", "plan")
    env = {key: value for key, value in cluster.env.items() if not key.startswith("RAY_AUTH")} | {"HOME": str(tmp_path)}

    def servers() -> list[int]:
        pids = cluster.pids(cluster.names[1])  # the cluster's own is on node 0
        return [pid for pid in pids if b"gcs_server" in _of(pid, "cmdline")]

    before = set(Path("/tmp").glob("agentsys-ray-*"))
    with (tmp_path / "said.log").open("wb") as log:
        process = subprocess.Popen(argv, env=env, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    seen = set[bytes]()
    while process.poll() is None:
        for pid in servers():
            seen |= set(_of(pid, "environ").split(b"\0"))
        time.sleep(0.2)
    assert process.returncode == 5, (tmp_path / "said.log").read_text()
    assert b"RAY_AUTH_MODE=token" in seen
    assert servers() == [] and set(Path("/tmp").glob("agentsys-ray-*")) <= before
    assert not (tmp_path / ".ray").exists()


def test_a_node_that_dies_loses_its_paper_to_another_and_nothing_is_lost_or_paid_twice(
    tmp_path: Path, cluster: Cluster, endpoint: Endpoint
):
    batch = Batch(tmp_path, cluster, "E", "F", "G", "H")
    process = batch.start("--workers", "3")

    def busy() -> bool:
        return any(_is_worker(pid) for pid in cluster.pids(cluster.names[2])) and len(batch.paid()) >= 6

    batch.until(busy)
    cluster.kill(2)
    done = batch.ended(process, 5)
    assert [row["status"] for row in done["rows"]] == ["unverified"] * 4, batch.said()
    assert {row["code"] for row in done["rows"]} == {"stopped"}
    assert sum(row["workers_lost"] for row in done["rows"]) == 1
    assert {row["where"] for row in done["rows"]} <= {"node0", "node1", "node2"}
    assert len(batch.paid()) == len(set(batch.paid())) == 4 * QUESTIONS
    assert done["cost"] == pytest.approx(sum(row["cost"] for row in done["rows"]))
    batch.until(lambda: batch.workers() == [])
