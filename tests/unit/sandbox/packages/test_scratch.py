"""Folders for work under way: a sweep takes what killed owners left, and never what somebody has just begun."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from agentsys_sandbox.packages import scratch as module
from agentsys_sandbox.packages.scratch import abandoned, scratch

DIES = """
import os, signal, sys
from pathlib import Path
from agentsys_sandbox.packages.scratch import scratch

with scratch(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_owner_left_is_abandoned_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], env=environment, check=False)
    with scratch(tmp_path) as folder:
        (left,) = abandoned(tmp_path)
        assert left != folder and (left / "half").is_file()
    assert not folder.exists()


def test_a_folder_that_was_never_begun_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".new-dead").mkdir()
    assert abandoned(tmp_path) == [] and list(tmp_path.iterdir()) == []


def test_a_sweep_between_any_two_steps_of_making_one_does_no_harm(tmp_path: Path, monkeypatch) -> None:
    # The sweep comes at the two moments at which the folder is there and not locked yet.
    swept: list[str] = []
    make, lock = module.tempfile.mkdtemp, module.fcntl.flock

    def made(**given: object) -> str:
        folder = make(**given)
        if len(swept) < 2:
            swept.append("made")
            sweep(tmp_path)
        return folder

    def locking(handle: int, how: int) -> None:
        if threading.current_thread() is threading.main_thread() and len(swept) < 4 and not how & module.fcntl.LOCK_NB:
            swept.append("locking")
            sweep(tmp_path)
        lock(handle, how)

    monkeypatch.setattr(module.tempfile, "mkdtemp", made)
    monkeypatch.setattr(module.fcntl, "flock", locking)
    with scratch(tmp_path) as folder:
        sweep(tmp_path)
        (folder / "work").write_text("x")
    assert {"made", "locking"} <= set(swept) and not folder.exists()


def sweep(store: Path) -> None:
    for folder in abandoned(store):
        shutil.rmtree(folder, ignore_errors=True)


def test_many_that_make_and_sweep_at_once_lose_nothing(tmp_path: Path) -> None:
    faults: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(100):
                sweep(tmp_path)
                with scratch(tmp_path) as folder:
                    (folder / "work").write_text("x")
                    assert (folder / "work").read_text() == "x"
        except (OSError, AssertionError) as error:
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert faults == []
