"""The doctor: tells causes apart, never shows a key, and never says ok about what it did not see."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from pathlib import Path

import pytest

from agentsys.cli.doctor import Row, host, models, sandboxes
from agentsys.cli.doctor.command import diagnose
from agentsys.core.settings import Settings
from integration.faulty_endpoint import Answer, fault, raw, serving


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    for name in ("DOCKER_HOST", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "AGENTSYS_MODEL"):
        monkeypatch.delenv(name, raising=False)


def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sandboxes, "SOCKET", tmp_path / "absent.sock")
    monkeypatch.setattr(sandboxes.shutil, "which", lambda name: None)


# -- the engine: three causes, three remedies --------------------------------------------------------------------------


def test_absent_engine_is_told_as_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_engine(monkeypatch, tmp_path)
    row = sandboxes.docker_engine(needed=True)
    assert (row.status, row.detail.partition(":")[0]) == ("fail", "absent")
    assert "install" in row.fix


def test_engine_that_does_not_answer_is_told_as_that(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))  # bound, but nobody listens
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    row = sandboxes.docker_engine(needed=True)
    assert (row.status, row.detail.partition(":")[0]) == ("fail", "not answering")
    assert "start it" in row.fix


class OldEngine(threading.Thread):
    """Answers as a Docker engine of long ago would, on a socket of the test's own."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(8)

    def run(self) -> None:
        body = (
            b'{"Version": "1.13.1", "ApiVersion": "1.44", "MinAPIVersion": "1.12", "NCPU": 1, "MemTotal": 1073741824}'
        )
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(head % len(body) + body)


def test_old_engine_is_told_as_too_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = OldEngine(tmp_path / "old.sock")
    engine.start()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'old.sock'}")
    try:
        row = sandboxes.docker_engine(needed=True)
    finally:
        engine.listener.close()
    assert (row.status, row.detail.partition(":")[0]) == ("fail", "too old")
    assert "20.10" in row.fix


def test_missing_engine_is_a_warning_where_another_place_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_engine(monkeypatch, tmp_path)
    assert sandboxes.docker_engine(needed=False).status == "warn"


def test_folder_called_docker_is_not_taken_for_the_sdk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "Dockerfile").touch()
    for name in [name for name in sys.modules if name.partition(".")[0] == "docker"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    sys.path_importer_cache.clear()
    row = sandboxes.docker_sdk()
    assert row.status == "fail"
    assert "only a folder" in row.detail


# -- model and keys ----------------------------------------------------------------------------------------------------


def test_named_model_without_key_fails_and_says_which_key(tmp_path: Path) -> None:
    row = models.configured(Settings(model="some-model"))
    assert row.status == "fail"
    assert "OPENAI_API_KEY" in row.detail


def test_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary-key-4711")
    row = models.configured(Settings(model="some-model"))
    assert row.status == "ok"
    assert "canary" not in repr(row)


def test_no_model_is_a_warning_because_a_run_can_name_one() -> None:
    assert models.configured(Settings()).status == "warn"


def test_replay_needs_neither_model_nor_key(tmp_path: Path) -> None:
    assert models.configured(Settings(replay=tmp_path)).status == "ok"
    assert models.answers(Settings(replay=tmp_path)) is None


def test_endpoint_that_refuses_the_connection_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    row = models.answers(Settings(model="m", base_url=f"http://127.0.0.1:{port}/v1"))
    assert row is not None
    assert row.status == "fail"


# -- machine and installation ------------------------------------------------------------------------------------------


def test_type_checker_is_started_not_only_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert host.pyright() == Row("pyright", "ok", "pyright 1.1.414")
    from agentsys_sandbox.image import hostfiles

    real = hostfiles.tools()
    monkeypatch.setattr(hostfiles, "tools", lambda: hostfiles.Tools(node=real.node, pyright=tmp_path / "nothing"))
    assert host.pyright().status == "fail"


def test_broken_installation_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert host.package_data().status == "ok"
    from agentsys_sandbox.base import ImageMissing
    from agentsys_sandbox.image import engine_image as images

    def lost() -> str:
        raise ImageMissing("the recipe is not installed")

    monkeypatch.setattr(images, "recipe", lost)
    row = host.package_data()
    assert row.status == "fail"
    assert "the recipe is not installed" in row.detail


def test_unknown_policy_fails() -> None:
    assert host.policy(Settings(policy="no-such-policy.yaml")).status == "fail"


def test_little_room_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert host.disk(Settings(runs_dir=tmp_path / "a" / "b")).status in ("ok", "warn")
    monkeypatch.setattr(host, "FREE_GB", 1e9)
    assert host.disk(Settings(runs_dir=tmp_path)).status == "warn"


def test_wrong_configuration_is_a_row_and_the_other_checks_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "agentsys.toml").write_text("max_round = 1\n")
    rows = {row.check: row for row in diagnose()}
    assert rows["settings"].status == "fail"
    assert "max_round" in rows["settings"].detail
    assert {"python", "package data", "pyright", "docker engine", "sandbox", "model", "leftovers"} <= set(rows)
    assert all(row.fix for row in rows.values() if row.status == "fail")


def test_the_nougat_row_tells_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTSYS_NOUGAT_PYTHON", raising=False)
    monkeypatch.setattr(host, "find_spec", lambda name: None)
    assert "agentsys[nougat]" in host.nougat().fix and "AGENTSYS_NOUGAT_PYTHON" in host.nougat().fix
    monkeypatch.setenv("AGENTSYS_NOUGAT_PYTHON", "/no/such/python")
    assert host.nougat().status == "warn"
    monkeypatch.setenv("AGENTSYS_NOUGAT_PYTHON", sys.executable)
    assert (host.nougat().status, host.nougat().fix) == ("ok", "")


# -- the context window ------------------------------------------------------------------------------------------------


def counted(tokens: int | None) -> Answer:
    usage = {"prompt_tokens": tokens, "completion_tokens": 1} if tokens else None
    choice = {"finish_reason": "stop", "message": {"content": "ready"}}
    return raw(json.dumps({"choices": [choice], "usage": usage}))


WORDS = "The loss of the network falls with the number of steps, as equation 3 says for each layer. "


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (counted(19_000), "ok", "as much was read whole"),
        (counted(4096), "fail", "read 4,096 tokens of about 20,"),
        (fault(400, "request (12000 tokens) exceeds the available context size (4096 tokens)"), "fail", "4096 tokens"),
        (counted(None), "warn", "does not say how much it read"),
    ],
    ids=["whole", "cut", "refused", "not counted"],
)
async def test_window_is_tried_with_the_paper_itself(tmp_path: Path, answer: Answer, status: str, words: str) -> None:
    paper = tmp_path / "paper.md"
    paper.write_text(f"# A paper\n\n## Method\n\n{WORDS * 530}\n")
    async with serving(answer) as endpoint:
        settings = Settings(model="m", base_url=endpoint.url)
        row = await asyncio.to_thread(models.window, settings, paper, live=True)
        before = await asyncio.to_thread(models.window, settings, paper, live=False)
    assert (row.status, words in row.detail) == (status, True), row
    assert (status == "fail") == ("OLLAMA_CONTEXT_LENGTH=" in row.fix)
    assert "needs a window of about 28,672 tokens" in before.detail
    assert len(endpoint.requests) == 1
