"""A backend that answers, or a reason for each that does not; never the host itself."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from pydantic import ValidationError

import agentsys_sandbox
from agentsys.core.settings import Settings
from agentsys_sandbox import backends
from agentsys_sandbox.base import Unavailable
from agentsys_sandbox.choose import detect, open_sandbox
from agentsys_sandbox.spec import SandboxSpec


def absent(*_: object) -> None:
    raise Unavailable("bubblewrap is not installed")


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which no backend answers."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr("agentsys_sandbox.docker.endpoints.docker_url", lambda: f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr("agentsys_sandbox.docker.sandbox.PodmanSandbox.connect", absent)
    monkeypatch.setattr("agentsys_sandbox.bwrap.sandbox.BwrapSandbox.available", absent)


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

    def look(name: str) -> None:
        seen.append(name)
        if name != "bwrap":
            raise Unavailable("absent")

    for name in ("docker", "podman", "bwrap"):
        monkeypatch.setattr(backends.load(name), "available", partial(look, name))
    assert detect() == "bwrap"
    assert seen == ["docker", "podman", "bwrap"]


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another distribution, installed, with a backend called `pod` and one that cannot be imported."""
    (tmp_path / "pods.py").write_text(
        "from agentsys_sandbox.base import Backend\n"
        "from agentsys_sandbox.fake import FakeSandbox\n"
        "class Pod(FakeSandbox, Backend):\n"
        "    @classmethod\n    def available(cls): pass\n"
        "    @classmethod\n    def create(cls, spec): return cls()\n"
    )
    (tmp_path / "pods-1.dist-info").mkdir()
    (tmp_path / "pods-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: pods\nVersion: 1\n")
    (tmp_path / "pods-1.dist-info/entry_points.txt").write_text(
        "[agentsys.sandboxes]\npod = pods:Pod\nbroken = pods:Nothing\ndocker = pods:Pod\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("plugin", "nothing")
def test_a_backend_of_another_distribution_is_taken_by_name_and_never_by_auto() -> None:
    assert backends.names() == ("docker", "podman", "bwrap", "broken", "pod")
    assert detect("pod") == "pod"
    assert type(open_sandbox(SandboxSpec(run="x"), "pod")).__name__ == "Pod"
    assert Settings(backend="pod").backend == "pod"
    with pytest.raises(Unavailable):
        detect("auto")


@pytest.mark.usefixtures("plugin")
def test_another_distribution_cannot_take_the_place_of_a_backend_of_ours() -> None:
    assert backends.load("docker").__name__ == "DockerSandbox"


@pytest.mark.usefixtures("plugin")
def test_a_backend_that_cannot_be_loaded_says_where_it_comes_from() -> None:
    with pytest.raises(Unavailable, match="cannot be loaded") as caught:
        backends.load("broken")
    assert "pods:Nothing" in caught.value.hint


def test_a_setting_that_names_no_backend_lists_those_that_are_there() -> None:
    with pytest.raises(ValidationError, match="should be 'auto', 'docker', 'podman' or 'bwrap'"):
        Settings(backend="lxc")


def test_the_package_offers_what_its_example_uses_and_nothing_else() -> None:
    assert agentsys_sandbox.open_sandbox is open_sandbox
    assert agentsys_sandbox.SandboxSpec is SandboxSpec
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
