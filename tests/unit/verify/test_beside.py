"""Checks that run at the same time, in two sandboxes: the same verdict, and nothing left behind. They are scripted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agentsys.core.artifacts import Check, Verdict
from agentsys.core.events import EventLog
from agentsys.verify import run
from agentsys.verify.checks.base import Found
from agentsys.verify.checks.beside import SPARE, two_fit
from agentsys.verify.run import verify
from agentsys_sandbox.fake import FakeSandbox
from agentsys_sandbox.spec import Outcome
from unit.verify.scripted import Twist, ends, gone, scripted, stage_of
from unit.verify.tiny import GREEN, job, write_repo

pytestmark = pytest.mark.usefixtures("no_waiting")
AUDIT = Found(Check(name="audit", state="passed", note="0 findings"))
SECOND = {"install", "pyright", "faults"}


class Bed:
    """A repository, and the sandboxes that its verification opened."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.made: list[FakeSandbox] = []

    async def verify(self, *, two: bool, **twists: Twist) -> Verdict:
        def make() -> FakeSandbox:
            self.made.append(scripted(twists))
            return self.made[-1]

        repo = write_repo(self.root / f"repo-{two}", GREEN)
        wanted = job(repo, self.root / f"rounds-{two}/01", events=EventLog(None, "test"))
        return await verify(replace(wanted, two_sandboxes=two), make, AUDIT)

    def stages(self, number: int) -> set[str]:
        return {stage_of(call) for call in self.made[number].calls}


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def told(verdict: Verdict) -> object:
    return [(check.name, check.state, check.note) for check in verdict.checks if check.name != "dependence"]


async def test_the_verdict_is_the_one_of_a_single_sandbox(bed: Bed) -> None:
    one, two = await bed.verify(two=False), await bed.verify(two=True)
    assert one.passed and two.passed and told(one) == told(two)
    assert bed.stages(1) == {"install", "imports", "pytest", "smoke"} and bed.stages(2) == SECOND


async def test_a_fault_that_the_second_sandbox_finds_fails_the_verdict(bed: Bed) -> None:
    verdict = await bed.verify(two=True, pyright=ends(Outcome.TIMEOUT))
    states = {check.name: check.state for check in verdict.checks}
    assert states["pyright"] == "failed" and states["pytest"] == "passed" and states["smoke"] == "passed"
    assert states["faults"] == states["dependence"] == "not_run" and not verdict.passed


@pytest.mark.parametrize("stage", ["pyright", "pytest", "faults"])
async def test_a_sandbox_that_dies_is_nobodys_fault_and_leaves_none_open(bed: Bed, stage: str) -> None:
    verdict = await bed.verify(two=True, **{stage: gone})
    assert "removed" in verdict.infra and not verdict.diagnostics and len(bed.made) >= run.ATTEMPTS
    assert not any(sandbox.open for sandbox in bed.made)


async def test_a_second_sandbox_that_cannot_be_installed_is_nobodys_fault(bed: Bed) -> None:
    def make(number: int = 0) -> FakeSandbox:
        bed.made.append(scripted({"install": ends(Outcome.NONZERO, 1, b"broken")} if len(bed.made) % 2 else {}))
        return bed.made[-1]

    wanted = job(write_repo(bed.root / "repo", GREEN), bed.root / "rounds/01", events=EventLog(None, "test"))
    verdict = await verify(replace(wanted, two_sandboxes=True), make, AUDIT)
    assert "second sandbox" in verdict.infra and not any(sandbox.open for sandbox in bed.made)


def test_two_sandboxes_are_used_only_where_the_machine_holds_both(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": (2 * (4 << 30) + SPARE) // 4096}
    monkeypatch.setattr("os.sysconf", pages.__getitem__)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    assert two_fit(4 << 30) and not two_fit((4 << 30) + 4096)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    assert not two_fit(1 << 30)
