"""`agentsys sandbox` and `agentsys doctor --live` against the places that are on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from live.sandboxes import Place, need


def agentsys(*args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AGENTSYS_M")}
    return subprocess.run(
        [sys.executable, "-m", "agentsys", *args],
        cwd=cwd,
        env=kept | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.parametrize(
    "backend", [pytest.param("docker", marks=pytest.mark.docker), pytest.param("bwrap", marks=pytest.mark.bwrap)]
)
def test_check_runs_code_and_lists_what_is_effective(backend: str, tmp_path: Path) -> None:
    need(backend)
    done = agentsys("sandbox", "check", "--sandbox", backend, "--json", cwd=tmp_path)
    rows = {row["check"].strip(): row for row in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows["sandbox runs code"]["detail"].startswith("Python 3.")
    assert rows["no network"]["status"] == "ok"


@pytest.mark.docker
def test_doctor_live_looks_into_the_sandbox(tmp_path: Path) -> None:
    need("docker")
    done = agentsys("doctor", "--live", "--json", cwd=tmp_path)
    rows = {row["check"].strip(): row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == (3 if any(row["status"] == "fail" for row in rows.values()) else 0)
    assert rows["docker engine"]["status"] == rows["no network"]["status"] == "ok"


def test_place_that_is_not_there_is_a_prerequisite_error(tmp_path: Path) -> None:
    socket = tmp_path / "nobody.sock"
    done = agentsys("sandbox", "build", "--sandbox", "docker", cwd=tmp_path, DOCKER_HOST=f"unix://{socket}")
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")
    assert "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.docker
async def test_clean_removes_what_a_killed_run_left_and_leaves_a_living_one_alone(
    engine_place: Place, tmp_path: Path
) -> None:
    script = (
        "import asyncio, os, signal\n"
        "from agentsys_sandbox import SandboxSpec, open_sandbox\n"
        "async def main():\n"
        f"    async with open_sandbox(SandboxSpec(run='{engine_place.run}-dead'), 'docker'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    async with engine_place.open() as living:
        for _ in range(5):  # a sandbox that another test opens in between may be the one that removes what is dead
            await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script], cwd=tmp_path, timeout=120)
            listed = agentsys("sandbox", "clean", "--dry-run", cwd=tmp_path)
            done = agentsys("sandbox", "clean", cwd=tmp_path)
            if f"{engine_place.run}-dead" in done.stdout:
                break
        assert f"{engine_place.run}-dead" in listed.stdout
        assert f"{engine_place.run}-dead" in done.stdout
        assert f"run {engine_place.run}:" not in done.stdout
        assert await living.health()
    again = agentsys("sandbox", "clean", "--dry-run", cwd=tmp_path)
    assert f"{engine_place.run}-dead" not in again.stdout
