"""An index in a folder for each test, and a store that knows no other source."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys_sandbox.packages.store import PackageStore
from unit.sandbox.packages.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """The index."""
    return Shelf(tmp_path / "simple")


@pytest.fixture
def store(tmp_path: Path, shelf: Shelf) -> PackageStore:
    """A fresh store on the index."""
    return PackageStore(tmp_path / "cache", shelf.host())
