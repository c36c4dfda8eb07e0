"""Run directories made by hand for the tests of reports: no model, no sandbox and no paper stand behind them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from agentsys.core.artifacts import (
    FIRST_DEMANDED,
    Check,
    CheckState,
    Diagnosis,
    Diagnostic,
    ExpectedResult,
    Experiment,
    FileSpec,
    OpenQuestion,
    PaperPlace,
    Plan,
    Requirement,
    Verdict,
)
from agentsys.core.errors import EXIT_CODES, Status
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord, SettingValue, UsageRecord

TITLE = "A Made-up Paper (this run directory was made by the tests)"
RUN_ID = "2026-01-02-made-by-the-tests-0a1b"


def plan() -> Plan:
    place = PaperPlace(section="2", label="Eq. (1)", page=1)
    return Plan(
        package="made",
        summary="One module and its test.",
        architecture="made.core computes, made.main runs it.",
        requirements=(
            Requirement(id="R1", what="the update follows Eq. (1)", place=place, owner="made/core.py"),
            Requirement(id="R2", what="the step size", place=place, owner="made/core.py", status="inferred"),
            Requirement(id="R3", what="the stopping rule", place=place, owner="made/main.py", status="unresolved"),
        ),
        files=(
            FileSpec(path="made/core.py", purpose="the method", requirements=("R1", "R2")),
            FileSpec(path="made/main.py", purpose="the experiment", depends_on=("made/core.py",)),
            FileSpec(path="tests/test_core.py", kind="test", purpose="tests", depends_on=("made/core.py",)),
        ),
        config_full={"steps": 1000},
        config_smoke={"steps": 10},
        experiments=(Experiment(name="table", what="Table 1", full="1000 steps, one hour", smoke="10 steps"),),
        expected=(
            ExpectedResult(id="E1", experiment="table", metric="loss", value=0.25, place=place, result_key="loss"),
            ExpectedResult(id="E2", experiment="table", metric="time", value=60, unit="s", place=place, result_key="t"),
        ),
        questions=(OpenQuestion(question="Which seed?", assumption="seed 0"),),
    )


def verdict(round: int, failed: dict[str, str] | None = None, **changes: Any) -> Verdict:
    """A verdict whose checks pass, but for those in `failed` (name -> what it saw)."""
    notes = {"pytest": "3 passed", "pyright": "0 errors in 3 files", **(failed or {})}
    checks: list[Check] = []
    for name in FIRST_DEMANDED:
        state: CheckState = "failed" if name in (failed or {}) else "passed"
        code = 1 if state == "failed" else 0
        log = f"rounds/{round:02d}/{name}.log"
        checks.append(Check(name=name, state=state, exit_code=code, seconds=1.5, log=log, note=notes.get(name, "")))
    fields: dict[str, Any] = {"round": round, "tree": "0" * 32, "checks": tuple(checks), "backend": "docker"}
    fields["demanded"] = FIRST_DEMANDED
    return Verdict.model_validate({**fields, **changes})


def write_json(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = data.model_dump_json() if hasattr(data, "model_dump_json") else json.dumps(data)  # type: ignore[union-attr]
    path.write_text(text, encoding="utf-8")


def decision(gate: str, outcome: str = "allow", findings: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "id": f"d-{gate}",
        "ts": "2026-01-02T03:04:05Z",
        "gate": gate,
        "subject": "repo" if gate == "code" else "the paper",
        "decision": outcome,
        "status": "ok",
        "policy": {"file": "default", "version": "1.0.0", "sha256": "ab" * 32},
        "findings": list(findings),
        "scanners": [{"name": gate, "version": "1", "inputs": 3, "examined": 3}],
    }


def record(status: Status, **changes: Any) -> RunRecord:
    fields: dict[str, Any] = {
        "id": RUN_ID,
        "status": status,
        "exit_code": EXIT_CODES.get(status),
        "started": "2026-01-02T03:04:05Z",
        "finished": "2026-01-02T03:14:05Z",
        "paper_path": "/papers/made.pdf",
        "paper_sha256": "cd" * 32,
        "title": TITLE,
        "settings": {"model": SettingValue(value="made-model", source="flag"), "max_rounds": SettingValue(value=5)},
        "versions": {"agentsys": "0.1.0"},
        "usage": UsageRecord(calls=12, prompt=41_000, cached=9_000, completion=5_500, cost=0.125),
        "seconds": {"plan": 70.0, "code": 400.0},
        "backend": "docker",
    }
    return RunRecord.model_validate({**fields, **changes})


def write_repo(run: RunDir, results: object = None) -> None:
    for name, lines in {"made/core.py": 40, "made/main.py": 20, "tests/test_core.py": 10}.items():
        path = run.repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n" * lines)
    if results is not None:
        write_json(run.repo / "results" / "results.json", results)


def write_repair(run: RunDir) -> None:
    """Round 1 fails, is diagnosed and patched."""
    fault = Diagnostic(
        kind="test", check="pytest", message="AssertionError: 0.5 != 0.25", path="tests/test_core.py", line=7
    )
    write_json(run.round(1) / "verdict.json", verdict(1, {"pytest": "2 passed, 1 failed"}, diagnostics=(fault,)))
    write_json(run.round(1) / "diagnosis.json", Diagnosis(round=1, cause="the factor is squared", owner="coder"))
    (run.round(1) / "patch.diff").write_text("--- a/made/core.py\n+++ b/made/core.py\n@@ -1 +1 @@\n-x = 2\n+x = 1\n")


def write_screen(run: RunDir, *decisions: dict[str, Any]) -> None:
    write_json(run.audit / "request.json", {"paper": "cd" * 32, "go_on": True, "decisions": list(decisions)})


def verified(run: RunDir) -> None:
    run.write(record("verified", rounds=2, replayed=True, stage="report"))
    write_json(run.plan / "plan.json", plan())
    write_repo(run, {"loss": 0.3, "scale": "10 steps", "not_attempted": {"t": "no clock in the smoke run"}})
    write_repair(run)
    write_json(run.round(2) / "verdict.json", verdict(2))
    write_json(run.rounds / "replay" / "verdict.json", verdict(2))
    write_screen(run, decision("intake"), decision("purpose"))
    low = {"rule": "dependency.unpinned", "category": "dependency", "severity": "low", "message": "not pinned: made"}
    write_json(
        run.audit / "code.json",
        {"tree": "0" * 32, "decisions": [decision("code"), decision("dependency", findings=(low,))]},
    )


def unverified(run: RunDir) -> None:
    run.write(
        record(
            "unverified",
            rounds=1,
            reason="pytest failed; the repair rounds are used up",
            weak_sandbox=True,
            backend="bwrap",
        )
    )
    write_json(run.plan / "plan.json", plan())
    write_repo(run)
    write_repair(run)
    write_screen(run, decision("intake"))


def blocked(run: RunDir) -> None:
    finding = {
        "rule": "purpose.weapon",
        "category": "purpose",
        "severity": "critical",
        "message": "instructions for a weapon",
        "remedy": "a person may appeal with a review file",
        "evidence": {"quote": "how to build it", "provenance": "paper"},
    }
    run.write(
        record(
            "blocked", stage="screen", reason="refused by rule `purpose.weapon`: instructions for a weapon", backend=""
        )
    )
    write_screen(run, decision("intake"), decision("purpose", "block", (finding,)))


def limit(run: RunDir) -> None:
    run.write(
        record("limit", stage="code", reason="the budget of $0.12 is used up", usage=UsageRecord(calls=3, cost=None))
    )
    write_json(run.plan / "plan.json", plan())
    write_screen(run, decision("intake"), decision("purpose"))


def interrupted(run: RunDir) -> None:
    """What a killed process leaves: status `running`, no process, a round without verdict."""
    run.write(record("running", stage="verify", exit_code=None, finished="", pid=None, recording="/recordings/made"))
    write_json(run.plan / "plan.json", plan())
    write_repo(run)
    run.round(1).mkdir(parents=True)


STATES: dict[str, Callable[[RunDir], None]] = {
    "verified": verified,
    "unverified": unverified,
    "blocked": blocked,
    "limit": limit,
    "interrupted": interrupted,
}


def make(folder: Path, state: str) -> RunDir:
    """Make the run directory of one state below `folder`."""
    run = RunDir(folder / RUN_ID)
    run.path.mkdir(parents=True)
    STATES[state](run)
    return run


class Page(HTMLParser):
    """What a browser takes from a page: its tags, its attributes and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.values: defaultdict[str, list[str]] = defaultdict(list)
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        for name, value in attrs:
            self.values[name].append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data
