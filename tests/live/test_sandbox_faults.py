"""When the engine, the container or agentsys itself fails, the outcome says so and nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from agentsys_sandbox.base import ImageMissing, Sandbox, SandboxGone, Unavailable
from agentsys_sandbox.choose import inspect, open_sandbox
from agentsys_sandbox.docker import leftovers
from agentsys_sandbox.docker.endpoints import docker as connect
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.docker.sandbox import DockerSandbox
from agentsys_sandbox.labels import RUN
from agentsys_sandbox.spec import Outcome, SandboxSpec
from live.sandboxes import SMALL, Place, python

pytestmark = pytest.mark.docker
ROOT = Path(__file__).resolve().parents[2]


def containers(place: Place) -> list[str]:
    engine = connect()
    try:
        return [each.name for each in engine.containers(f"{RUN}={place.run}")]
    finally:
        engine.close()


async def begun(box: Sandbox, code: str) -> asyncio.Task[object]:
    """Start a program and wait until it has written something."""
    ready = asyncio.Event()
    task = asyncio.create_task(box.exec(["python3", "-c", code], timeout=60, on_output=lambda name, data: ready.set()))
    await asyncio.wait_for(ready.wait(), 20)
    return task


SLEEP = "import time; print('up', flush=True); time.sleep(50)"


async def test_a_container_removed_under_a_program_is_sandbox_died_and_the_next_program_runs(
    engine_place: Place,
) -> None:
    async with engine_place.open() as box:
        await box.write_files({"kept.txt": b"kept"})
        task = await begun(box, SLEEP)
        engine = connect()
        for name in containers(engine_place):
            engine.remove(name)
        result = await asyncio.wait_for(task, 20)
        assert (result.outcome, result.exit_code) == (Outcome.SANDBOX_DIED, None)
        assert result.outcome.is_infrastructure
        assert await box.read_file("repo/kept.txt") == b"kept"
        assert (await python(box, "print(1)")).ok
        engine.close()


async def test_a_container_killed_between_programs_is_noticed(engine_place: Place) -> None:
    async with engine_place.open() as box:
        engine = connect()
        for name in containers(engine_place):
            engine.kill(name)
        first = await python(box, "print(1)")
        assert first.outcome is Outcome.SANDBOX_DIED
        assert (await python(box, "print(1)")).ok
        engine.close()


async def test_a_work_folder_removed_from_outside_is_no_empty_sandbox(engine_place: Place) -> None:
    async with engine_place.open() as box:
        engine = connect()
        for name in containers(engine_place):
            engine.remove(name)
        for volume in engine.volumes(f"{RUN}={engine_place.run}"):
            engine.remove_volume(volume.name)
        assert not (await python(box, "print(1)")).ok
        with pytest.raises(SandboxGone):
            await python(box, "print(1)")
        assert not await box.health()
        engine.close()


async def test_cancelling_a_program_stops_it_at_once(engine_place: Place) -> None:
    async with engine_place.open() as box:
        task = await begun(box, SLEEP)
        start = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - start < 10
        assert (await python(box, "print(1)")).ok


@pytest.mark.parametrize(
    "delay", [0.0, 0.1, 0.4, *(pytest.param(each, marks=pytest.mark.slow) for each in (0.02, 0.05, 0.2, 0.8))]
)
async def test_cancelling_at_any_moment_of_the_life_cycle_leaves_nothing(engine_place: Place, delay: float) -> None:
    async def whole() -> None:
        async with engine_place.open() as box:
            await box.write_files({"a.py": b"print(1)"})
            await box.exec(["python3", "a.py"], timeout=20)
            await asyncio.Event().wait()

    task = asyncio.create_task(whole())
    await asyncio.wait({task}, timeout=delay)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert engine_place.residue() == []


async def test_an_error_inside_leaves_nothing(engine_place: Place) -> None:
    with pytest.raises(RuntimeError, match="mine"):
        async with engine_place.open():
            raise RuntimeError("mine")
    assert engine_place.residue() == []


async def test_a_start_that_fails_leaves_nothing(engine_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = connect()

    def refuse(container: str) -> None:
        raise Unavailable(f"cannot start {container}")

    monkeypatch.setattr(engine, "start", refuse)
    with pytest.raises(Unavailable, match="cannot start"):
        async with DockerSandbox(SandboxSpec(run=engine_place.run, limits=SMALL), engine):
            pytest.fail("it opened")
    assert engine_place.residue() == []
    engine.close()


async def test_a_missing_image_says_how_to_get_one(engine_place: Place) -> None:
    spec = SandboxSpec(run=engine_place.run, image="agentsys-no-such-image:1")
    with pytest.raises(ImageMissing, match="agentsys-no-such-image"):
        async with open_sandbox(spec, "docker"):
            pytest.fail("it opened")


def test_an_engine_that_is_not_there_is_unavailable_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no Docker engine answers") as caught:
        Engine.connect(f"unix://{tmp_path}/none.sock")
    assert "bubblewrap" in caught.value.hint


async def test_a_controlled_sandbox_is_shown_by_inspect(engine_place: Place) -> None:
    found = await inspect("docker")
    assert (found.backend, found.weak) == ("docker", False)
    assert len(found.controls) > 20


OWNER = """
import asyncio, sys
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import SandboxSpec
async def main():
    async with open_sandbox(SandboxSpec(run=sys.argv[1]), "docker") as box:
        await box.exec(["sh", "-c", "sleep 300 & sleep 300"], on_output=print)
asyncio.run(main())
"""


def owner(run: str) -> subprocess.Popen[bytes]:
    """A process that owns a sandbox with a program under way."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "sandbox")])
    found = subprocess.Popen([sys.executable, "-c", OWNER, run], env={**os.environ, "PYTHONPATH": path})
    engine = connect()
    deadline = time.monotonic() + 30
    while not engine.containers(f"{RUN}={run}") and time.monotonic() < deadline:
        time.sleep(0.1)
    engine.close()
    return found


def test_what_a_killed_owner_left_is_found_and_removed_and_the_living_is_left_alone(engine_place: Place) -> None:
    process = owner(engine_place.run)
    engine = connect()
    try:
        assert [each for each in leftovers.on_engine(engine) if each.run == engine_place.run] == []
        process.kill()
        process.wait()
        mine = [each for each in leftovers.on_engine(engine) if each.run == engine_place.run]
        assert [each.kind for each in mine] == ["container", "volume", "volume"]
        assert all("is gone" in each.reason for each in mine)
        for each in mine:
            each.remove()
        assert engine_place.residue() == []
    finally:
        process.kill()
        process.wait()
        engine.close()


def test_an_interrupt_leaves_nothing(engine_place: Place) -> None:
    process = owner(engine_place.run)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    assert engine_place.residue() == []


def test_what_is_over_its_time_is_removed_whoever_owns_it(engine_place: Place) -> None:
    engine = connect()
    name = f"agentsys-{engine_place.run}-{secrets.token_hex(4)}"
    labels = {RUN: engine_place.run, "agentsys.pid": "1", "agentsys.started": "1000", "agentsys.ttl": "60"}
    engine.create_volume(name, {**labels, "agentsys.owner": "another machine"})
    assert [e.reason for e in leftovers.on_engine(engine, now=1059.0) if e.run == engine_place.run] == []
    mine = [each for each in leftovers.on_engine(engine, now=1061.0) if each.run == engine_place.run]
    assert [each.reason for each in mine] == ["its time to live is over"]
    mine[0].remove()
    engine.close()


async def test_opening_removes_what_a_killed_run_left(engine_place: Place) -> None:
    process = owner(engine_place.run)
    process.kill()
    process.wait()
    other = Place("docker")
    async with other.open():
        assert engine_place.residue() == []


@pytest.mark.slow
async def test_sixteen_sandboxes_at_once_all_work_and_leave_nothing(engine_place: Place) -> None:
    async def one(number: int) -> bytes:
        async with engine_place.open() as box:
            result = await python(box, f"import time; time.sleep(1); print({number})", timeout=120)
            return result.stdout

    found = await asyncio.gather(*(one(number) for number in range(16)))
    assert found == [b"%d\n" % number for number in range(16)]
