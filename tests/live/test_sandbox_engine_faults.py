"""An engine that is restarted, hangs, or fails at any step: nothing stays behind, and no fault looks like success.

The engine of this machine is never stopped: a socket in front of it breaks instead (`frailengine.py`). A restart that
ends the containers too is played by removing them at the same time.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agentsys_sandbox.base import Sandbox, SandboxError, SandboxGone
from agentsys_sandbox.docker.endpoints import docker as connect
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.labels import RUN
from agentsys_sandbox.spec import ExecResult, Outcome
from live.frailengine import Fault, FrailEngine
from live.hostwatch import on_engine
from live.sandboxes import Place, install, python, runs_on_host

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture
def frail(
    engine_place: Place, own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[FrailEngine, Place]]:
    """The engine behind a socket that can break; what it leaves is looked for on the real one."""
    with FrailEngine(own_temporary_folder) as engine:
        with monkeypatch.context() as patch:
            patch.setenv("DOCKER_HOST", engine.url)
            yield engine, engine_place
        engine.fault = lambda number, request: None


def real_engine(run: str) -> tuple[Engine, list[str]]:
    engine = Engine.connect("unix:///var/run/docker.sock")
    return engine, [each.name for each in engine.containers(f"{RUN}={run}")]


async def started(box: Sandbox, code: str) -> asyncio.Task[ExecResult]:
    """A program under way that has written something."""
    ready = asyncio.Event()
    task = asyncio.create_task(box.exec(["python3", "-c", code], timeout=60, on_output=lambda name, data: ready.set()))
    await asyncio.wait_for(ready.wait(), 30)
    return task


SLEEP = "import time; print('up', flush=True); time.sleep(50)"


async def settle(task: asyncio.Task[ExecResult]) -> Outcome | None:
    """The outcome, or None where the engine's failure was raised; within a bound, either way."""
    try:
        return (await asyncio.wait_for(task, 90)).outcome
    except SandboxError:
        return None


@pytest.mark.parametrize("containers", ["end", "go on"])
async def test_a_restart_of_the_engine_during_a_program_is_no_outcome_of_the_program(
    frail: tuple[FrailEngine, Place], containers: str
) -> None:
    engine, place = frail
    async with place.open() as box:
        await box.write_files({"kept.txt": b"kept"})
        mark = f"mark-{secrets.token_hex(8)}"
        task = await started(box, f"{SLEEP}\n# {mark}")
        assert runs_on_host(mark)
        engine.down()
        if containers == "end":
            real, names = real_engine(place.run)
            for name in names:
                real.kill(name)
            real.close()
        await asyncio.sleep(0.5)
        engine.up()
        outcome = await settle(task)
        assert outcome is None or outcome.is_infrastructure, outcome
        # One call may still find that the container died; after that there is a new one on the same files.
        with suppress(SandboxGone):
            await box.read_file("repo/kept.txt")
        assert await box.read_file("repo/kept.txt") == b"kept"
        assert (await python(box, "print(1)")).stdout == b"1\n"
        assert not runs_on_host(mark), "the interrupted program still runs"


async def test_an_engine_that_is_away_while_a_sandbox_closes_is_waited_for(frail: tuple[FrailEngine, Place]) -> None:
    engine, place = frail
    async with place.open() as box:
        assert (await python(box, "print(1)")).ok
        engine.down()
        back = asyncio.get_running_loop().call_later(4.0, engine.up)
    assert back.when() < asyncio.get_running_loop().time()
    assert place.residue() == []


async def test_an_engine_that_never_comes_back_is_an_error_in_time_and_what_is_left_is_found_later(
    frail: tuple[FrailEngine, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, place = frail
    monkeypatch.setattr("agentsys_sandbox.docker.engine._PATIENCE", 3.0)
    start = time.monotonic()
    with pytest.raises(SandboxError):
        async with place.open() as box:
            engine.down()
            await python(box, "print(1)")
    assert time.monotonic() - start < 90
    engine.up()
    assert on_engine(place.run) != []
    # Its owner, this process, lives on; so only a person may ask for its removal now.
    from agentsys_sandbox.docker import leftovers

    with_real = connect()
    for each in leftovers.on_engine(with_real, everything=True):
        if each.run == place.run:
            each.remove()
    with_real.close()


async def test_an_engine_that_hangs_is_unavailable_in_time(
    frail: tuple[FrailEngine, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = frail

    def hang(number: int, request: str) -> Fault | None:
        time.sleep(8)
        return "lost"

    engine.fault = hang
    monkeypatch.setattr("agentsys_sandbox.docker.engine._CONNECT_SECONDS", 2)
    start = time.monotonic()
    with pytest.raises(SandboxError, match="no Docker engine answers"):
        await asyncio.to_thread(Engine.connect, engine.url)
    assert time.monotonic() - start < 60


def route(request: str) -> str:
    """A request without versions, names and ids."""
    path = re.sub(r"/v1\.\d+", "", request)
    named = r"/(containers|exec|volumes|images)/(?!create|json)[^ ]*?(?=/(?:start|exec|json|kill)\b|$)"
    return re.sub(named, r"/\1/X", path)


STEPS = (
    "GET /version",
    "GET /info",
    "GET /images/X/json",
    "GET /containers/json",
    "GET /volumes",
    "POST /volumes/create",
    "POST /containers/create",
    "POST /containers/X/start",
    "POST /containers/X/exec",
    "POST /exec/X/start",
    "GET /exec/X/json",
    "DELETE /containers/X",
    "DELETE /volumes/X",
)


FAULTS = [
    # For a question it makes no difference when the connection broke.
    pytest.param(step, fault, marks=[pytest.mark.slow] if step.startswith("GET") and fault == "answer lost" else [])
    for step in STEPS
    for fault in ("lost", "answer lost", "error")
]


def once(step: str, fault: Fault, which: int) -> tuple[Callable[[int, str], Fault | None], list[str]]:
    """The fault at the `which`-th request of a kind, and a list that tells whether it came to that."""
    seen: list[str] = []

    def judge(number: int, request: str) -> Fault | None:
        if route(request) != step:
            return None
        seen.append(request)
        return fault if len(seen) == which + 1 else None

    return judge, seen


async def whole_life(place: Place, folder: Path, *, with_packages: bool = False) -> list[ExecResult]:
    """Everything that is done with a sandbox."""
    results: list[ExecResult] = []
    async with place.open() as box:
        filter_ = next(each for each in box.describe().controls if each.name == "own system call filter")
        assert filter_.effective, "a fault that passed must not weaken it"
        await box.write_files({"main.py": b"print('ran')"})
        results.append(await box.exec(["python3", "main.py"], timeout=30))
        if with_packages:
            results.append((await install(box)).result)
        await box.export(["repo"], folder)
    return results


async def suffers(frail: tuple[FrailEngine, Place], folder: Path, step: str, fault: Fault, which: int) -> int:
    """Live through one fault; no program that did not run to its end may count as one that did."""
    engine, place = frail
    engine.fault, seen = once(step, fault, which)
    try:
        results = await asyncio.wait_for(whole_life(place, folder, with_packages=which > 0), 150)
    except SandboxError:
        results = []
    engine.fault = lambda number, request: None
    assert all(each.outcome is Outcome.OK or each.outcome.is_infrastructure for each in results), results
    # The first is the program; where it is said to have run, its output is whole.
    assert all(each.stdout == b"ran\n" for each in results[:1] if each.ok), results
    assert place.residue() == []
    return len(seen)


def test_the_steps_are_all_that_is_asked_of_an_engine(frail: tuple[FrailEngine, Place], tmp_path: Path) -> None:
    engine, place = frail
    asyncio.run(whole_life(place, tmp_path))
    assert {route(each) for each in engine.requests} == set(STEPS)


@pytest.mark.parametrize(("step", "fault"), FAULTS)
async def test_a_fault_at_any_step_leaves_nothing_and_is_no_success(
    frail: tuple[FrailEngine, Place], tmp_path: Path, step: str, fault: Fault
) -> None:
    assert await suffers(frail, tmp_path, step, fault, 0) > 0


@pytest.mark.slow
@pytest.mark.parametrize("which", [1, 2, 4])
@pytest.mark.parametrize("fault", ["lost", "answer lost", "error"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_fault_later_in_the_life_of_a_sandbox_leaves_nothing(
    frail: tuple[FrailEngine, Place], tmp_path: Path, step: str, fault: Fault, which: int
) -> None:
    await suffers(frail, tmp_path, step, fault, which)
