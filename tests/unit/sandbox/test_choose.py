"""A backend that answers, or a reason for each that does not; never the host itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import agentsys_sandbox
from agentsys_sandbox import choose
from agentsys_sandbox.base import Unavailable
from agentsys_sandbox.choose import detect, open_sandbox
from agentsys_sandbox.spec import SandboxSpec


def absent() -> None:
    raise Unavailable("bubblewrap is not installed")


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which no backend answers."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr("agentsys_sandbox.bwrap.sandbox.probe", absent)


@pytest.mark.usefixtures("nothing")
def test_where_nothing_answers_each_reason_is_named_and_nothing_is_opened() -> None:
    with pytest.raises(Unavailable) as caught:
        open_sandbox(SandboxSpec(run="x"))
    for backend in ("docker", "podman", "bwrap"):
        assert f"{backend}: " in caught.value.message
    assert "bubblewrap" in caught.value.hint


@pytest.mark.usefixtures("nothing")
@pytest.mark.parametrize("backend", ["docker", "podman", "bwrap"])
def test_a_backend_that_was_asked_for_is_the_only_one_looked_at(backend: str) -> None:
    with pytest.raises(Unavailable) as caught:
        detect(backend)
    named = [each for each in ("docker", "podman", "bwrap") if f"{each}: " in caught.value.message]
    assert named == [backend]


@pytest.mark.parametrize("backend", ["subprocess", "local", "none", ""])
def test_there_is_no_backend_without_confinement(backend: str) -> None:
    with pytest.raises(Unavailable, match="no sandbox backend"):
        detect(backend)


def test_the_order_is_docker_podman_bwrap(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def see(backend: str) -> None:
        seen.append(backend)
        if backend != "bwrap":
            raise Unavailable("absent")

    monkeypatch.setattr(choose, "_see", see)
    assert detect() == "bwrap"
    assert seen == ["docker", "podman", "bwrap"]


def test_every_public_name_is_there() -> None:
    assert [name for name in agentsys_sandbox.__all__ if not hasattr(agentsys_sandbox, name)] == []
    with pytest.raises(AttributeError):
        _ = agentsys_sandbox.nothing_of_that_name  # type: ignore[attr-defined]


def test_importing_the_package_loads_no_engine() -> None:
    code = (
        "import sys, agentsys_sandbox, agentsys_sandbox.choose, agentsys_sandbox.fake\n"
        "print('docker' in sys.modules, 'requests' in sys.modules)"
    )
    root = Path(agentsys_sandbox.__file__).parents[1]
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert found.stdout == "False False\n"
