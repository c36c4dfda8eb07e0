"""Whatever ends agentsys, an interrupt or `kill -9`: no process goes on, and what is left is found and removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentsys_sandbox import reap
from agentsys_sandbox.base import SandboxError
from agentsys_sandbox.bwrap import reap as bwrap_reap
from agentsys_sandbox.docker.endpoints import docker as connect
from agentsys_sandbox.labels import PID, RUN
from live.hostwatch import left_behind, on_disk, on_engine, processes, settled
from live.sandboxes import Place, runs_on_host

SIGNALS = [
    pytest.param(signal.SIGINT, id="SIGINT"),
    pytest.param(signal.SIGKILL, id="SIGKILL"),
    pytest.param(signal.SIGTERM, id="SIGTERM", marks=pytest.mark.slow),
]
ROOT = Path(__file__).resolve().parents[2]
OWNER = """
import asyncio, signal, sys
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import SandboxSpec

backend, run, phase, mark = sys.argv[1:]
PROJECT = (
    b'[build-system]\\nrequires=[]\\nbuild-backend="b"\\nbackend-path=["."]\\n'
    b'[project]\\nname="p"\\nversion="1"\\n'
)
SLEEP = "sleep 300; : " + mark

async def main():
    async with open_sandbox(SandboxSpec(run=run, allow_weak=True), backend) as box:
        if phase == "install":
            code = f"import subprocess\\nsubprocess.run(['sh', '-c', {SLEEP!r}])"
            await box.write_files({"pyproject.toml": PROJECT, "b.py": code.encode()})
            await box.resolve(project={"pyproject.toml": PROJECT, "b.py": code.encode()})
        else:
            await box.exec(["sh", "-c", f"setsid sh -c '{SLEEP}' & {SLEEP}"])

# A shell starts what runs in the background with the interrupt ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(main())
"""


def owner(place: Place, phase: str, mark: str, own_temporary_folder: Path) -> subprocess.Popen[bytes]:
    """A process that owns a sandbox in which the marked program runs."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "sandbox")])
    found = subprocess.Popen(
        [sys.executable, "-c", OWNER, place.backend, place.run, phase, mark],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 90
    while not inside(mark, found.pid) and time.monotonic() < deadline:
        assert found.poll() is None, "the owner ended by itself"
        time.sleep(0.05)
    return found


def inside(mark: str, owner: int) -> bool:
    """True if the marked program runs, its owner not counted."""
    command = f"\0{mark}".encode()  # the owner's own argument stands alone
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in line and command not in line and entry.name != str(owner):
            return True
    return False


@pytest.mark.parametrize("phase", ["run", "install"])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_to_the_owner_leaves_nothing_for_long(
    place: Place, number: signal.Signals, phase: str, own_temporary_folder: Path
) -> None:
    mark = f"mark{os.getpid()}x{time.monotonic_ns()}"
    process = owner(place, phase, mark, own_temporary_folder)
    start = time.monotonic()
    try:
        process.send_signal(number)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    assert time.monotonic() - start < 60
    if number == signal.SIGINT:
        assert left_behind(place.run) == []
    else:
        # A process that is ended from outside cannot clean up. The next one does, or `agentsys sandbox clean`.
        if place.backend == "bwrap":
            assert settled(lambda: processes(place.run)) == []
        kept = [each for each, _ in reap.clean_up().kept if each.run == place.run]
        assert kept == []
        assert settled(lambda: [*on_engine(place.run), *processes(place.run)]) == []
        assert [each for each in on_disk(place.run) if place.run in each] == []
    assert not runs_on_host(mark)


CHECK = [sys.executable, "-m", "agentsys", "sandbox", "check", "--sandbox"]


def label_of(process: subprocess.Popen[bytes]) -> list[str]:
    """What this process has made of sandboxes."""
    place = bwrap_reap.sandboxes_dir()
    folders = place.glob("agentsys-doctor-*") if place.is_dir() else ()
    mine = f'"{PID}": "{process.pid}"'
    found = [each.name for each in folders if mine in _text(each / bwrap_reap.OWNER_FILE)]
    try:
        engine = connect()
    except SandboxError:
        return found
    try:
        named = [*engine.containers(RUN), *engine.volumes(RUN)]
        return found + [each.name for each in named if each.labels.get(PID) == str(process.pid)]
    finally:
        engine.close()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@pytest.mark.parametrize("number", SIGNALS)
def test_the_program_itself_leaves_nothing_when_it_is_stopped(
    place: Place, number: signal.Signals, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [*CHECK, place.backend], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while process.poll() is None and not label_of(process):
            time.sleep(0.02)
        assert process.poll() is None, "it ended before it could be stopped"
        process.send_signal(number)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    if number != signal.SIGINT:
        done = subprocess.run([sys.executable, "-m", "agentsys", "sandbox", "clean"], cwd=tmp_path, timeout=120)
        assert done.returncode == 0
    assert label_of(process) == []
