"""The smoke profile has its own limit of time, and says how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from agentsys.core.artifacts import Check, Verdict
from agentsys.plan.rules import SMOKE_SECONDS
from agentsys.verify import run
from agentsys.verify.checks.base import LOADED
from agentsys_sandbox.fake import Call, FakeSandbox, Files, passed
from agentsys_sandbox.spec import ExecResult, Outcome
from unit.verify.scripted import RESULTS, SOUND, Twist, scripted
from unit.verify.test_run import AUDIT, Bed
from unit.verify.tiny import GREEN, job, write_repo


def takes(seconds: float, cpu: float | None = None) -> Twist:
    def twist(call: Call, files: Files) -> ExecResult:
        files[RESULTS] = SOUND
        return replace(passed(), seconds=seconds, cpu_seconds=cpu)

    return twist


def smoke(verdict: Verdict) -> Check:
    return next(check for check in verdict.checks if check.name == "smoke")


class Timed(FakeSandbox):
    """Notes the budget, and the limit on the clock, of the first call of each program."""

    limits: ClassVar[dict[str, tuple[float, float]]] = {}

    async def exec(self, argv: Sequence[str], **options: Any) -> ExecResult:
        self.limits.setdefault(argv[0], (options["budget"], options["timeout"]))
        return await super().exec(argv, **options)


async def limit_of(bed: Bed, timeout: float, profile: str) -> tuple[float, float]:
    Timed.limits.clear()

    def factory() -> FakeSandbox:
        sandbox = scripted()
        sandbox.__class__ = Timed
        return sandbox

    await run.verify(job(bed.repo, bed.out, timeout=timeout, profile=profile), factory, AUDIT)
    return Timed.limits["bash"]


@pytest.mark.parametrize(
    ("timeout", "profile", "limit"), [(1200, "smoke", 180), (100, "smoke", 100), (7200, "full", 7200)]
)
async def test_the_smoke_profile_has_three_times_the_processor_time_that_is_asked_and_far_more_on_the_clock(
    tmp_path: Path, timeout: float, profile: str, limit: float
) -> None:
    assert await limit_of(Bed(tmp_path), timeout, profile) == (limit, LOADED * limit)


@pytest.mark.parametrize(
    ("seconds", "cpu", "said"),
    [
        (3.21, None, "and ended after 3.2 s"),
        (240.0, None, "and ended after 240.0 s, over the 60 s asked"),
        (240.0, 15.5, "and ended after 240.0 s (15.5 CPU s)"),
    ],
)
async def test_the_note_always_says_the_seconds_and_whether_it_was_asked_for_less(
    tmp_path: Path, seconds: float, cpu: float | None, said: str
) -> None:
    verdict = await Bed(tmp_path).twisted(smoke=takes(seconds, cpu))
    assert verdict.passed and smoke(verdict).note.endswith(said) and SMOKE_SECONDS == 60


async def test_a_smoke_run_that_is_stopped_says_seconds_limit_and_remedy(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    write_repo(bed.repo, {**GREEN, "configs/smoke.yaml": "steps: 1000000\n"})
    stopped = ExecResult(Outcome.TIMEOUT, None, b"step 1\n", b"", 360.2, message="stopped after 720 CPU seconds")
    verdict = await bed.twisted(smoke=lambda call, files: stopped)
    (found,) = verdict.diagnostics
    assert (found.kind, found.check, found.path) == ("timeout", "smoke", "configs/smoke.yaml")
    for words in ("stopped after 720 CPU seconds", "within 60 s", "smaller shapes", "configs/smoke.yaml"):
        assert words in found.message
    assert "over the 60 s asked" in smoke(verdict).note


@pytest.mark.parametrize(("load", "busy"), [(10.0, True), (0.5, False)])
async def test_a_run_that_a_busy_machine_kept_from_its_processor_time_is_not_held_against_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: float, busy: bool
) -> None:
    monkeypatch.setattr("agentsys.verify.checks.base.os.getloadavg", lambda: (load, load, load))
    monkeypatch.setattr("agentsys.verify.checks.base.os.cpu_count", lambda: 2)
    starved = ExecResult(Outcome.TIMEOUT, None, b"", b"", LOADED * 360.0, cpu_seconds=40, message="got 40")
    verdict = await Bed(tmp_path).twisted(smoke=lambda call, files: starved)
    assert not verdict.passed
    assert (smoke(verdict).state == "failed") is not busy
    assert [found.kind for found in verdict.diagnostics] == ([] if busy else ["timeout"])


async def test_a_syntax_error_of_the_script_is_read_with_its_line(tmp_path: Path) -> None:
    said = b"reproduce.sh: line 7: syntax error near unexpected token `done'\n"
    failed = ExecResult(Outcome.NONZERO, 2, b"", said, 0.1)
    (found,) = (await Bed(tmp_path).twisted(smoke=lambda call, files: failed)).diagnostics
    assert (found.kind, found.line) == ("syntax", 7)
