"""The whole path on scripted answers, in a real sandbox: statuses, rounds, roll-back, hand-overs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from agentsys.core.artifacts import Diagnosis, Review, Verdict
from live.sandboxes import BACKENDS, need
from scripted.answers import (
    CORE_RIGHT,
    CORE_WRONG,
    LINE,
    MET,
    TESTS,
    as_json,
    fenced,
    first_version,
    repair,
)

pytestmark = [pytest.mark.index]


def commits(repo: Path) -> list[str]:
    done = subprocess.run(["git", "-C", str(repo), "log", "--format=%s"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def handover(owner: str, cause: str, path: str = "runmean/core.py") -> str:
    return as_json(
        {"cause": cause, "owner": owner, "instructions": [{"path": path, "instruction": cause}], "sections": ["2"]}
    )


def edit(path: str, old: str, new: str) -> str:
    return f"\n````edit:{path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n````\n"


def everything_asked(folder: Path) -> list[str]:
    return [path.read_text() for path in (folder / "prompts").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "place", [pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.slow]), BACKENDS[1]]
)  # `.ci/run` puts a whole run through Docker: its demo
async def test_one_repair_makes_it_verified_with_evidence_on_disk(replay, place: str):
    need(place)
    answers = first_version(CORE_WRONG)
    answers["debugger", "round-01"] = repair("the exponent starts at 2", LINE.format(2), LINE.format(1))
    result = await replay(answers, backend=place)
    run = result.run
    assert (result.record.status, result.exit_code) == ("verified", 0)
    assert result.record.replayed and result.record.rounds == 2
    verdicts = [Verdict.model_validate_json((run.round(n) / "verdict.json").read_bytes()) for n in (1, 2)]
    assert [verdict.passed for verdict in verdicts] == [False, True]
    assert Verdict.model_validate_json((run.rounds / "replay" / "verdict.json").read_bytes()).passed
    assert any(subject.startswith("Round 1:") for subject in commits(run.repo))
    measured = json.loads((run.repo / "results" / "results.json").read_text())
    assert measured["last_value"] > 1
    for name in ("PAPER_MAP.md", "paper_map.json", "AUDIT.md", "requirements.lock", "configs/full.yaml"):
        assert (run.repo / name).is_file(), name
    assert "enumerate(stream, 1)" in (run.round(1) / "patch.diff").read_text()


REFUSED = "import base64\nexec(base64.b64decode(b'cHJpbnQoMSk='))\n"


def look(**wanted: object) -> str:
    return as_json({"look": wanted})


@pytest.mark.slow
async def test_the_debugger_looks_further_before_it_decides_and_sees_what_its_experiment_prints(replay):
    answers = first_version(CORE_WRONG)
    program = "from runmean.core import corrected_means\nprint('first', corrected_means([7.0], 0.5))\n"
    answers["debugger", "round-01"] = look(files=["runmean/main.py:main"], experiment=program)
    answers["debugger", "round-01-look-1"] = look(experiment=REFUSED)
    answers["debugger", "round-01-look-2"] = repair("the exponent starts at 2", LINE.format(2), LINE.format(1))
    result = await replay(answers)
    assert (result.record.status, result.record.rounds) == ("verified", 2)
    seen = [(result.run.round(1) / f"experiment-{number}" / "output.log").read_text() for number in (1, 2)]
    assert seen[0] == "first [4.666666666666667]"
    assert "the policy refuses it" in seen[1]
    assert "agentsys_experiment.py" not in {file.name for file in result.run.repo.rglob("*.py")}


@pytest.mark.slow
async def test_code_that_cannot_be_repaired_ends_unverified_with_the_repository_delivered(replay):
    answers = first_version(CORE_WRONG)
    answers["debugger", "round-01"] = repair("a guess", LINE.format(2), LINE.format(3))
    answers["debugger", "round-02"] = handover("coder", "another guess")
    answers["coder", "round-02/runmean/core.py"] = fenced(CORE_WRONG.replace("stream, 2", "stream, 4"))
    result = await replay(answers, max_rounds=2)
    assert (result.record.status, result.exit_code) == ("unverified", 5)
    assert "pytest" in result.record.reason and "resume" in result.record.hint
    assert (result.run.repo / "runmean" / "core.py").is_file()
    assert (result.run.repo / "PAPER_MAP.md").is_file()
    assert not (result.run.rounds / "replay").exists()


@pytest.mark.slow
async def test_a_worse_round_is_rolled_back_and_the_debugger_is_told(replay):
    answers = first_version(CORE_WRONG)
    broken = "    raise RuntimeError('worse')"
    answers["debugger", "round-01"] = as_json(
        {"cause": "a bad idea", "owner": "debugger", "instructions": [], "sections": []}
    ) + (
        "\n````edit:runmean/main.py\n<<<<<<< SEARCH\nfrom runmean.core import corrected_means\n=======\n"
        "from runmean.core import no_such_name as corrected_means\n>>>>>>> REPLACE\n````\n"
    )
    answers["debugger", "round-02"] = as_json(
        {
            "cause": "the exponent",
            "owner": "coder",
            "instructions": [{"path": "runmean/core.py", "instruction": "count from one"}],
        }
    )
    answers["coder", "round-02/runmean/core.py"] = fenced(CORE_RIGHT)
    result = await replay(answers)
    assert broken not in (result.run.repo / "runmean" / "main.py").read_text()
    assert "no_such_name" not in (result.run.repo / "runmean" / "main.py").read_text()
    assert (result.run.round(2) / "rollback.json").is_file()
    assert result.record.status == "verified"


@pytest.mark.slow
async def test_a_repair_that_was_taken_back_is_shown_and_can_be_built_on(replay):
    answers = first_version(CORE_WRONG)
    wrong = next(line for line in CORE_WRONG.splitlines() if "enumerate(stream, 2)" in line)
    right = wrong.replace("2)", "1)")
    answers["debugger", "round-01"] = as_json({"cause": "the exponent", "owner": "debugger"}) + (
        edit("runmean/core.py", wrong, right)
        + edit(
            "runmean/main.py",
            "from runmean.core import corrected_means",
            "from runmean.core import no_such_name as corrected_means",
        )
    )
    answers["debugger", "round-02"] = as_json({"cause": "the name", "owner": "debugger", "keep_patch": True}) + edit(
        "runmean/main.py",
        "from runmean.core import no_such_name as corrected_means",
        "from runmean.core import corrected_means",
    )
    result = await replay(answers)
    assert (result.run.round(2) / "rollback.json").is_file()
    assert right in (result.run.repo / "runmean" / "core.py").read_text()
    asked = next(row for row in everything_asked(result.run.llm) if "repair that was taken back" in row)
    assert f"+{right}" in asked and "no_such_name" in asked.partition("diagnostics of that repair")[2]
    assert result.record.status == "verified"


@pytest.mark.slow
@pytest.mark.parametrize("owner", ["coder", "analyzer", "planner"])
async def test_a_diagnosis_hands_the_matter_to_the_colleague_it_names(replay, owner: str):
    answers = first_version(CORE_WRONG)
    answers["debugger", "round-01"] = handover(owner, "t must count from one")
    answers["coder", "round-01/runmean/core.py"] = fenced(CORE_RIGHT)
    answers["analyzer", "round-01/runmean/core.py"] = "Equation (2) counts t from one, so the first exponent is 1. " * 5
    spec = {
        "path": "runmean/core.py",
        "kind": "source",
        "purpose": "the method, t counted from one",
        "interface": "def corrected_means(stream: Iterable[float], b: float) -> list[float]",
        "requirements": {"R1": ["corrected_means"], "R2": ["corrected_means"]},
    }
    answers["planner", "round-01"] = as_json({"files": [spec], "dependencies": [], "note": "said more clearly"})
    for path, text in {
        "runmean/core.py": fenced(CORE_RIGHT),
        "tests/test_core.py": fenced(TESTS),
    }.items():
        answers["analyzer", f"plan-1/{path}"] = "Count from one. " * 30
        answers["coder", f"plan-1/{path}"] = text
    answers["analyzer", "plan-1/runmean/main.py"] = "Run the ramp. " * 30
    answers["coder", "plan-1/runmean/main.py"] = answers["coder", "runmean/main.py"]
    result = await replay(answers)
    diagnosis = Diagnosis.model_validate_json((result.run.round(1) / "diagnosis.json").read_bytes())
    assert diagnosis.owner == owner
    assert result.record.status == "verified"
    asked = {line["key"] if isinstance(line.get("key"), str) else str(line) for line in ledger(result.run.llm)}
    assert any(owner in key and "1" in key for key in asked)


@pytest.mark.slow
async def test_the_same_root_cause_three_times_ends_the_repairs(replay):
    answers = first_version(CORE_WRONG)
    answers["debugger", "round-01"] = repair("a guess", LINE.format(2), LINE.format(2) + "  # one")
    answers["debugger", "round-02"] = handover("coder", "a second guess")
    answers["coder", "round-02/runmean/core.py"] = fenced(CORE_WRONG.replace("m = 0.0", "m = 0.0  # two"))
    answers["debugger", "round-03"] = repair("a third guess", "    m = 0.0  # two", "    m = 0.0  # three")
    result = await replay(answers, max_rounds=9)
    assert (result.record.status, result.exit_code) == ("unverified", 5)
    assert "same root cause" in result.record.reason
    assert result.record.rounds == 4


FINDING = {
    "requirement": "R2",
    "state": "wrong",
    "paper": "the average of a stream x_1, x_2, ... is m_t = b m_{t-1}",
    "code": "m = b * m + (1.0 - b) * x",
    "what": "the weight of the new element is wrong",
    "fix": "weigh it as Eq. (1) does",
}


def reviewed() -> dict[tuple[str, str], str]:
    answers = first_version(CORE_RIGHT)
    answers["reviewer", "runmean/core.py"] = as_json({"rows": [*MET, FINDING]})
    return answers


async def test_a_finding_of_the_review_is_repaired_in_a_round_and_looked_at_again(replay):
    answers = reviewed()
    old = "        m = b * m + (1.0 - b) * x"
    answers["debugger", "round-02"] = repair("said more clearly", old, "        m = x + b * (m - x)")
    answers["reviewer", "review-2/runmean/core.py"] = as_json({"rows": MET})
    result = await replay(answers)
    assert (result.record.status, result.record.rounds) == ("verified", 3)
    second = Verdict.model_validate_json((result.run.round(2) / "verdict.json").read_bytes())
    assert [(row.kind, row.requirements, row.line) for row in second.diagnostics] == [("fidelity", ("R2",), 15)]
    assert not second.passed and {check.name: check.state for check in second.checks}["review"] == "failed"
    assert "m = x + b * (m - x)" in (result.run.repo / "runmean" / "core.py").read_text()
    first = Review.model_validate_json((result.run.round(1) / "review.json").read_bytes())
    last = Review.model_validate_json((result.run.round(3) / "review.json").read_bytes())
    assert (len(first.open), last.open, last.files) == (1, (), ("runmean/core.py",))


@pytest.mark.slow
async def test_a_finding_may_be_dismissed_with_a_reason_that_stays_on_record(replay):
    answers = reviewed()
    reason = "Eq. (1) weighs the new element by one minus b, as the code does"
    dismissal = {"cause": "the finding is wrong", "owner": "debugger", "dismissed": [{"number": 1, "reason": reason}]}
    answers["debugger", "round-02"] = as_json(dismissal)
    answers["reviewer", "review-2/runmean/core.py"] = as_json({"rows": MET})
    result = await replay(answers)
    assert (result.record.status, result.record.rounds) == ("verified", 3)
    diagnosis = Diagnosis.model_validate_json((result.run.round(2) / "diagnosis.json").read_bytes())
    assert [row.reason for row in diagnosis.dismissed] == [reason]
    rows = json.loads((result.run.repo / "paper_map.json").read_text())["requirements"]
    assert "shown" in {row["evidence"] for row in rows}
    for name in ("requirements.lock", "results/results.json"):
        assert (result.run.repo / name).is_file(), name
    assert not (result.run.round(2) / "rollback.json").exists()


@pytest.mark.slow
async def test_a_finding_whose_quotes_are_invented_is_no_more_than_a_doubt(replay):
    answers = first_version(CORE_RIGHT)
    invented = [FINDING | {"paper": "words that stand nowhere in this paper"}, FINDING | {"code": "m = 17"}]
    answers["reviewer", "runmean/core.py"] = as_json({"rows": [*MET, *invented]})
    result = await replay(answers)
    assert (result.record.status, result.record.rounds) == ("verified", 1)
    review = Review.model_validate_json((result.run.round(1) / "review.json").read_bytes())
    assert [row.severity for row in review.findings] == ["doubt", "doubt"]


def ledger(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]


@pytest.mark.slow
async def test_resuming_a_finished_run_asks_no_model_again(replay, tmp_path: Path):
    from agentsys.core.settings import Settings
    from agentsys.run.pipeline import resume

    answers = first_version(CORE_RIGHT)
    result = await replay(answers)
    assert result.record.status == "verified"
    before = (result.run.llm / "ledger.jsonl").read_bytes()
    settings = Settings(replay=tmp_path / "recording", runs_dir=tmp_path / "runs")
    again = await resume(result.run, settings)
    assert again.record.status == "verified"
    assert (result.run.llm / "ledger.jsonl").read_bytes() == before
