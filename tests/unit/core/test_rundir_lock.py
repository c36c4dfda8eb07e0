"""The lock of a run: one owner, also where the file vanishes between opening and locking it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from agentsys.core import rundir
from agentsys.core.errors import UsageError
from agentsys.core.rundir import RunDir


def test_a_second_owner_is_refused_and_the_lock_file_goes_with_the_first(tmp_path: Path) -> None:
    first, second = RunDir(tmp_path), RunDir(tmp_path)
    first.lock()
    with pytest.raises(UsageError, match="in use by another process"):
        second.lock()
    first.unlock()
    assert not (tmp_path / ".lock").exists()
    second.lock()
    second.unlock()


def test_a_lock_on_a_file_that_was_removed_meanwhile_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race: opened by the second, removed by the first as it unlocks, made and locked anew by a third."""
    first, second, third = RunDir(tmp_path), RunDir(tmp_path), RunDir(tmp_path)
    first.lock()
    really = fcntl.flock
    raced: list[int] = []

    def flock(handle: int, how: int) -> None:
        if not raced:
            raced.append(os.fstat(handle).st_ino)
            monkeypatch.setattr(rundir.fcntl, "flock", really)
            first.unlock()
            third.lock()
        really(handle, how)

    monkeypatch.setattr(rundir.fcntl, "flock", flock)
    with pytest.raises(UsageError, match="in use by another process"):
        second.lock()
    third.unlock()
    second.lock()
    assert (tmp_path / ".lock").stat().st_ino == os.fstat(second._lock or -1).st_ino
    second.unlock()
