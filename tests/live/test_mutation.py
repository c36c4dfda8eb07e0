"""Faults planted for real: a repository's own tests notice them, or do not, in each sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.verify.checks.base import Bench
from agentsys.verify.checks.install import check_install
from agentsys.verify.checks.pytests import check_pytest
from agentsys.verify.fidelity.evidence import read_tests
from agentsys.verify.fidelity.mutation import sample_faults
from agentsys.verify.fidelity.mutation_report import MutationReport
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import Limits, SandboxSpec
from live.sandboxes import Place
from unit.verify.tiny import GREEN, PLAN, job, write_repo

pytestmark = pytest.mark.index
CORE = PLAN.model_copy(
    update={"requirements": tuple(row.model_copy(update={"kind": "loss"}) for row in PLAN.requirements)}
)
LOOP = "def mean(x: list[float]) -> float:\n    total, i = 0.0, 0\n    while i < len(x):\n        total += x[i]\n"
ENDLESS = {**GREEN, "tiny/model.py": f"{LOOP}        i += 1\n    return total / len(x)\n"}
BLIND = {**GREEN, "tests/test_model.py": GREEN["tests/test_model.py"].replace("== 2.0", "!= 77.0")}


async def check(place: Place, repo: Path, out: Path, count: int) -> MutationReport:
    spec = SandboxSpec(run=place.run, limits=Limits(memory=1 << 30, ttl=600.0), allow_weak=place.backend == "bwrap")
    async with open_sandbox(spec, place.backend) as sandbox:
        bench = Bench(sandbox, job(repo, out, plan=CORE, timeout=120))
        await bench.place_repo()
        await check_install(bench)
        await check_pytest(bench)
        tests = read_tests((out / "tests.json").read_bytes())
        assert tests is not None
        return await sample_faults(bench, tests, count)


async def test_good_tests_notice_planted_faults(place: Place, tmp_path: Path) -> None:
    repo = write_repo(tmp_path / "repo", GREEN)
    report = await check(place, repo, tmp_path / "rounds", 4)
    assert report.mutants and report.share == 1.0, report
    assert {item.by for item in report.mutants} == {"tests/test_model.py::test_mean"}
    assert report.backend and not report.note


async def test_blind_tests_notice_nothing(any_place: Place, tmp_path: Path) -> None:
    repo = write_repo(tmp_path / "repo", BLIND)
    report = await check(any_place, repo, tmp_path / "rounds", 2)
    assert report.mutants and report.share == 0.0, report


@pytest.mark.slow
async def test_a_loop_that_no_longer_ends_is_noticed_by_the_time_limit(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentsys.verify.fidelity.trials.SPARE", 1.0)
    repo = write_repo(tmp_path / "repo", ENDLESS)
    report = await check(place, repo, tmp_path / "rounds", 40)
    (endless,) = [item for item in report.mutants if item.before == "i += 1"]
    assert (endless.state, endless.by) == ("caught", "time limit")
    assert report.count("not_run") == 0
