"""Many papers by the command itself, with workers that are processes, asking a scripted endpoint on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from scripted.endpoint import PRICE, Endpoint, papers

DEADLINE = 120.0
QUESTIONS = 7
"""Of one paper, up to its plan."""


class Batch:
    """One list of papers and its folder."""

    def __init__(self, folder: Path, endpoint: Endpoint, *names: str) -> None:
        self.folder, self.endpoint, self.names = folder, endpoint, names
        self.files = papers(folder / "papers", *names)
        self.env = {**os.environ, "OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": "none", "HOME": str(folder)}

    def argv(self, *words: str) -> list[str]:
        own = ("batch", "papers", "--model", "scripted", "--price", PRICE, "--runs-dir", "runs", "--set", "claims=off")
        stop = () if "--stop-after" in words or "--sandbox" in words else ("--stop-after", "plan")
        return [sys.executable, "-m", "agentsys", *own, *stop, *words]

    def run(self, *words: str, code: int) -> dict[str, Any]:
        """Run the command to its end; return what batch.json holds."""
        done = subprocess.run(
            self.argv(*words), env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=DEADLINE
        )
        assert done.returncode == code, done.stdout + done.stderr
        return self.record

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        null = subprocess.DEVNULL
        # A shell in the background hands down an ignored SIGINT.
        restore = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
        return subprocess.Popen(
            self.argv(*words), env=self.env, cwd=self.folder, stdout=null, stderr=null, preexec_fn=restore
        )

    @property
    def record(self) -> dict[str, Any]:
        return json.loads(next(self.folder.glob("runs/batch-*/batch.json")).read_text())

    def statuses(self) -> dict[str, str]:
        return {Path(row["paper"]).stem: row["status"] for row in self.record["rows"]}

    def runs(self) -> list[Path]:
        return sorted(file.parent for file in self.folder.glob("runs/*/run.json") if not file.parent.is_symlink())

    def paid(self) -> list[str]:
        """Return the key of every booked call, with its run."""
        return [f"{name} {json.loads(line)['key']}" for name, line in self.ledgers()]

    def ledgers(self) -> list[tuple[str, str]]:
        """Return the lines of all ledgers, each with its run; a run that was stopped early has none."""
        files = [(run.name, run / "llm" / "ledger.jsonl") for run in self.runs()]
        return [(name, line) for name, file in files if file.exists() for line in file.read_text().splitlines()]

    def workers(self) -> list[int]:
        """Return the process ids of the workers that belong to this list."""
        return [int(process.name) for process in Path("/proc").glob("[0-9]*") if self._is_worker(process)]

    def _is_worker(self, process: Path) -> bool:
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            return b"agentsys.run.batch.worker" in words and (process / "cwd").readlink() == self.folder
        except OSError:
            return False


def until(reached: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not reached():
        assert time.monotonic() < end, "it did not come to the point"
        time.sleep(0.02)


def refuse(paper: str, status: int = 400) -> Callable[[str, str], int | None]:
    """Refuse the design of one paper for good."""
    return lambda question, title: status if (question, title) == ("planner/design", paper) else None


@pytest.mark.slow
def test_a_paper_that_fails_touches_no_other_and_the_same_command_goes_on_with_it_alone(tmp_path: Path):
    with Endpoint(fails=refuse("Bad")) as endpoint:
        batch = Batch(tmp_path, endpoint, "Good", "Bad")
        done = batch.run("--workers", "1", "--budget", "5", code=4)
        assert batch.statuses() == {"Good": "unverified", "Bad": "provider_error"}
        assert [group["code"] for group in done["repeated"]] == ["provider_error", "stopped"]
        assert done["cost"] == pytest.approx(sum(row["cost"] for row in done["rows"])) and done["cost"] > 0.1
        page = next(tmp_path.glob("runs/batch-*/batch.html")).read_text()
        assert "this is refused" in page and "Running Means Good" in page

        endpoint.fails = lambda *_: None
        done = batch.run("--workers", "1", "--budget", "5", code=5)
        assert batch.statuses() == {"Good": "unverified", "Bad": "unverified"}
    assert len(batch.runs()) == 2, "a paper got a second run"
    assert endpoint.seen.twice == []
    assert len(batch.paid()) == len(set(batch.paid())) == 2 * QUESTIONS
    assert done["calls"] == 2 * QUESTIONS
    assert batch.workers() == []


@pytest.mark.slow
def test_when_the_money_of_the_batch_is_spent_every_paper_says_so_and_more_money_goes_on(tmp_path: Path):
    with Endpoint() as endpoint:
        batch = Batch(tmp_path, endpoint, "A", "B", "C")
        done = batch.run("--workers", "2", "--budget", "0.05", code=7)
        assert set(batch.statuses().values()) == {"limit"}
        assert {row["code"] for row in done["rows"]} == {"budget"}
        assert all("the budget of the batch, $0.05, is used up" in row["reason"] for row in done["rows"])
        dearest = max(float(json.loads(line)["price"]) for _, line in batch.ledgers())
        assert 0.05 <= done["cost"] < 0.05 + dearest, "more than one answer went beyond the budget"
        batch.run("--workers", "2", "--budget", "5", code=5)
    assert set(batch.statuses().values()) == {"unverified"}
    assert endpoint.seen.twice == []


@pytest.mark.slow
def test_a_limit_of_the_provider_is_met_once_and_not_by_every_worker(tmp_path: Path):
    """The endpoint refuses all that comes within a second of the fifth request, as a limit by the minute does."""
    closed: list[float] = []

    def limited(number: int) -> float | None:
        if number == 5:
            closed.append(time.monotonic())
        return 1.0 if closed and time.monotonic() < closed[0] + 0.9 else None

    with Endpoint(wait=0.3, limited=limited) as endpoint:
        batch = Batch(tmp_path, endpoint, "A", "B", "C", "D")
        batch.run("--workers", "4", "--set", "concurrency=2", code=5)
        late = [at for at in endpoint.seen.at if closed[0] + 0.2 < at < closed[0] + 0.9]
    assert late == [], "a worker asked although another one had been told to wait"
    assert 1 <= endpoint.seen.refused <= 4
    assert set(batch.statuses().values()) == {"unverified"}


@pytest.mark.slow
def test_ctrl_c_ends_all_papers_in_order_and_the_same_command_pays_for_nothing_twice(tmp_path: Path):
    with Endpoint() as endpoint:
        batch = Batch(tmp_path, endpoint, "A", "B", "C")
        process = batch.start("--workers", "2")
        until(lambda: len(endpoint.seen.asked) >= 4)
        endpoint.gate.clear()  # everything is under way from here on
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130
        assert batch.workers() == []
        states = batch.statuses()
        assert "interrupted" in states.values() and set(states.values()) <= {"interrupted", "unverified"}
        assert {json.loads((run / "run.json").read_text())["status"] for run in batch.runs()} <= set(states.values())
        before = set(batch.paid())
        endpoint.gate.set()
        batch.run("--workers", "2", code=5)
    assert set(batch.statuses().values()) == {"unverified"} and len(batch.runs()) == 3
    assert before <= set(batch.paid()) and len(batch.paid()) == len(set(batch.paid())) == 3 * QUESTIONS


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_its_paper_to_another_which_goes_on_with_the_same_run(tmp_path: Path):
    with Endpoint(wait=0.3) as endpoint:
        batch = Batch(tmp_path, endpoint, "A", "B")
        process = batch.start("--workers", "2")
        until(lambda: len(endpoint.seen.asked) >= 4)
        os.kill(batch.workers()[0], signal.SIGKILL)
        assert process.wait(DEADLINE) == 5
    rows = batch.record["rows"]
    assert [row["status"] for row in rows] == ["unverified"] * 2
    assert sum(row["workers_lost"] for row in rows) == 1
    assert len(batch.runs()) == 2 and len(batch.paid()) == len(set(batch.paid())) == 2 * QUESTIONS
    assert batch.workers() == []


@pytest.mark.slow
def test_workers_whose_command_is_killed_end_in_order_by_themselves_and_the_next_command_goes_on(tmp_path: Path):
    with Endpoint(wait=0.3) as endpoint:
        batch = Batch(tmp_path, endpoint, "A", "B")
        process = batch.start("--workers", "2")
        until(lambda: len(endpoint.seen.asked) >= 4)
        process.kill()
        process.wait()
        batch.run("--workers", "2", code=5)  # at once: it waits for the runs that are still being ended
        until(lambda: batch.workers() == [])
    assert set(batch.statuses().values()) == {"unverified"} and len(batch.runs()) == 2
    assert len(batch.paid()) == len(set(batch.paid())) == 2 * QUESTIONS


@pytest.mark.slow
def test_a_paper_that_kills_every_worker_is_given_up_and_the_others_are_not(tmp_path: Path):
    with Endpoint(wait=0.2) as endpoint:
        batch = Batch(tmp_path, endpoint, "A", "Killer")

        def fails(question: str, title: str) -> int | None:
            if (title, question) == ("Killer", "planner/design"):
                os.kill(batch.workers()[0], signal.SIGKILL)  # there is one
                return 503
            return None

        endpoint.fails = fails
        batch.run("--workers", "1", code=1)
    assert batch.statuses() == {"A": "unverified", "Killer": "internal_error"}
    killer = batch.record["rows"][1]
    assert killer["code"] == "worker_lost" and killer["workers_lost"] == 3 and "signal 9" in killer["reason"]
    assert len(batch.runs()) == 2


@pytest.mark.slow
def test_two_commands_do_not_work_on_one_list_at_the_same_time(tmp_path: Path):
    with Endpoint() as endpoint:
        batch = Batch(tmp_path, endpoint, "A")
        endpoint.gate.clear()
        process = batch.start("--workers", "1")
        until(lambda: endpoint.seen.active)
        second = subprocess.run(batch.argv(), env=batch.env, cwd=tmp_path, capture_output=True, text=True)
        process.kill()
        process.wait()
        endpoint.gate.set()
        until(lambda: batch.workers() == [])
    assert second.returncode == 2 and "in use by another process" in second.stderr


@pytest.mark.slow
@pytest.mark.index
def test_papers_that_are_verified_end_with_0_with_one_sandbox_at_a_time_where_the_machine_has_room_for_one(
    tmp_path: Path, backend: str
):
    with Endpoint() as endpoint:
        batch = Batch(tmp_path, endpoint, "A", "B")
        room = len(os.sched_getaffinity(0))
        quick = ("--set", "mutants=0", "--set", "full_seconds=0", "--set", f"cpus={room}")
        done = batch.run("--workers", "2", "--sandbox", backend, *quick, code=0)
        assert set(batch.statuses().values()) == {"verified"}
        assert batch.run("--workers", "2", "--sandbox", backend, *quick, code=0)["calls"] == done["calls"]
    opened = sorted(span for run in batch.runs() for span in _first_to_last(run))
    assert len(opened) >= 4
    assert all(before[1] <= after[0] for before, after in pairwise(opened)), opened


def _first_to_last(run: Path) -> list[tuple[str, str]]:
    """Times between which a run had sandboxes open; a second one opens while the first still is."""
    spans: list[tuple[str, str]] = []
    active, began = 0, ""
    for line in (run / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["type"] == "sandbox.started":
            began = began if active else event["ts"]
            active += 1
        elif event["type"] == "sandbox.stopped":
            active -= 1
            spans += [] if active else [(began, event["ts"])]
    return spans
