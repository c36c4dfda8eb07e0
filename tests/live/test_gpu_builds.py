"""A repository whose locked PyTorch does not run on a node's driver: another build of it is chosen, run and named.

`nvidia-smi` is a program of the test, and so are PyTorch's packages: no GPU was seen by these tests.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agentsys.core.errors import SandboxUnavailable
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.run.jobs.engine import Need, load
from agentsys.run.jobs.making import Wish, make
from agentsys.run.jobs.steer import advance, look
from agentsys.run.reproduce import Order, reproduce
from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import SandboxSpec
from live.sandboxes import need
from unit.sandbox.packages.pytorch import fill, serving
from unit.sandbox.packages.shelf import Shelf, wheel
from unit.verify.delivered import FILES, deliver

pytestmark = pytest.mark.bwrap
SETTINGS = Settings(backend="bwrap", allow_weak_sandbox=True, cpus=1, memory_mb=1024)
RUN = '''\
import json
from pathlib import Path

import torch


def main() -> None:
    """Say which build was installed."""
    Path("results").mkdir(exist_ok=True)
    health = [{"experiment": "mean", "quantity": "mean", "value": 1.5, "above": 0}]
    data = {"mean": 1.5, "scale": torch.build, "not_attempted": {"large": "none"}, "health": health}
    Path("results/results.json").write_text(json.dumps(data))


if __name__ == "__main__":
    main()
'''


@dataclass
class Machine:
    """A run whose lock has the CPU build, on a machine whose `nvidia-smi` says what the test says."""

    run: RunDir
    program: Path

    def has(self, driver: str) -> None:
        self.program.write_text(f"#!/bin/sh\necho '{driver}, NVIDIA A100'\n")
        self.program.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    need("bwrap")
    shelf = Shelf(tmp_path / "simple")
    numpy = shelf.wheel("numpy", "2.1.0")
    for suffix, version in (("-cu11", "11.8.1"), ("-cu12", "12.8.1"), ("", "13.0.1")):
        name = f"nvidia-cuda-runtime{suffix}"
        shelf.add(name, *wheel(name.replace("-", "_"), version, (), {f"{name}.txt": ""}))
    torch = fill(tmp_path / "pytorch")["cpu"]
    lock = f"numpy==2.1.0 --hash=sha256:{numpy}\ntorch==2.8.0+cpu --hash=sha256:{torch}\n"
    files = {**FILES, "requirements.txt": "torch\n", "requirements.lock": lock, "tiny/run.py": RUN}
    run = deliver(tmp_path / "runs", files)
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    for name in [each for each in os.environ if each.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("UV_DEFAULT_INDEX", shelf.folder.as_uri())
    with serving(tmp_path / "pytorch", tmp_path / "keys") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield Machine(run, program)


def without_gpus(seen: list[SandboxSpec]) -> Callable[[SandboxSpec], Sandbox]:
    """Open what there is on a machine without GPUs."""

    def opened(spec: SandboxSpec) -> Sandbox:
        seen.append(spec)
        return open_sandbox(replace(spec, gpu=False), "bwrap", [])

    return opened


def test_a_locked_cpu_build_gives_way_to_the_one_that_the_driver_runs_and_the_record_says_so(machine: Machine) -> None:
    locked, seen = (machine.run.repo / "requirements.lock").read_bytes(), list[SandboxSpec]()
    machine.has("535.54.03")
    order = Order("smoke", 120.0, opener=without_gpus(seen))
    done = asyncio.run(reproduce(machine.run, SETTINGS.model_copy(update={"gpu": True}), order))
    assert done.record.passed, done.record.reason
    assert done.record.builds == "torch 2.8.0+cu128 in place of 2.8.0+cpu for the driver 535.54.03"
    assert json.loads((done.folder / "results.json").read_text())["scale"] == "cu128"
    assert (machine.run.repo / "requirements.lock").read_bytes() == locked
    assert [spec.gpu for spec in seen] == [False, True] and seen[1].index.driver == "535.54.03"


def test_a_driver_for_which_there_is_no_build_ends_it_before_anything_runs(machine: Machine) -> None:
    machine.has("390.157")
    seen = list[SandboxSpec]()
    with pytest.raises(SandboxUnavailable, match=r"PyTorch has no builds of these versions for the driver 390\.157"):
        order = Order("smoke", 120.0, opener=without_gpus(seen))
        asyncio.run(reproduce(machine.run, SETTINGS.model_copy(update={"gpu": True}), order))
    assert [spec.gpu for spec in seen] == [False] and not list(machine.run.reproductions.glob("*/reproduction.json"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_job_whose_task_meets_another_driver_is_submitted_again_with_builds_for_it(machine: Machine) -> None:
    pytest.importorskip("submitit")
    machine.has("470.82.01")
    engine = load("local")
    wish = Wish("smoke", "local", Need(cpus=1, memory_mb=1024, gpus=1, seconds=600), 120.0)
    place = asyncio.run(make(machine.run, SETTINGS, wish, engine))
    until = time.monotonic() + 800
    while (job := advance(place, engine)).state == "open":
        assert time.monotonic() < until, look(place, engine)
        time.sleep(0.2)
    assert (job.state, len(job.submissions)) == ("done", 2), job.reason
    record = json.loads((place.folder / "reproduction.json").read_text())
    assert record["passed"] and record["builds"] == job.builds
    assert job.builds == "torch 2.8.0+cu118 in place of 2.8.0+cpu for the driver 470.82.01"
    assert json.loads((place.folder / "results.json").read_text())["scale"] == "cu118"
