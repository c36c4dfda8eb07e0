"""The report as data for programs, and the files of it in the run directory."""

from __future__ import annotations

import json
from pathlib import Path

from agentsys.core.files import write_atomic
from agentsys.core.rundir import RunDir
from agentsys.report.data import ReportData, RoundData, collect
from agentsys.report.markdown import markdown
from agentsys.report.verdict import effective_status, headline, missing_evidence, next_command


def write_reports(run: RunDir) -> tuple[Path, Path]:
    """Write `report.md` and `report.html` from what lies on disk, and return their paths.

    Call it when run.json holds the final status.
    """
    data = collect(run)
    paths = (run.path / "report.md", run.path / "report.html")
    write_atomic(paths[0], markdown(data))
    write_atomic(paths[1], html(data))
    return paths


def html(data: ReportData) -> str:
    """Return the page of a run as one file; its templates are loaded only here."""
    from agentsys.report.view import onefile

    return onefile.html(data)


def as_json(data: ReportData) -> str:
    """Return the report as one JSON object; keys are added, never renamed."""
    tree: dict[str, object] = {
        "schema_version": 1,
        "status": effective_status(data),
        "headline": headline(data),
        "missing_evidence": missing_evidence(data),
        "next": next_command(data),
        "paths": {"run": str(data.path), "repo": str(data.repo)},
        "record": data.record.model_dump(mode="json"),
        "plan": None if data.plan is None else data.plan.model_dump(mode="json"),
        "rounds": [_round(item) for item in data.rounds],
        "replay": None if data.replay is None else data.replay.model_dump(mode="json"),
        "measured": [row.model_dump(mode="json") for row in data.measured],
        "evidence": None if data.evidence is None else data.evidence.model_dump(mode="json"),
        "mutation": None if data.mutation is None else data.mutation.model_dump(mode="json"),
        "dodges": [item.model_dump(mode="json") for item in data.dodges],
        "claims": [row.model_dump(mode="json") for row in data.claims],
        "paper_scale": data.paper_scale,
        "full_seconds": data.full_seconds,
        "reproductions": [item.model_dump(mode="json") for item in data.reproductions],
        "decisions": [item.model_dump(mode="json") for item in data.decisions],
        "files": [{"path": file.path, "lines": file.lines} for file in data.files],
        "problems": list(data.problems),
    }
    return json.dumps(tree, indent=1, ensure_ascii=False)


def _round(item: RoundData) -> dict[str, object]:
    return {
        "number": item.number,
        "rolled_back": item.rolled_back,
        "verdict": None if item.verdict is None else item.verdict.model_dump(mode="json"),
        "diagnosis": None if item.diagnosis is None else item.diagnosis.model_dump(mode="json"),
        "patch": item.patch,
        "review": None if item.review is None else item.review.model_dump(mode="json"),
    }
