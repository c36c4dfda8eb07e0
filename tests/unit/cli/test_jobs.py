"""`agentsys jobs`, and what `reproduce --on` refuses: exit codes, and what a person is told."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from agentsys.cli.app import app
from agentsys.core.errors import AgentsysError, PrerequisiteError, UsageError
from agentsys.run.jobs import engine as engines
from agentsys.run.jobs.engine import Need
from agentsys.run.jobs.local import LocalEngine
from unit.run.claimed_run import CELLS
from unit.run.told import Claimed, Told
from unit.verify.delivered import deliver


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Claimed:
    """A job of 30 cells; every command asks the engine of the test."""
    found = Claimed(tmp_path)
    monkeypatch.setattr(engines, "load", lambda name: found.engine)
    return found


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def failed(*words: object) -> AgentsysError:
    error = call(*words).exception
    assert isinstance(error, AgentsysError)
    return error


@pytest.mark.parametrize(
    "words",
    [
        ("--detach",),
        ("--time", "4h"),
        ("--ask", "account=me"),
        ("--on", "cloud"),
        ("--on", "slurm", "--ask", "account"),
        ("--memory", "12Q"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error_and_makes_no_folder(tmp_path: Path, words: tuple[str, ...]) -> None:
    run = deliver(tmp_path)
    error = failed("reproduce", run.path, *words)
    assert isinstance(error, UsageError) and error.exit_code == 2 and error.hint and not run.reproductions.exists()


def test_a_job_that_is_done_ends_with_0_and_its_verdicts(made: Claimed) -> None:
    made.part(0, made.cells)
    made.engine.state = "ended"
    done = call("jobs", "follow", made.run.path)
    assert done.exit_code == 0 and "done: claims: 2 verified" in done.stdout
    assert f"{CELLS} of {CELLS} cells" in done.stderr
    assert isinstance(failed("jobs", "cancel", made.run.path), UsageError), "it has ended"


def test_a_job_that_was_given_up_ends_with_7_and_says_what_to_ask_for(made: Claimed) -> None:
    made.part(0, made.cells[:1]).end("failed", "no room", "ask for more", 7)
    made.engine.state = "ended"
    done = call("jobs", "follow", made.run.path)
    assert done.exit_code == 7 and "failed: no room" in done.stdout and "ask for more" in done.stdout


def test_a_job_that_writes_nothing_for_long_is_said_to(made: Claimed) -> None:
    part = made.part(0, made.cells[:6])
    assert "WARNING" not in call("jobs", "list", made.run.path).stdout
    long_ago = time.time() - 3000
    for file in (part.folder, *part.folder.iterdir()):
        os.utime(file, (long_ago, long_ago))
    listed = call("jobs", "list", made.run.path)
    assert listed.exit_code == 0 and "WARNING: nothing was written for 50:" in listed.stdout
    assert f"6 of {CELLS} cells" in listed.stdout and "2 running" in listed.stdout


def test_a_cancelled_job_ends_with_130(made: Claimed) -> None:
    made.engine.state = "waiting"
    done = call("jobs", "cancel", made.run.path)
    assert done.exit_code == 130 and "cancelled" in done.stdout and "cancelling job 1" in done.stderr


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(PrerequisiteError) as caught:
        LocalEngine().submit(tmp_path, "x", 0, 1, Need(cpus=1, memory_mb=256, seconds=60))
    assert "agentsys[cluster]" in caught.value.hint and caught.value.exit_code == 3


def test_an_engine_that_does_as_it_is_told_has_all_that_an_engine_needs() -> None:
    needed: engines.Engine = Told()
    assert needed.own_id() == "1"
