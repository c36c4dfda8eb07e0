"""A release builds offline from its wheels and runs its smoke profile without network, rights or a writable disk."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentsys.cli.app import main
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord
from agentsys_policies.engine import Policy
from agentsys_policies.record import AuditRecord
from benchmarks.truth import run_case
from benchmarks.truth_cases import honest_cases

pytestmark = [pytest.mark.docker, pytest.mark.index]

PROGRAM = """import json
import os
import socket
import sys
from pathlib import Path

import six

found = {"profile": sys.argv[1], "six": six.__version__, "uid": os.getuid(), "network": True, "writable": True}
try:
    socket.create_connection(("192.0.2.1", 80), timeout=1)
except OSError:
    found["network"] = False
try:
    (Path(os.__file__).parent / "new").write_text("x")
except OSError:
    found["writable"] = False
Path("results").mkdir(exist_ok=True)
Path("results/results.json").write_text(json.dumps(found))
"""


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def base() -> str:
    """An image of this machine with Python and bash; the registry is not asked."""
    try:
        images = docker("images", "agentsys-sandbox", "--format", "{{.Repository}}:{{.Tag}}").split()
    except (FileNotFoundError, AssertionError):
        pytest.skip("needs a Docker engine that answers")
    if not images:
        pytest.skip("needs the sandbox's image; `agentsys sandbox build` makes it")
    return images[0]


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "runs" / "2026-01-01-live-release-1a2b")
    (run.rounds / "01").mkdir(parents=True)
    run.write(RunRecord(id=run.path.name, status="verified", exit_code=0, replayed=True, title="Live release test"))
    run.repo.mkdir()
    (run.repo / "run.py").write_text(PROGRAM)
    (run.repo / "reproduce.sh").write_text('set -eu\npython run.py "$1"\n')
    (run.repo / "requirements.lock").write_text("six==1.17.0\n")
    (run.rounds / "01" / "packages.json").write_text('[{"name": "six", "version": "1.17.0"}]')
    AuditRecord(run.audit).append(Policy.load().audit_code(run.repo))
    return run


@pytest.fixture
def volume() -> Iterator[str]:
    name = "agentsys-live-release-results"
    yield name
    subprocess.run(["docker", "volume", "rm", "--force", name], capture_output=True, timeout=60, check=False)


def test_a_release_builds_and_runs_its_smoke_profile(run: RunDir, base: str, volume: str, tmp_path: Path) -> None:
    out = tmp_path / "release"
    with pytest.raises(SystemExit) as end:
        main(["release", str(run.path), "--out", str(out), "--wheels", "--build", "--base", base])
    assert not end.value.code
    head = json.loads((out / "audit" / "head.json").read_text())["head"]
    image = f"live-release-test:{head[:12]}"
    try:
        labels = json.loads(docker("inspect", image, "--format", "{{json .Config.Labels}}"))
        assert labels["org.agentsys.audit.head"] == head
        limits = ["--read-only", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        limits += ["--user", "10001:10001", "--pids-limit", "512", "--memory", "512m"]
        limits += ["--tmpfs", "/tmp:size=256m,mode=1777", "--volume", f"{volume}:/results"]
        docker("run", "--rm", *limits, image, "smoke")
        text = docker(
            "run",
            "--rm",
            "--network",
            "none",
            "--volume",
            f"{volume}:/results",
            "--entrypoint",
            "cat",
            image,
            "/results/results.json",
        )
    finally:
        docker("rmi", "--force", image)
    found = json.loads(text)
    assert found == {"profile": "smoke", "six": "1.17.0", "uid": 10001, "network": False, "writable": False}


def compose() -> list[str]:
    """The command of whichever compose is installed here."""
    for command in (["docker", "compose"], ["docker-compose"]):
        try:
            if subprocess.run([*command, "version"], capture_output=True, timeout=60, check=False).returncode == 0:
                return command
        except FileNotFoundError:
            continue
    pytest.skip("needs `docker compose` or `docker-compose`")


def up(folder: Path) -> tuple[int, str]:
    """Build and run a release as its README says; return the program's exit code and what it printed.

    Both are asked of the engine: an old compose may miss the end and the words of a program that ends at once.
    """
    project = [*compose(), "--project-name", "agentsys-live-release"]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*project, *words], cwd=folder, capture_output=True, text=True, timeout=900, check=False)

    try:
        done = run("up", "--build", "--abort-on-container-exit")
        (container,) = run("ps", "--all", "--quiet").stdout.split() or [""]
        assert container, done.stdout + done.stderr
        assert docker("inspect", container, "--format", "{{.State.Status}}").strip() == "exited"
        code = int(docker("inspect", container, "--format", "{{.State.ExitCode}}"))
        said = subprocess.run(["docker", "logs", container], capture_output=True, text=True, timeout=60, check=True)
        return done.returncode or code, said.stdout + said.stderr
    finally:
        down = [*project, "down", "--volumes", "--rmi", "all"]
        subprocess.run(down, cwd=folder, capture_output=True, timeout=300, check=False)


@pytest.mark.slow
def test_compose_up_runs_the_smoke_profile_of_a_release(run: RunDir, base: str, tmp_path: Path) -> None:
    out = tmp_path / "release"
    with pytest.raises(SystemExit) as end:
        main(["release", str(run.path), "--out", str(out), "--wheels", "--base", base])
    assert not end.value.code
    code, text = up(out)
    assert code == 0, text


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_the_release_of_the_examples_run_does_its_smoke_run_under_compose(base: str, tmp_path: Path) -> None:
    from agentsys.core.settings import Settings
    from agentsys.run.pipeline import implement

    example = Path(__file__).resolve().parents[2] / "examples" / "dc-svrg"
    settings = Settings(replay=example / "recording", runs_dir=tmp_path / "runs")
    result = await implement(example / "paper.pdf", settings)
    assert result.record.status == "verified"
    out = tmp_path / "release"
    with pytest.raises(SystemExit) as end:
        main(["release", str(result.run.path), "--out", str(out), "--wheels", "--base", base])
    assert not end.value.code
    code, text = up(out)
    assert code == 0, text
    assert "dcsvrg" in text


@pytest.mark.slow
@pytest.mark.index
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", [case.name for case in honest_cases()])
def test_what_is_verified_can_be_released_and_does_its_smoke_run_from_the_release_alone(
    name: str, base: str, tmp_path: Path
) -> None:
    case = next(case for case in honest_cases() if case.name == name)
    assert run_case(case, tmp_path, "docker").code == 0
    out = tmp_path / "release"
    latest = tmp_path / "runs" / "latest"
    with pytest.raises(SystemExit) as end:
        main(["release", str(latest), "--out", str(out), "--wheels", "--base", base])
    assert not end.value.code
    code, text = up(out)
    assert code == 0, text
