"""Fixtures of the runs that go through the whole program."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from agentsys.core.settings import Settings
from agentsys.run.pipeline import RunResult, implement
from agentsys_sandbox.choose import detect
from integration.claimed_runs import copied, finish, start
from live.sandboxes import missing
from scripted.recording import write_paper, write_recording

Start = Callable[..., "RunResult"]


@pytest.fixture(scope="session")
def backend() -> str:
    """bubblewrap, where a run takes a third of the time, or whatever else answers here; tests skip where nothing does.

    What each backend must do is tested in tests/live, and one run goes through each of them.
    """
    wanted = os.environ.get("AGENTSYS_TEST_BACKEND", "bwrap" if not missing("bwrap") else "auto")
    if missing(wanted):
        pytest.skip(f"no sandbox here: {missing(wanted)}")
    return detect(wanted)


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[[Mapping[tuple[str, str], str]], tuple[Path, Path]]:
    """Write the small paper and a recording of scripted answers; return both paths."""

    def make(answers: Mapping[tuple[str, str], str]) -> tuple[Path, Path]:
        paper = write_paper(tmp_path)
        return paper, write_recording(tmp_path / "recording", paper, answers)

    return make


@pytest.fixture
def replay(tmp_path: Path, backend: str, scripted):
    """Run the whole pipeline on scripted answers in a real sandbox."""

    async def start(answers: Mapping[tuple[str, str], str], **settings: object) -> RunResult:
        paper, recording = scripted(answers)
        quick = {"mutants": 0, "full_seconds": 0}
        chosen = Settings.model_validate(
            {"replay": recording, "runs_dir": tmp_path / "runs", "backend": backend, **quick} | settings
        )
        return await implement(paper, chosen)

    return start


@pytest.fixture(scope="session")
def before_claims(tmp_path_factory: pytest.TempPathFactory, backend: str) -> Path:
    """A run with claims that was killed once its repository was verified; not to be changed."""
    return start(tmp_path_factory.mktemp("claims"), backend)


@pytest.fixture(scope="session")
def after_claims(before_claims: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run at its end; not to be changed."""
    run = copied(before_claims, tmp_path_factory.mktemp("claims"))
    finish(run)
    return run
