"""What engines say and ask: Slurm's words by programs that stand in for its own, drivers, the environment of a task."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from agentsys.core.errors import PrerequisiteError, SandboxUnavailable, UsageError
from agentsys.core.rundir import process_start
from agentsys.core.settings import Settings
from agentsys.run.jobs.builds import difference, pins
from agentsys.run.jobs.engine import ENGINES, Need, load
from agentsys.run.jobs.fitting import oldest_driver
from agentsys.run.jobs.gpu import driver_fault
from agentsys.run.jobs.local import LocalEngine
from agentsys.run.jobs.node import backend_here
from agentsys.run.jobs.onray import RayEngine
from agentsys.run.jobs.part import begin, parts_in
from agentsys.run.jobs.slurm import SlurmEngine
from agentsys.run.jobs.submitting import without_secrets
from agentsys.run.reproduce import Order, reproduce
from agentsys_sandbox import backends
from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.errors import Unavailable
from agentsys_sandbox.packages.lock import Row
from unit.verify.delivered import FILES, deliver

NEED = Need(cpus=1, memory_mb=512, seconds=60)


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `squeue` that prints what lies in a file, and ends as another says."""
    script = '#!/bin/sh\ncat "$0.out"; cat "$0.err" >&2; exit $(cat "$0.rc")\n'
    file = tmp_path / "squeue"
    file.write_text(script)
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return file


def answer(file: Path, out: str = "", err: str = "", code: int = 0) -> None:
    for name, text in (("out", out), ("err", err), ("rc", str(code))):
        file.with_name(f"{file.name}.{name}").write_text(text)


def states(*ids: str) -> list[tuple[str, str]]:
    return [(seen.state, seen.why) for seen in SlurmEngine().states(ids)]


def test_slurms_states_are_waiting_running_or_ended_and_a_job_it_has_forgotten_has_ended(says: Path) -> None:
    answer(says, "7_0|PENDING\n7_1|RUNNING\n7_2|TIMEOUT\n7_3|NODE_FAIL\n7_4|REQUEUED\n")
    found = states("7_0", "7_1", "7_2", "7_3", "7_4", "7_5")
    assert [state for state, _ in found] == ["waiting", "running", "ended", "ended", "waiting", "ended"]
    assert found[2][1] == "TIMEOUT" and "no longer knows" in found[5][1]
    answer(says, err="slurm_load_jobs error: Invalid job id specified\n", code=1)
    assert states("7_0")[0][0] == "ended"


def test_a_controller_that_does_not_answer_ends_nothing(says: Path) -> None:
    answer(says, err="slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n", code=1)
    assert [state for state, _ in states("7_0", "7_1")] == ["unknown", "unknown"]
    with pytest.raises(PrerequisiteError, match="Unable to contact"):
        SlurmEngine().find("agentsys-x")


def test_tasks_of_a_submission_are_found_by_its_name_in_their_order(says: Path) -> None:
    answer(says, "7_10\n7_2\n7_0\n")
    assert SlurmEngine().find("agentsys-x") == ("7_0", "7_2", "7_10")


@pytest.mark.parametrize(
    "asked", [{"array": "0-9"}, {"export": "ALL"}, {"Bad Name": "x"}, {"account": "a\n#SBATCH -x"}]
)
def test_what_would_change_the_script_itself_cannot_be_asked(asked: dict[str, str], tmp_path: Path, says: Path) -> None:
    (tmp_path / "sbatch").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    with pytest.raises(PrerequisiteError, match="cannot be asked"):
        SlurmEngine().submit(tmp_path, "x", 0, 1, NEED.model_copy(update={"asked": asked}))


def test_without_slurm_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrerequisiteError, match="no `sbatch`"):
        SlurmEngine().submit(tmp_path, "x", 0, 1, NEED)


def test_without_ray_the_extra_is_named_and_what_ray_does_not_have_cannot_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = RayEngine()
    for changes, why in (({"partition": "gpu"}, "no partitions"), ({"asked": {"account": "me"}}, "no quantity")):
        with pytest.raises(PrerequisiteError, match=why):
            engine.submit(tmp_path, "x", 0, 1, NEED.model_copy(update=changes))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PrerequisiteError) as caught:
        engine.submit(tmp_path, "x", 0, 1, NEED)
    assert "agentsys[ray]" in caught.value.hint and caught.value.exit_code == 3
    assert [seen.state for seen in engine.states(["x:0", "x:1"])] == ["unknown", "unknown"]


def test_every_row_of_the_table_is_an_engine_and_another_name_is_refused() -> None:
    for name in ENGINES:
        engine = load(name)
        assert callable(engine.submit) and isinstance(engine.offline, bool)
    with pytest.raises(UsageError, match="no engine `cloud`"):
        load("cloud")


def test_keys_of_models_are_not_in_the_environment_that_a_task_inherits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("LC_ALL", "C")
    with without_secrets():
        assert "OPENAI_API_KEY" not in os.environ and "PATH" in os.environ and os.environ["LC_ALL"] == "C"
    assert os.environ["OPENAI_API_KEY"] == "sk-1"


def row(name: str, version: str) -> Row:
    return Row(name, version, ("0" * 64,))


CUDA12 = (row("numpy", "2.1.0"), row("nvidia-cuda-runtime-cu12", "12.8.90"), row("torch", "2.8.0"))
CUDA13 = (row("nvidia-cuda-runtime", "13.0.48"), row("torch", "2.11.0"))


@pytest.mark.parametrize(
    ("said", "rows", "fault"),
    [
        ("570.124.06, NVIDIA H100\n", CUDA12, ""),
        ("525.60.13, Tesla V100\n525.60.13, Tesla V100\n", CUDA12, ""),
        ("470.82.01, Tesla K80\n", CUDA12, "470.82.01 of this node is too old for CUDA 12"),
        ("570.124.06, NVIDIA H100\n", CUDA13, "takes 580 or newer"),
        ("580.65.06, NVIDIA H100\n", CUDA13, ""),
        ("470.82.01, Tesla V100\n", (row("torch", "2.1.0+cu118"),), ""),
        ("440.33.01, Tesla V100\n", (row("torch", "2.1.0+cu118"),), "too old for CUDA 11"),
        ("570.124.06, NVIDIA H100\n", (row("numpy", "2.1.0"),), ""),
        ("570.124.06, NVIDIA H100\n", (row("torch", "2.8.0+cpu"),), "`torch` is locked as 2.8.0+cpu"),
        ("", CUDA12, "finds none on this node"),
        ("NVIDIA-SMI has failed\n", (), "finds none on this node"),
    ],
)
def test_a_driver_that_is_too_old_for_what_is_locked_is_named(said: str, rows: tuple[Row, ...], fault: str) -> None:
    found = driver_fault(said, rows)
    assert (fault in found) if fault else found == ""


LOCK = f"jaxlib==0.8.0 --hash=sha256:{'0' * 64}\nnvidia-cuda-runtime==13.0.48 --hash=sha256:{'0' * 64}\n"


def test_a_machine_is_asked_for_its_driver_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a program that stands in for `nvidia-smi`; no GPU was seen by these tests."""
    run = deliver(tmp_path, {**FILES, "requirements.lock": LOCK})
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$1" = --query-gpu=driver_version,name ] && cat "$0.out"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    opened: list[object] = []

    def reproduce_here() -> None:
        order = Order("smoke", 60.0, opener=lambda spec: opened.append(spec) or open_fake(spec))
        asyncio.run(reproduce(run, Settings(gpu=True), order))

    program.with_name("nvidia-smi.out").write_text("535.54.03, Tesla V100\n")
    with pytest.raises(SandboxUnavailable, match=r"535\.54\.03 of this node is too old for CUDA 13"):
        reproduce_here()
    assert opened == [] and not run.reproductions.exists()
    program.with_name("nvidia-smi.out").write_text("580.65.06, NVIDIA H100\n")
    with pytest.raises(SandboxUnavailable, match="no sandbox in this test"):
        reproduce_here()
    assert len(opened) == 1


def ended_with(folder: Path, task: int, driver: str) -> None:
    begin(folder, 0, task, "1").end("failed", "the driver is too old", driver=driver)


def test_other_builds_are_for_the_oldest_driver_that_a_task_met_and_only_for_an_older_one_than_before(
    tmp_path: Path,
) -> None:
    for task, driver in enumerate(("570.124.06", "", "535.54.03", "1000.1")):
        ended_with(tmp_path, task, driver)
    parts = parts_in(tmp_path)
    assert oldest_driver(parts, 0, "") == "535.54.03" == oldest_driver(parts, 0, "570.124.06")
    assert (
        oldest_driver(parts, 0, "535.54.03")
        == oldest_driver(parts, 0, "470.82.01")
        == oldest_driver(parts, 1, "")
        == ""
    )


def test_builds_are_left_open_and_versions_are_not() -> None:
    locked = (row("numpy", "2.1.0"), *CUDA12[1:2], row("torch", "2.8.0+cpu"), row("triton", "3.4.0"))
    assert pins(locked) == ("numpy==2.1.0", "torch==2.8.0")
    found = (row("numpy", "2.1.0"), row("nvidia-cuda-runtime-cu12", "12.6.77"), row("torch", "2.8.0+cu126"))
    assert difference(locked, found) == "torch 2.8.0+cu126 in place of 2.8.0+cpu"


def open_fake(_: object) -> Sandbox:
    raise Unavailable("no sandbox in this test")


def test_a_process_of_another_machine_is_not_taken_for_one_that_has_ended() -> None:
    here, other = f"{os.getpid()}:{process_start(os.getpid()):.0f}@{socket.gethostname()}", "1:5@elsewhere"
    engine = LocalEngine()
    assert [seen.state for seen in engine.states([here, other, f"{os.getpid()}:1@{socket.gethostname()}"])] == [
        "running", "unknown", "ended",
    ]  # fmt: skip
    with pytest.raises(PrerequisiteError, match="another machine"):
        engine.cancel([other])


class Absent:
    @classmethod
    def available(cls) -> None:
        raise Unavailable("it is not installed")


class Present:
    @classmethod
    def available(cls) -> None:
        return None


def test_a_node_takes_bubblewrap_then_podman_with_gpus_podman_alone_and_never_docker_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {"bwrap": Present, "podman": Present, "docker": Present}
    monkeypatch.setattr(backends, "load", lambda name: found[name])
    auto, named = Settings(), Settings(backend="docker")
    assert backend_here(auto, offline=True).backend == "bwrap" and backend_here(auto, offline=False) == auto
    assert backend_here(named, offline=True) == named, "what was chosen is not replaced"
    assert backend_here(Settings(gpu=True), offline=True).backend == "podman"
    found["bwrap"] = Absent
    assert backend_here(auto, offline=True).backend == "podman"
    found["podman"] = Absent
    with pytest.raises(SandboxUnavailable, match="nothing to run code in: bwrap: it is not installed; podman"):
        backend_here(auto, offline=True)


RAY = """\
import time


def is_initialized():
    return False


def init(**options):
    time.sleep(600)
"""


def test_a_ray_cluster_that_lets_one_wait_for_ever_is_called_lost_and_holds_up_no_exit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ray.py").write_text(RAY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    monkeypatch.setattr("agentsys.run.jobs.onray.PATIENCE", 12.0)  # as long again is left to start the child
    with pytest.raises(PrerequisiteError, match="lost"):
        RayEngine().find("job")
    monkeypatch.delitem(sys.modules, "ray", raising=False)
