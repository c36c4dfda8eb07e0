"""Fixtures of the live tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from agentsys_sandbox.base import Sandbox
from live.sandboxes import BACKENDS, Place, need


@pytest.fixture(params=BACKENDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each backend in turn; after the test nothing of it may be left."""
    need(request.param)
    found = Place(request.param)
    yield found
    assert found.residue() == []


@pytest.fixture
async def box(place: Place) -> AsyncIterator[Sandbox]:
    """An open sandbox with small limits."""
    async with place.open() as sandbox:
        yield sandbox


@pytest.fixture
def engine_place() -> Iterator[Place]:
    """The Docker backend alone, for what only an engine can do."""
    need("docker")
    found = Place("docker")
    yield found
    assert found.residue() == []
