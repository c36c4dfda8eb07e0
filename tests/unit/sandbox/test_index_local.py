"""A wheel that is at hand locally wins over every index; one that does not fit does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys_sandbox.packages.index import Index
from agentsys_sandbox.packages.indexconfig import IndexConfig
from agentsys_sandbox.packages.upstream import Upstream


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    """A wheel folder, and an index on disk that has a newer version."""
    wheels, simple = tmp_path / "wheels", tmp_path / "simple" / "torch"
    wheels.mkdir()
    simple.mkdir(parents=True)
    (simple / "torch-9.0-py3-none-any.whl").write_bytes(b"newer")
    (simple / "index.html").write_text(
        '<!DOCTYPE html><a href="torch-9.0-py3-none-any.whl">torch-9.0-py3-none-any.whl</a>'
    )
    return wheels, tmp_path / "simple"


def files(sources: tuple[Path, Path]) -> list[str]:
    config = IndexConfig(indexes=(sources[1].as_uri(),), find_links=(str(sources[0]),))
    return [link.filename for link in Index(config, Upstream(config)).project("torch") or ()]


def test_a_local_wheel_that_fits_hides_the_newer_version_of_the_index(sources: tuple[Path, Path]):
    (sources[0] / "torch-2.0+cpu-py3-none-any.whl").write_bytes(b"local")
    assert files(sources) == ["torch-2.0+cpu-py3-none-any.whl"]


def test_a_local_wheel_for_another_platform_hides_nothing(sources: tuple[Path, Path]):
    (sources[0] / "torch-2.0-cp27-cp27m-win32.whl").write_bytes(b"local")
    assert "torch-9.0-py3-none-any.whl" in files(sources)
