"""The command line as a process of its own, with the stand-in for the pipeline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from unit.cli.forked import STAND_IN, Forked

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def clean_env(tmp_path: Path) -> dict[str, str]:
    """An environment without settings and keys, whose home is the test's folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AGENTSYS_") and not k.endswith("_API_KEY")}
    return kept | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "PYTHONWARNINGS": "ignore"}


@pytest.fixture(scope="session")
def forked() -> Iterator[Forked]:
    """The command line, loaded once."""
    server = Forked(os.environ | {"PYTHONWARNINGS": "ignore"})
    yield server
    server.close()


@pytest.fixture
def run_cli(forked: Forked, tmp_path: Path, clean_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`run_cli(end, *args, env={...})`: run to the end in the test's folder, with the stand-in for the pipeline."""

    def run(end: str, *args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        streams = tmp_path_factory.mktemp("streams")
        return forked.run(args, end=end, folder=tmp_path, env=clean_env | (env or {}), streams=streams)

    return run


@pytest.fixture
def agentsys(run_cli: Run) -> Run:
    """`agentsys(*args, env={...})`: the real program, run to its end in the test's folder; no key, no terminal."""
    return partial(run_cli, "")


@pytest.fixture
def start_cli(tmp_path: Path, clean_env: dict[str, str]) -> Callable[..., subprocess.Popen[str]]:
    """Start the command line, wait until the stand-in says `ready`, and return the process."""

    def start(end: str, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(STAND_IN), end, *args],
            cwd=tmp_path,
            env=clean_env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell in the background hands down an ignored SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        assert process.stderr is not None
        while "ready" not in process.stderr.readline():
            assert process.poll() is None
        return process

    return start
