"""The end of a run: a map made from evidence, and faults planted once in the verified code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.artifacts import Verdict
from agentsys.report.data import collect
from agentsys.report.summary import summary
from agentsys.verify.fidelity import mutation
from agentsys.verify.fidelity.mutation_report import FILE, read_report
from agentsys_sandbox.base import SandboxGone
from scripted.answers import CORE_RIGHT, first_version

pytestmark = [pytest.mark.index]


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


async def test_a_sandbox_that_fails_under_planted_faults_leaves_the_verdict_alone(replay, monkeypatch):
    async def broken(*_: object, **__: object) -> object:
        raise SandboxGone("it was removed")

    monkeypatch.setattr(mutation, "_try", broken)
    result = await replay(first_version(CORE_RIGHT), mutants=3)
    run = result.run
    assert result.record.status == "verified"
    assert Verdict.model_validate_json((run.rounds / "replay" / "verdict.json").read_bytes()).passed
    report = read_report(run.rounds / FILE)
    assert report is not None and report.count("not_run") == 3 and report.share is None
    assert "it was removed" in summary(collect(run))


async def test_no_fault_is_planted_where_none_is_asked_for(replay):
    result = await replay(first_version(CORE_RIGHT), mutants=0)
    assert result.record.status == "verified" and not (result.run.rounds / FILE).exists()
