"""What a repair could not have touched is taken over from an earlier round, with its evidence, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agentsys.core.artifacts import Check, Plan, Verdict
from agentsys.verify.checks.base import Found, Job
from agentsys.verify.run import verify
from agentsys_sandbox.fake import FakeSandbox
from agentsys_sandbox.spec import Outcome
from unit.verify.scripted import Twist, ends, scripted, stage_of
from unit.verify.tiny import GREEN, MODEL, PLAN, RUN, TEST, job, write_repo

pytestmark = pytest.mark.usefixtures("no_waiting")
AUDIT = Found(Check(name="audit", state="passed", note="0 findings"))
TAKEN = ("smoke", "results", "dependence")
REPAIRED = {"tests/test_model.py": TEST.replace("2.0", "4.0 / 2.0")}


class Bed:
    """The rounds of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.last: FakeSandbox | None = None

    def job(self, number: int, changed: dict[str, str], plan: Plan = PLAN) -> Job:
        repo = write_repo(self.root / f"repo-{number}", {**GREEN, **changed})
        return replace(job(repo, self.root / f"rounds/{number:02d}", plan=plan), round=number)

    async def verify(self, wanted: Job, **twists: Twist) -> Verdict:
        def make() -> FakeSandbox:
            self.last = scripted(twists)
            return self.last

        return await verify(wanted, make, AUDIT)

    @property
    def runs(self) -> int:
        assert self.last is not None
        return sum(stage_of(call) == "smoke" for call in self.last.calls)


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


async def test_after_a_changed_test_the_tests_run_again_and_the_profile_does_not(bed: Bed) -> None:
    first = await bed.verify(bed.job(1, {}))
    assert first.passed and bed.runs > 1
    second = await bed.verify(bed.job(2, REPAIRED))
    assert second.passed and bed.runs == 0 and second.wrote == first.wrote
    assert {"install", "pyright", "pytest", "faults"} <= {stage_of(call) for call in bed.last.calls}  # type: ignore[union-attr]
    for check in second.checks:
        assert ("as in round 1" in check.note) == (check.name in (*TAKEN, "pyright"))
    names = ("run.log", "results.json", "health.log", "dependence.json", "dependence.log")
    assert all(
        (bed.root / "rounds/02" / name).read_bytes() == (bed.root / "rounds/01" / name).read_bytes() for name in names
    )
    logs = {check.log for check in second.checks if check.name in TAKEN}
    assert logs == {"rounds/02/run.log", "rounds/02/results.json", "rounds/02/dependence.json"}


async def test_what_was_taken_over_can_be_taken_over_once_more(bed: Bed) -> None:
    await bed.verify(bed.job(1, {}))
    await bed.verify(bed.job(2, REPAIRED))
    third = await bed.verify(bed.job(3, {"tests/test_model.py": TEST.replace("3.0", "5.0").replace("2.0", "3.0")}))
    assert third.passed and bed.runs == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"tiny/model.py": MODEL + "\n\nUNUSED = 1\n"},
        {"configs/smoke.yaml": "a: 1\n"},
        {"requirements.txt": "pytest>=8\n"},
        {"reproduce.sh": GREEN["reproduce.sh"] + "true\n"},
    ],
)
async def test_where_anything_changed_that_the_run_can_read_it_runs_again(bed: Bed, changed: dict[str, str]) -> None:
    await bed.verify(bed.job(1, {}))
    assert (await bed.verify(bed.job(2, changed))).passed and bed.runs > 1


@pytest.mark.parametrize(
    "changed",
    [
        {"tiny/run.py": RUN + '\nNAME = "tests/test_model.py"\n'},
        {"tiny/run.py": RUN + "\nimport tests.test_model\n"},
        {"tiny/run.py": RUN + '\nFILES = list(Path(".").rglob("*.py"))\n'},
        {"tiny/run.py": RUN + "\nimport subprocess\n"},
        {"reproduce.sh": GREEN["reproduce.sh"] + "git status\n"},
        {"reproduce.sh": GREEN["reproduce.sh"] + "cat */*.py > all.txt\n"},
    ],
)
async def test_a_program_that_may_read_its_tests_runs_again_when_they_change(bed: Bed, changed: dict[str, str]) -> None:
    await bed.verify(bed.job(1, changed))
    assert (await bed.verify(bed.job(2, {**changed, **REPAIRED}))).passed and bed.runs > 1


async def test_what_failed_is_not_taken_over(bed: Bed) -> None:
    first = await bed.verify(bed.job(1, {}), smoke=ends(Outcome.NONZERO, 1))
    assert not first.passed
    second = await bed.verify(bed.job(2, REPAIRED))
    assert second.passed and bed.runs > 1


async def test_another_plan_takes_over_nothing(bed: Bed) -> None:
    await bed.verify(bed.job(1, {}))
    plan = PLAN.model_copy(update={"expected": PLAN.expected[:1]})
    assert (await bed.verify(bed.job(2, REPAIRED, plan))).passed and bed.runs > 1


async def test_a_replay_takes_over_nothing(bed: Bed) -> None:
    first = bed.job(1, {})
    await bed.verify(first)
    again = replace(bed.job(2, {}), stage="replay", out=bed.root / "rounds/replay", earlier=first.out)
    assert (await bed.verify(again)).passed and bed.runs == 1
