"""Every step of a sandbox's life may be cancelled or fail, on every backend, and nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agentsys_sandbox.base import SandboxError, Unavailable
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.docker.endpoints import docker as connect
from agentsys_sandbox.labels import labels
from agentsys_sandbox.spec import Outcome, SandboxSpec
from live.hostwatch import on_engine, processes, settled
from live.sandboxes import SMALL, Place, install, need, python

PROJECT = b'[build-system]\nrequires=[]\nbuild-backend="b"\nbackend-path=["."]\n[project]\nname="p"\nversion="1"\n'
SLEEP = "import time; print('up', flush=True); time.sleep(100)"


async def opening(place: Place, begun: asyncio.Event, folder: Path) -> None:
    begun.set()
    async with place.open():
        pass


async def writing(place: Place, begun: asyncio.Event, folder: Path) -> None:
    async with place.open() as box:
        begun.set()
        await box.write_files({f"{i}": os.urandom(1 << 20) for i in range(60)})


async def running(place: Place, begun: asyncio.Event, folder: Path) -> None:
    async with place.open() as box:
        await box.exec(["python3", "-c", SLEEP], on_output=lambda name, data: begun.set())


async def installing(place: Place, begun: asyncio.Event, folder: Path) -> None:
    async with place.open() as box:
        files = {"pyproject.toml": PROJECT, "b.py": SLEEP.encode()}
        await box.write_files(files)
        await install(box, files=files, on_output=lambda name, data: begun.set() if b"Building" in data else None)


async def exporting(place: Place, begun: asyncio.Event, folder: Path) -> None:
    async with place.open() as box:
        await python(box, "for i in range(60): open(str(i), 'wb').write(b'x' * (1 << 20))")
        begun.set()
        await box.export(["repo"], folder)


async def closing(place: Place, begun: asyncio.Event, folder: Path) -> None:
    async with place.open():
        begun.set()


PARTS = [opening, writing, running, installing, exporting, closing]


@pytest.mark.parametrize("delay", [0.05, *(pytest.param(each, marks=pytest.mark.slow) for each in (0.0, 0.5))])
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
async def test_cancelling_any_part_of_its_life_leaves_nothing(
    place: Place, part: Callable[..., Any], delay: float, tmp_path: Path
) -> None:
    begun = asyncio.Event()
    task = asyncio.create_task(part(place, begun, tmp_path))
    await asyncio.wait_for(begun.wait(), 90)
    await asyncio.wait({task}, timeout=delay)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, 60)
    assert place.residue() == []


async def test_a_second_cancellation_while_it_cleans_up_leaves_nothing(place: Place) -> None:
    async def forever() -> None:
        async with place.open():
            begun.set()
            await asyncio.Event().wait()

    begun = asyncio.Event()
    task = asyncio.create_task(forever())
    await asyncio.wait_for(begun.wait(), 60)
    for _ in range(40):
        task.cancel()
        await asyncio.sleep(0.01)
    with suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, 60)
    assert place.residue() == []


BWRAP_STEPS = (
    "agentsys_sandbox.bwrap.sandbox.Bubblewrap.find",
    "agentsys_sandbox.bwrap.sandbox.ensure_rootfs",
    "agentsys_sandbox.bwrap.sandbox.identity",
    "agentsys_sandbox.bwrap.sandbox._make_folder",
    "agentsys_sandbox.bwrap.sandbox.write_owner",
    "agentsys_sandbox.bwrap.sandbox.bwrap_cgroup.create",
    "agentsys_sandbox.bwrap.sandbox._make_owned",
    "agentsys_sandbox.bwrap.sandbox.check",
    "agentsys_sandbox.bwrap.sandbox.compile_filter",
    "agentsys_sandbox.bwrap.box.start",
    "agentsys_sandbox.bwrap.box.launch",
    "agentsys_sandbox.base.transfer.write_files",
    "agentsys_sandbox.base.transfer.export",
    "agentsys_sandbox.packages.store.compile_wish",
    "agentsys_sandbox.packages.environment._finish",
)


@pytest.mark.bwrap
@pytest.mark.parametrize("which", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("step", BWRAP_STEPS)
async def test_an_error_at_any_step_on_bubblewrap_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str, which: int
) -> None:
    """The steps of the other backend are requests to its engine: `test_sandbox_engine_faults.py`."""
    need("bwrap")
    place = Place("bwrap")
    box = open_sandbox(place.spec(), "bwrap")
    calls = 0
    owner, _, name = step.rpartition(".")
    real = _found(owner, name)

    def fail(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == which + 1:
            raise OSError(28, "No space left on device")
        return real(*args, **options)

    monkeypatch.setattr(step, fail)
    with suppress(SandboxError, OSError):
        async with box:
            await box.write_files({"main.py": b"print('ran')"})
            assert (await box.exec(["python3", "main.py"], timeout=60)).stdout == b"ran\n"
            await install(box)
            await box.export(["repo"], tmp_path)
    assert calls > 0
    assert place.residue() == []


def _found(owner: str, name: str) -> Callable[..., Any]:
    """The function behind a dotted name."""
    import importlib

    parts = owner.split(".")
    for cut in range(len(parts), 0, -1):
        with suppress(ModuleNotFoundError):
            found: Any = importlib.import_module(".".join(parts[:cut]))
            for part in parts[cut:]:
                found = getattr(found, part)
            return getattr(found, name)
    raise AssertionError(owner)


async def test_a_sandbox_whose_processes_are_killed_from_outside_died_and_the_next_program_runs(place: Place) -> None:
    ready = asyncio.Event()
    async with place.open() as box:
        await box.write_files({"kept.txt": b"kept"})
        job = box.exec(["python3", "-c", SLEEP], timeout=60, on_output=lambda name, data: ready.set())
        task = asyncio.create_task(job)
        await asyncio.wait_for(ready.wait(), 60)
        for pid in ends(place):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        result = await asyncio.wait_for(task, 60)
        assert (result.outcome, result.exit_code) == (Outcome.SANDBOX_DIED, None)
        assert result.outcome.is_infrastructure
        assert await box.read_file("repo/kept.txt") == b"kept"
        assert (await python(box, "print(1)")).ok


def ends(place: Place) -> list[int]:
    """Process ids on the host whose end is the end of the sandbox: all of a container, or bubblewrap itself."""
    found = [int(each.split()[1]) for each in processes(place.run)]
    if not found:
        pytest.skip("only root sees the processes of a sandbox from outside")
    if place.backend == "docker":
        return sorted(found)
    parents = {int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in found}
    return sorted(parents - {*found, os.getpid()})


@pytest.mark.docker
async def test_a_name_that_is_taken_is_refused_and_its_owner_left_alone(
    engine_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_place.open() as first:
        engine = connect()
        api = engine._api
        taken = "agentsys-taken-" + "0" * 8
        image = api.inspect_container(engine.containers(f"agentsys.run={engine_place.run}")[0].name)["Image"]
        other = api.create_container(image, name=f"{taken}-1", labels=labels("taken", 600), command=["true"])["Id"]
        try:
            monkeypatch.setattr("agentsys_sandbox.docker.sandbox.secrets.token_hex", lambda size=8: "0" * 8)
            box = open_sandbox(SandboxSpec(run="taken", limits=SMALL), "docker")
            with pytest.raises(Unavailable, match="already in use"):
                async with box:
                    pytest.fail("it opened")
            monkeypatch.undo()
            assert api.inspect_container(other)["Id"] == other
            assert [each.split()[0] for each in on_engine("taken")] == ["container"]
            assert await first.health()
        finally:
            api.remove_container(other, force=True)
            engine.close()


@pytest.mark.parametrize("runtime", ["runsc", "no-such-runtime"])
async def test_a_container_runtime_that_is_not_there_is_refused_and_never_replaced(place: Place, runtime: str) -> None:
    if place.backend == "docker":
        engine = connect()
        known = engine.info.runtimes
        engine.close()
        if runtime in known:
            pytest.skip(f"`{runtime}` is installed here")
    with pytest.raises(SandboxError) as caught:
        async with open_sandbox(SandboxSpec(run=place.run, limits=SMALL, runtime=runtime), place.backend):
            pytest.fail("it opened")
    assert "runtime" in caught.value.message


@pytest.mark.docker
async def test_with_gvisor_programs_see_its_kernel_and_not_the_hosts(engine_place: Place) -> None:
    engine = connect()
    known = engine.info.runtimes
    engine.close()
    if "runsc" not in known:
        pytest.skip("the engine has no runtime `runsc` (gVisor)")
    async with open_sandbox(SandboxSpec(run=engine_place.run, limits=SMALL, runtime="runsc"), "docker") as box:
        told = await box.exec(["cat", "/proc/version"], timeout=60)
        assert told.ok
        assert told.stdout.decode() != Path("/proc/version").read_text()


@pytest.mark.slow
async def test_sixteen_at_once_all_work_and_leave_nothing(place: Place) -> None:
    async def one(number: int) -> bytes:
        async with place.open() as box:
            await box.write_files({"number": str(number).encode()})
            code = "import time; time.sleep(1); print(open('number').read())"
            return (await python(box, code, timeout=120)).stdout

    found = await asyncio.gather(*(one(number) for number in range(16)))
    assert found == [b"%d\n" % number for number in range(16)]
    assert settled(lambda: processes(place.run)) == []


async def test_four_at_once_all_work_and_leave_nothing(place: Place) -> None:
    async def one(number: int) -> bytes:
        async with place.open() as box:
            mark = secrets.token_hex(4).encode()
            await box.write_files({"mark": mark})
            return b"" if (await box.exec(["cat", "mark"], timeout=60)).stdout == mark else b"mixed up"

    assert await asyncio.gather(*(one(number) for number in range(4))) == [b""] * 4


BURN = "while True: pass"


async def test_a_program_is_stopped_by_the_cpu_seconds_that_all_its_processes_used(place: Place) -> None:
    async with place.open() as box:
        result = await box.exec(["sh", "-c", 'python3 -c "$0" & python3 -c "$0"; wait', BURN], timeout=300, budget=2)
        assert result.outcome is Outcome.TIMEOUT, result
        assert "CPU seconds (" in result.message
        assert result.cpu_seconds is not None
        assert result.cpu_seconds >= 2
        after = await box.exec(["true"], budget=60)
        assert after.ok
        assert after.cpu_seconds is not None
        assert after.cpu_seconds < 2


async def test_a_program_that_waits_for_nothing_is_stopped_long_before_the_clock_limit(any_place: Place) -> None:
    async with any_place.open() as box:
        result = await box.exec(["sleep", "250"], timeout=200, budget=4)
        assert result.outcome is Outcome.TIMEOUT, result
        assert "it had done nothing for" in result.message
        assert result.seconds < 200
