"""`agentsys claims` as a whole, on recorded answers: files, output and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.cli.app import main
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.claims.claim import Claims
from scripted.recording import purpose_answer, write_recording
from unit.plan.claims.papers import MARKDOWN, written

ROW = {
    "id": "C1",
    "kind": "number",
    "text": "Averaged gradients reach 69.83 % on 11 data sets, plain descent 66.20 (Table 1).",
    "places": [
        {"place": "Table 1", "words": "Averaged gradients | 69.83 | 0.35"},
        {"place": "Abstract", "words": "On 11 data sets it reaches"},
        {"place": "Table 1", "words": "Plain descent | 66.20 | 0.41"},
    ],
    "targets": [{"quantity": "accuracy", "value": 69.86, "where": "Table 1"}],
}
THREE = [ROW, ROW, ROW]
NONE = json.dumps({"contradictions": []})


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main([*arguments])
    return int(str(end.value.code or 0))


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return written(tmp_path, MARKDOWN)


def recorded(folder: Path, paper: Path, claims: object, request: str = "", verdict: str = "allow") -> str:
    answers = {
        ("auditor", "purpose-1"): purpose_answer(paper, request, verdict),
        ("planner", "claims"): json.dumps({"claims": claims}),
        ("planner", "contradictions"): NONE,
    }
    return str(write_recording(folder / "recording", paper, answers))


def test_the_list_is_printed_and_lies_in_the_folder_as_data(
    tmp_path: Path, paper: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("claims", str(paper), "--replay", recorded(tmp_path, paper, THREE), "--out", "found") == 0
    shown = capsys.readouterr().out
    assert "3 claims of “Averaged Gradients for Small Batches”: 3 corrected" in shown
    assert "CORRECTED number: said “69.83”, the paper has “69.86”" in shown
    stored = Claims.model_validate_json(Path("found/claims.json").read_bytes())
    assert [claim.text for claim in stored.claims] == [str(ROW["text"]).replace("69.83", "69.86")] * 3
    assert json.loads(Path("found/audit/request.json").read_text())["decisions"][1]["decision"] == "allow"
    assert Path("found/audit/events.jsonl").read_text().count("\n") == 2


def test_given_claims_are_screened_as_a_request_is(
    tmp_path: Path, paper: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = "Averaged gradients reach 69.83 % (Table 1)."
    Path("claims.yaml").write_text(f"- {given}\n")
    recording = recorded(tmp_path, paper, [ROW], request=given)
    assert call("claims", str(paper), "--claims", "claims.yaml", "--replay", recording, "--out", "found", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert [(row["given"], row["text"]) for row in data["claims"]] == [(given, given.replace("69.83", "69.86"))]
    assert json.loads(Path("found/audit/request.json").read_text())["request"] == given


def test_contracts_lie_beside_the_claims_frozen_and_in_their_words(
    tmp_path: Path, paper: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = recorded(tmp_path, paper, THREE)
    mean = {"type": "mean", "method": "ours", "quantity": "accuracy"}
    drafts = [
        {
            "claim": f"C{number}",
            "target": 1,
            "seeds": 20,
            "accept": {**mean, "low": 68.8, "high": 70.9},
            "falsify": {**mean, "high": 68.1},
            "control": {"what": "the average of a single gradient"},
            "toy_below": {"seeds": 5},
        }
        for number in (1, 2, 3)
    ]
    answers = {("planner", "contracts"): json.dumps({"contracts": drafts})}
    write_recording(tmp_path / "recording", paper, answers)
    assert call("claims", str(paper), "--contracts", "--replay", recording, "--out", "found") == 0
    contracts = Contracts.model_validate_json(Path("found/contracts.json").read_bytes())
    assert [contracts.current(f"C{n}").text for n in (1, 2, 3)] == [str(ROW["text"]).replace("69.83", "69.86")] * 3
    shown = capsys.readouterr().out
    assert "accept: the mean of accuracy of ours with its 95 % interval is between 68.8 and 70.9" in shown
    assert f"contract {contracts.current('C1').hash[:12]}" in shown


@pytest.mark.parametrize("text", ["[]", "[", "{}"])
def test_a_bad_file_of_claims_ends_with_2_before_anything_is_written(
    tmp_path: Path, paper: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("claims.json").write_text(text)
    recording = recorded(tmp_path, paper, THREE)
    assert call("claims", str(paper), "--claims", "claims.json", "--replay", recording, "--out", "found") == 2
    assert "claims.json" in capsys.readouterr().err
    assert not Path("found").exists()


def test_a_paper_that_the_policy_refuses_ends_with_6_and_no_claims(tmp_path: Path, paper: Path) -> None:
    answer = json.loads(purpose_answer(paper))
    answer |= {"verdict": "block", "category": "malware_intrusion", "real_target": True, "uplift": "operational"}
    answers = {("auditor", f"purpose-{judge}"): json.dumps(answer) for judge in (1, 2)}
    recording = write_recording(tmp_path / "recording", paper, answers)
    assert call("claims", str(paper), "--replay", str(recording), "--out", "found") == 6
    assert not Path("found/claims.json").exists()


def test_an_answer_that_is_missing_or_a_model_that_is_not_named_ends_with_3(
    tmp_path: Path, paper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENTSYS_MODEL", raising=False)
    recording = write_recording(tmp_path / "recording", paper, {})
    assert call("claims", str(paper), "--replay", str(recording), "--out", "found") == 3
    assert call("claims", str(paper), "--out", "other") == 3


def test_a_folder_that_cannot_be_written_ends_with_2(tmp_path: Path, paper: Path) -> None:
    Path("file").write_text("")
    assert call("claims", str(paper), "--replay", recorded(tmp_path, paper, THREE), "--out", "file/found") == 2
