"""The end of a run: a map made from evidence, and faults planted once in the verified code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.report.data import collect
from agentsys.report.summary import summary
from agentsys.verify.fidelity.mutation_report import FILE, read_report
from agentsys.verify.fidelity.trials import Trials
from agentsys_sandbox.base import SandboxGone
from scripted.answers import CORE_RIGHT, MAIN, as_json, fenced, first_version

pytestmark = [pytest.mark.index]


@pytest.mark.slow
async def test_planted_faults_and_map_tell_what_the_tests_show(replay, tmp_path: Path):
    from agentsys.core.settings import Settings
    from agentsys.run.pipeline import resume

    result = await replay(first_version(CORE_RIGHT), mutants=3)
    run = result.run
    assert result.record.status == "verified"
    report = read_report(run.rounds / FILE)
    assert report is not None and not report.note
    assert report.count("not_run") == 0 and report.count("caught") >= 2, report
    assert {item.symbol for item in report.mutants} >= {"corrected_means"}
    rows = {row["id"]: row for row in json.loads((run.repo / "paper_map.json").read_text())["requirements"]}
    assert rows["R1"]["evidence"] == "shown" and "tests/test_core.py" in rows["R1"]["tests"][0]
    assert rows["R3"]["evidence"] == "shown" and rows["R3"]["tests"] == []  # by its result: no test runs the experiment
    text = summary(collect(run))
    assert "3 of 3 requirements shown" in text and "planted fault" in text
    before = (run.rounds / FILE).read_bytes()
    settings = Settings(replay=tmp_path / "recording", runs_dir=tmp_path / "runs")
    assert (await resume(run, settings)).record.status == "verified"
    assert (run.rounds / FILE).read_bytes() == before


@pytest.mark.slow
async def test_where_no_fault_could_be_planted_nothing_is_verified(replay, monkeypatch):
    async def broken(*_: object, **__: object) -> object:
        raise SandboxGone("it was removed")

    monkeypatch.setattr(Trials, "run", broken)
    result = await replay(first_version(CORE_RIGHT))
    assert (result.record.status, result.exit_code) == ("config_error", 3)
    assert "it was removed" in result.record.reason


@pytest.mark.slow
async def test_without_a_sample_what_the_check_needs_is_planted_and_a_cheap_full_profile_stands_in_the_report(replay):
    result = await replay(first_version(CORE_RIGHT), mutants=0, full_seconds=60)
    report = read_report(result.run.rounds / FILE)
    assert result.record.status == "verified" and report is not None and report.count("caught") >= 2
    data = collect(result.run)
    assert data.full is not None and data.full.passed
    assert [row.profile for row in data.measured] == ["full"]


@pytest.mark.slow
async def test_a_full_profile_that_fails_is_said_and_leaves_the_run_verified(replay):
    answers = first_version(CORE_RIGHT)
    fails = '    if profile == "full":\n        raise MemoryError("too large")\n'
    broken = MAIN.replace("    config = ", f"{fails}    config = ", 1)
    answers["coder", "runmean/main.py"] = fenced(broken)
    result = await replay(answers, full_seconds=60)
    data = collect(result.run)
    assert (result.record.status, result.exit_code) == ("verified", 0)
    assert data.full is None and "too large" in data.reproductions[0].reason


@pytest.mark.slow
async def test_a_full_profile_of_the_same_scale_is_not_run_again(replay):
    answers = first_version(CORE_RIGHT)
    config = {"b": 0.9, "length": 10}
    answers["planner", "config"] = as_json({"config_full": config, "config_smoke": config})
    result = await replay(answers, full_seconds=60)
    assert not list(result.run.reproductions.glob("*"))
