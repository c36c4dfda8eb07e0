"""An engine that is away, hangs, starts, or fails: what each means to the caller. Against a small server of our own."""

from __future__ import annotations

import json
import re
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from agentsys_sandbox.base import SandboxGone, Unavailable
from agentsys_sandbox.docker import engine as module
from agentsys_sandbox.docker.engine import Engine

INFO = {"NCPU": 4, "MemTotal": 1 << 33, "CgroupVersion": "2", "Architecture": "x86_64", "Runtimes": {"runc": {}}}
VERSION = {"Version": "24.0", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Components": [{"Name": "Engine"}]}
Answer = tuple[int, Any]
FIXED: dict[str, Answer] = {"/info": (200, INFO), "/version": (200, VERSION)}


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Speaks HTTP on a unix socket; `answer(path)` gives status and JSON, or blocks."""

    daemon_threads = True
    block_on_close = False
    answer: Callable[[str], Answer]

    def get_request(self) -> tuple[Any, Any]:
        connection, _ = super().get_request()
        return connection, ("local", 0)


class Handler(BaseHTTPRequestHandler):
    def reply(self) -> None:
        path = re.sub(r"^/v[0-9.]+|\?.*$", "", self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert isinstance(self.server, Server)
        status, body = self.server.answer(path)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        with suppress(BrokenPipeError):  # the caller may have given up
            self.end_headers()
            self.wfile.write(data)

    do_GET = do_POST = do_DELETE = reply

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(str(tmp_path / "engine.sock"), Handler) as found:
        found.answer = lambda path: FIXED.get(path, (404, {"message": "no such thing"}))
        thread = threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def url(server: Server) -> str:
    return f"unix://{server.server_address!s}"


def test_what_the_engine_says_of_itself_is_read(server: Server) -> None:
    engine = Engine.connect(url(server))
    assert (engine.info.name, engine.info.cpus, engine.info.cgroup_version) == ("docker", 4, "2")
    assert engine.info.local
    engine.close()


def test_podman_is_told_apart(server: Server) -> None:
    version = {**VERSION, "Components": [{"Name": "Podman Engine"}]}
    server.answer = lambda path: (200, version if path == "/version" else INFO)
    engine = Engine.connect(url(server))
    assert engine.info.name == "podman"
    engine.close()


def test_an_engine_that_hangs_is_unavailable_within_its_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def hang(path: str) -> Answer:
        go.wait(30)
        return 200, {}

    server.answer = hang
    monkeypatch.setattr(module, "_CONNECT_SECONDS", 0.3)
    start = time.monotonic()
    with pytest.raises(Unavailable, match="no Docker engine answers"):
        Engine.connect(url(server))
    go.set()
    assert time.monotonic() - start < 10


def test_a_socket_that_nobody_serves_is_unavailable(tmp_path: Path) -> None:
    with Server(str(tmp_path / "dead.sock"), Handler):
        pass
    with pytest.raises(Unavailable):
        Engine.connect(f"unix://{tmp_path}/dead.sock")


def test_an_engine_that_is_starting_is_asked_again(server: Server) -> None:
    engine = Engine.connect(url(server))
    answers: list[Answer] = [(503, {"message": "starting"}), (503, {"message": "starting"}), (204, None)]
    server.answer = lambda path: answers.pop(0)
    engine.start("x")
    assert answers == []
    engine.close()


def test_it_is_not_asked_for_ever(server: Server) -> None:
    engine = Engine.connect(url(server))
    asked: list[str] = []

    def refuse(path: str) -> Answer:
        asked.append(path)
        return 503, {"message": "starting"}

    server.answer = refuse
    with pytest.raises(Unavailable, match="starting"):
        engine.start("x")
    assert len(asked) == 3
    engine.close()


def test_an_error_that_will_not_pass_is_not_tried_again(server: Server) -> None:
    engine = Engine.connect(url(server))
    asked: list[str] = []

    def fail(path: str) -> Answer:
        asked.append(path)
        return 500, {"message": "OCI runtime create failed: no such runtime"}

    server.answer = fail
    with pytest.raises(Unavailable, match="OCI runtime create failed"):
        engine.start("x")
    assert len(asked) == 1
    engine.close()


def test_what_is_not_there_is_gone_for_use_and_no_error_for_removal(server: Server) -> None:
    engine = Engine.connect(url(server))
    with pytest.raises(SandboxGone):
        engine.start("x")
    with pytest.raises(SandboxGone):
        engine.start_exec("x", ["true"], user="", environment={}, stdin=False)
    assert engine.state("x") is None
    assert engine.exec_state("x") == (False, None)
    engine.kill("x")
    engine.remove("x")
    engine.remove_volume("x")
    engine.close()


@pytest.mark.parametrize(
    ("state", "running"),
    [
        ({"Running": True, "Paused": False, "OOMKilled": False}, True),
        ({"Running": True, "Paused": True, "OOMKilled": False}, False),
        ({"Running": False, "OOMKilled": True}, False),
    ],
)
def test_only_a_container_that_runs_and_is_not_paused_counts_as_alive(
    server: Server, state: dict[str, bool], running: bool
) -> None:
    engine = Engine.connect(url(server))
    server.answer = lambda path: (200, {"Id": "x", "State": state, "Config": {"Labels": None}})
    found = engine.state("x")
    assert found is not None
    assert found.running is running
    engine.close()


@pytest.mark.parametrize("status", [409, 500])
def test_a_container_that_ended_between_two_questions_is_gone_and_the_engine_is_not(
    server: Server, status: int
) -> None:
    engine = Engine.connect(url(server))
    server.answer = lambda path: (
        status,
        {"message": "Container x is not running: Exited (137) Less than a second ago"},
    )
    with pytest.raises(SandboxGone, match="is not running"):
        engine.start_exec("x", ["true"], user="u", environment={}, stdin=False)
    engine.close()
