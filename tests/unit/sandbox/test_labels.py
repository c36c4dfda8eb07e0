"""Labels say whose something is; only what nobody can use any more counts as abandoned."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from agentsys_sandbox import labels
from agentsys_sandbox.labels import OWNER, PID, PID_START, STARTED, TTL, abandoned, process_start


def test_what_a_living_process_made_is_in_use_however_long_it_takes() -> None:
    mine, now = labels.labels("run", 60.0), time.time()
    assert abandoned(mine, now) == ""
    assert abandoned(mine, now + 1e6) == ""


def test_a_process_that_ended_owns_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = process_start(process.pid)
    mine = {**labels.labels("run", 60.0), PID: str(process.pid), PID_START: start or ""}
    assert abandoned(mine, time.time()) == ""
    process.communicate()
    assert "is gone" in abandoned(mine, time.time())


def test_another_process_under_the_same_id_is_not_the_owner() -> None:
    mine = {**labels.labels("run", 60.0), PID_START: "1"}
    assert "is gone" in abandoned(mine, time.time())


def test_of_processes_elsewhere_only_the_time_to_live_is_judged() -> None:
    other, now = {**labels.labels("run", 60.0), PID: "999999999", OWNER: "other/pid:[1]"}, time.time()
    assert abandoned(other, now + 59) == ""
    assert "time to live" in abandoned(other, now + 62)


@pytest.mark.parametrize("change", [{STARTED: ""}, {TTL: "soon"}, {PID: "x"}])
def test_labels_that_cannot_be_read_are_left_alone(change: dict[str, str]) -> None:
    assert abandoned({**labels.labels("run", 1.0), **change}, time.time() + 1e9) == ""


def test_what_carries_no_labels_is_left_alone() -> None:
    assert abandoned({}, time.time()) == ""


def test_the_start_time_belongs_to_the_process() -> None:
    own = process_start(os.getpid())
    assert own is not None
    assert own.isdigit()
    assert process_start(999_999_999) is None
