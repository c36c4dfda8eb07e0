"""Fixtures of the live tests. Each test, whatever it is about, leaves the host's canary as it was, and ends in time."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from agentsys_sandbox.base import Sandbox
from live.hostwatch import Canary, on_engine, processes, settled
from live.sandboxes import BACKENDS, Place, need

IN_TIME = 180.0
"""Seconds for one test with its set-up, an outer bound for a loaded machine; a slow one has only pytest's own limit."""


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A temporary folder of these tests alone, so that what is left in it is theirs."""
    tmp_path_factory.getbasetemp()  # pytest's own folders stay where they are
    folder = Path(tempfile.mkdtemp(prefix="live-", dir="/tmp"))
    folder.chmod(0o711)  # a sandbox that gave up root passes through it
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        yield folder
    tempfile.tempdir = before
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def host_canary() -> Iterator[Canary]:
    """Files, a process and settings of the host."""
    canary = Canary()
    yield canary
    canary.remove()


@pytest.fixture(autouse=True)
def untouched(host_canary: Canary, request: pytest.FixtureRequest) -> Iterator[Canary]:
    """After each test: the canary is as it was, and the time was within the bound."""
    start = time.monotonic()
    yield host_canary
    assert host_canary.changes() == []
    if request.node.get_closest_marker("slow") is None:
        assert time.monotonic() - start < IN_TIME


@pytest.fixture(params=BACKENDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each backend in turn; after the test nothing of it may be left."""
    need(request.param)
    found = Place(request.param)
    yield found
    assert found.residue() == []


@pytest.fixture(params=[pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.slow]), BACKENDS[1]])
def any_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """For what is the same on every backend where the tests with `place` hold; the engine is slower, so on demand."""
    need(request.param)
    found = Place(request.param)
    yield found
    assert found.residue() == []


@pytest.fixture(params=BACKENDS, scope="module")
def shared_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each backend in turn for a whole module; at its end nothing of it may be left."""
    need(request.param)
    found = Place(request.param)
    yield found
    assert found.residue() == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(shared_place: Place) -> AsyncIterator[Sandbox]:
    """A sandbox with small limits for all tests of a module."""
    async with shared_place.open() as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="module")
async def box(opened: Sandbox, shared_place: Place) -> AsyncIterator[Sandbox]:
    """The module's sandbox with an empty work folder. A module that uses it needs `asyncio(loop_scope="module")`.

    That it still works after everything the tests before did to it is part of what is tested. After each test no
    process of the code runs, and there is at most one container and its two volumes.
    """
    clean = "chmod -R u+rwX /work 2>/dev/null; rm -rf /work/* /work/.[!.]* /tmp/* /dev/shm/*; mkdir /work/repo"
    assert (await opened.exec(["sh", "-c", clean], cwd="/work", timeout=60)).ok
    yield opened
    run = shared_place.run
    assert settled(lambda: processes(run, keeper=False)) == []
    assert sorted(each.split()[0] for each in on_engine(run)) in (
        [],
        ["volume", "volume"],
        ["container", "volume", "volume"],
    )


@pytest.fixture
def engine_place() -> Iterator[Place]:
    """The Docker backend alone, for what only an engine can do."""
    need("docker")
    found = Place("docker")
    yield found
    assert found.residue() == []
