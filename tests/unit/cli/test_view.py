"""`agentsys view` before it serves: what is meant, and what is said where it cannot be shown."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest

from agentsys.cli import view as command
from agentsys.core.errors import PrerequisiteError, UsageError
from agentsys.report.view.server import serve


def a_run(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"id": "x"}')
    return folder


def test_a_run_a_part_of_its_id_or_a_folder_of_runs_can_be_named(tmp_path: Path) -> None:
    run = a_run(tmp_path / "2026-01-02-title-7e1f")
    assert command._place("7e1f", tmp_path) == run
    assert command._place(str(run), tmp_path / "elsewhere") == run
    assert command._place(str(tmp_path), tmp_path / "elsewhere") == tmp_path
    assert command._place("", tmp_path) == tmp_path


@pytest.mark.parametrize("name", ["nothing", ""])
def test_what_is_not_there_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="run"):
        command._place(name, tmp_path / "elsewhere")


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else object())
    with pytest.raises(PrerequisiteError, match="needs uvicorn") as raised:
        command.view(str(tmp_path))
    assert "agentsys[view]" in raised.value.hint


def test_a_port_that_is_taken_is_a_usage_error_with_its_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match=r"port \d+ cannot be used") as raised:
            serve(tmp_path, taken.getsockname()[1], print)
    assert "--port" in raised.value.hint
