"""The engine that the user has named is used, or none: contexts, DOCKER_HOST and the user's own ssh."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agentsys_sandbox.base import Unavailable
from agentsys_sandbox.choose import detect
from agentsys_sandbox.docker import endpoints
from agentsys_sandbox.errors import NamedUnavailable
from unit.sandbox.test_engine import FIXED, Handler, Server

Serve = Callable[[str], str]
SSH = """\
#!{python}
import pathlib, socket, sys, threading
near, far = sys.argv[sys.argv.index("-L") + 1].split(":")
assert sys.argv[sys.argv.index("--") + 1] == "me@engine.invalid", sys.argv
server = socket.socket(socket.AF_UNIX)
server.bind(near)
server.listen()
def pump(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
def serve():
    while True:
        here, _ = server.accept()
        there = socket.socket(socket.AF_UNIX)
        there.connect(far)
        threading.Thread(target=pump, args=(here, there), daemon=True).start()
        threading.Thread(target=pump, args=(there, here), daemon=True).start()
threading.Thread(target=serve, daemon=True).start()
sys.stdin.buffer.read()
"""


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user without engine and without choices, on a machine where bubblewrap works."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("agentsys_sandbox.bwrap.sandbox.BwrapSandbox.available", lambda: None)
    return tmp_path


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(name)`: an engine of that version on a unix socket; returns the socket's path."""
    with ExitStack() as stack:

        def start(name: str) -> str:
            server = stack.enter_context(Server(str(tmp_path / f"{name}.sock"), Handler))
            version = {**FIXED["/version"][1], "Version": name}
            server.answer = lambda path: (200, version) if path == "/version" else FIXED.get(path, (404, {}))
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return str(tmp_path / f"{name}.sock")

        yield start


def add_context(home: Path, name: str, host: str) -> None:
    folder = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


def use_context(home: Path, name: str) -> None:
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker/config.json").write_text(json.dumps({"auths": {}, "currentContext": name}))


def version() -> str:
    engine = endpoints.docker()
    engine.close()
    return engine.info.version


def test_context_in_use_is_honoured(home: Path, serve: Serve) -> None:
    add_context(home, "mine", f"unix://{serve('1.1')}")
    use_context(home, "mine")
    assert version() == "1.1"
    assert detect() == "docker"


def test_context_variable_wins_over_the_one_in_use_and_the_host_over_both(
    home: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1.1", "1.2"):
        add_context(home, name, f"unix://{serve(name)}")
    use_context(home, "1.1")
    monkeypatch.setenv("DOCKER_CONTEXT", "1.2")
    assert version() == "1.2"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{serve('1.3')}")
    assert version() == "1.3"


def test_contexts_lie_where_docker_is_told_to_look(home: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    add_context(home, "mine", f"unix://{serve('1.1')}")
    (home / ".docker").rename(home / "elsewhere")
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "elsewhere"))
    monkeypatch.setenv("DOCKER_CONTEXT", "mine")
    assert version() == "1.1"


def test_default_context_is_no_choice(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_context(home, "default")
    assert endpoints.chosen() == ""
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert endpoints.chosen() == ""


NAMED: dict[str, tuple[dict[str, str], str]] = {
    "host": ({"DOCKER_HOST": "unix:///nowhere/docker.sock"}, "/nowhere/docker.sock"),
    "host by tcp": ({"DOCKER_HOST": "tcp://127.0.0.1:1"}, "127.0.0.1:1"),
    "host by ssh": ({"DOCKER_HOST": "ssh://me@127.0.0.1:1"}, "127.0.0.1"),
    "host without scheme": ({"DOCKER_HOST": "127.0.0.1:1"}, "127.0.0.1:1"),
    "context that is not there": ({"DOCKER_CONTEXT": "absent"}, "`absent`"),
    "context that does not answer": ({"DOCKER_CONTEXT": "dead"}, "/nowhere/docker.sock"),
    "podman": ({"CONTAINER_HOST": "unix:///nowhere/podman.sock"}, "/nowhere/podman.sock"),
}


@pytest.mark.parametrize("name", NAMED)
def test_engine_that_is_named_and_does_not_answer_is_an_error_and_never_another_place(
    home: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    environ, words = NAMED[name]
    add_context(home, "dead", "unix:///nowhere/docker.sock")
    usual = f"unix://{serve('1.1')}"
    monkeypatch.setattr(endpoints, "docker_url", lambda: usual)
    assert detect() == "docker"
    for key, value in environ.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(NamedUnavailable) as caught:
        detect()
    assert words in caught.value.message
    assert next(iter(environ)) in caught.value.hint
    assert "bubblewrap" not in caught.value.hint


def test_context_in_use_that_does_not_answer_is_an_error_too(home: Path) -> None:
    add_context(home, "dead", "unix:///nowhere/docker.sock")
    use_context(home, "dead")
    with pytest.raises(NamedUnavailable, match=r"/nowhere/docker\.sock"):
        detect()


def test_configuration_of_docker_that_cannot_be_read_is_no_default(home: Path) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text("{")
    with pytest.raises(Unavailable, match=r"config\.json"):
        detect()


def test_podman_that_is_named_is_looked_at_before_a_docker_that_is_not(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = f"unix://{serve('1.1')}"
    monkeypatch.setattr(endpoints, "docker_url", lambda: usual)
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{serve('1.2')}")
    assert detect() == "podman"


def test_host_by_ssh_is_reached_with_the_users_own_ssh(
    home: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "bin").mkdir()
    program = home / "bin/ssh"
    program.write_text(SSH.replace("{python}", sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_HOST", f"ssh://me@engine.invalid{serve('1.1')}")
    assert version() == "1.1"
    assert "paramiko" not in sys.modules
