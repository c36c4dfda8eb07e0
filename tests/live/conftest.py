"""Fixtures of the live tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from agentsys_sandbox.base import Sandbox
from live.sandboxes import BACKENDS, Place, need


@pytest.fixture(params=BACKENDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each backend in turn; after the test nothing of it may be left."""
    need(request.param)
    found = Place(request.param)
    yield found
    assert found.residue() == []


@pytest_asyncio.fixture(params=BACKENDS, scope="module", loop_scope="module")
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """A sandbox with small limits for all tests of a module; at the end nothing of it may be left."""
    need(request.param)
    found = Place(request.param)
    async with found.open() as sandbox:
        yield sandbox
    assert found.residue() == []


@pytest_asyncio.fixture(loop_scope="module")
async def box(opened: Sandbox) -> AsyncIterator[Sandbox]:
    """The module's sandbox with an empty work folder. A module that uses it needs `asyncio(loop_scope="module")`.

    That it still works after everything the tests before did to it is part of what is tested.
    """
    clean = "chmod -R u+rwX /work 2>/dev/null; rm -rf /work/* /work/.[!.]* /tmp/* /dev/shm/*; mkdir /work/repo"
    assert (await opened.exec(["sh", "-c", clean], cwd="/work", timeout=60)).ok
    yield opened


@pytest.fixture
def engine_place() -> Iterator[Place]:
    """The Docker backend alone, for what only an engine can do."""
    need("docker")
    found = Place("docker")
    yield found
    assert found.residue() == []
