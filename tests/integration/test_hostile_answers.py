"""Answers of a hostile model change nothing outside the repository. Scripted answers; no sandbox is needed."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import pytest

from agentsys.core.settings import Settings
from agentsys.run.pipeline import implement
from scripted.answers import CORE_RIGHT, DESIGN, as_json, first_version
from scripted.recording import write_paper, write_recording

HOSTILE = [
    "/tmp/agentsys-canary/evil.py",
    "../../../evil.py",
    "runmean/../../evil.py",
    ".git/hooks/post-commit",
    ".GIT/config",
    "runmean/.git/config",
    ".gitmodules",
    "CON.py",
    "nul",
    "runmean/" + "a" * 300 + ".py",
    "runmean/\udcff.py",
    "runmean/a\x00b.py",
    "runmean/a\nb.py",
    "~/evil.py",
    "C:\\evil.py",
    "-rf",
    "runmean/trailing. ",
]


def design_with(path: str) -> str:
    design = copy.deepcopy(DESIGN)
    design["files"].append({"path": path, "kind": "source", "purpose": "evil", "requirements": ["R1"]})  # type: ignore[attr-defined]
    return as_json(design)


def listing(folder: Path) -> dict[str, str]:
    """Every file below a folder with the hash of its content."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink()
    }


@pytest.mark.parametrize("path", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_path_in_the_plan_is_refused_and_asked_again(tmp_path: Path, path: str):
    home = tmp_path / "outside"
    home.mkdir()
    (home / "canary").write_text("untouched")
    before = listing(home)
    paper = write_paper(tmp_path)
    answers: dict[tuple[str, ...], str] = dict(first_version(CORE_RIGHT))
    answers["planner", "design", "2"] = answers["planner", "design"]
    answers["planner", "design"] = design_with(path)
    recording = write_recording(tmp_path / "recording", paper, answers)
    result = await implement(paper, Settings(replay=recording, runs_dir=home / "runs", stop_after="code"))
    written = listing(home)
    repo = result.run.repo.relative_to(home).as_posix()
    assert {name: digest for name, digest in written.items() if not name.startswith("runs/")} == before
    assert "asked to stop after the code" in result.record.reason
    wanted = {
        "runmean/core.py",
        "runmean/main.py",
        "runmean/__init__.py",
        "tests/test_core.py",
        "reproduce.sh",
        "README.md",
    }
    tooling = {"configs/full.yaml", "configs/smoke.yaml", "requirements.txt", ".gitignore", "status.json"}
    inside = {name.removeprefix(repo + "/") for name in written if name.startswith(repo + "/")}
    assert {name for name in inside if not name.startswith(".git/")} == wanted | tooling
    assert not Path("/tmp/agentsys-canary").exists()


async def test_a_model_that_insists_ends_as_a_provider_error_with_everything_kept(tmp_path: Path):
    paper = write_paper(tmp_path)
    answers: dict[tuple[str, ...], str] = dict(first_version(CORE_RIGHT))
    for attempt in ("1", "2", "3"):
        answers["planner", "design", attempt] = design_with("../evil.py")
    recording = write_recording(tmp_path / "recording", paper, answers)
    result = await implement(paper, Settings(replay=recording, runs_dir=tmp_path / "runs"))
    assert (result.record.status, result.exit_code) == ("provider_error", 4)
    assert "planner" in result.record.reason and "design" in result.record.reason
    # judge, both halves of the ledger, and three tries of the design
    assert result.record.usage.completion == 10 * 7
    assert (result.run.path / "report.md").is_file()
    assert not (tmp_path / "evil.py").exists() and not (tmp_path / "runs" / "evil.py").exists()
