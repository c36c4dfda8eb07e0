"""What is installed from a wheel does the demo's work, in a folder where nothing of the source tree is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.index, pytest.mark.timeout(1500)]


def run(*words: str | Path, cwd: Path = ROOT) -> str:
    env = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "AGENTSYS_", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        [*map(str, words)], cwd=cwd, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_a_wheel_in_an_empty_environment_replays_the_demo_to_verified(tmp_path: Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    run(uv, "build", "--wheel", "--out-dir", tmp_path / "dist", ROOT)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    run(uv, "venv", "--python", sys.executable, tmp_path / "venv")
    run(uv, "pip", "install", "--python", tmp_path / "venv" / "bin" / "python", wheel)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    program = tmp_path / "venv" / "bin" / "agentsys"
    folder = run(program, "demo", "--folder", cwd=elsewhere).strip()
    assert Path(folder).is_relative_to(tmp_path / "venv")
    assert run(program, "demo", cwd=elsewhere).startswith("verified: every check passed")
