"""A given claim that is not so, through the whole program on scripted answers, in a real sandbox: what it takes to be
falsified, and what holds a falsification back."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from integration.test_kill_and_resume import command, environment
from scripted.answers import fenced
from scripted.claims import LAST_VALUE, WRONG_CLAIM, WRONG_PAPER, reviewed, wrong_claim
from scripted.recording import purpose_answer, write_paper, write_recording

pytestmark = [pytest.mark.index]
QUICK = ("--set", "mutants=0", "--set", "full_seconds=0")
REVIEW = ("reviewer", "claims/review_c1")
BETTER = LAST_VALUE.replace("0.5 if", "0.9 if") + "# written anew\n"


def run(tmp_path: Path, backend: str, answers: dict[tuple[str, ...], str]) -> tuple[Path, dict[str, object]]:
    """Run `agentsys implement --claims`; return the run and the verdict on its claim."""
    paper = write_paper(tmp_path, WRONG_PAPER)
    given = tmp_path / "claims.json"
    given.write_text(json.dumps([{"text": WRONG_CLAIM["text"], "status": "unverified"}]))
    screened = {("auditor", "purpose-1"): purpose_answer(paper, str(WRONG_CLAIM["text"]))}
    recording = write_recording(tmp_path / "recording", paper, {**answers, **screened})
    argv = command("implement", paper, "--claims", given, "--replay", recording, "--quiet", *QUICK)
    done = subprocess.run(argv, env=environment(tmp_path, backend), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (file.parent for file in (tmp_path / "runs").glob("*/run.json") if not file.parent.is_symlink())
    (verdict,) = json.loads((folder / "repo" / "claims" / "verdicts.json").read_text())["verdicts"]
    return folder, verdict


@pytest.mark.slow
def test_a_given_claim_that_is_wrong_is_falsified_where_checker_and_review_agree(tmp_path: Path, backend: str) -> None:
    folder, verdict = run(tmp_path, backend, {**wrong_claim(), REVIEW: reviewed()})
    assert (verdict["verdict"], verdict["reasons"]) == ("falsified", ["contradicts"])
    (claim,) = json.loads((folder / "claims" / "claims.json").read_text())["claims"]
    assert claim["given"] == WRONG_CLAIM["text"] and claim["places"]
    review = json.loads((folder / "repo" / "claims" / "reviews.json").read_text())["C1"]
    lines = {row["item"]: row["line"] for row in review["items"]}
    assert set(lines) == {"row 1", "settings", "control", "computed"} and all(lines.values())
    rounds = sorted(path.name for path in (folder / "rounds").iterdir() if path.is_dir())
    assert rounds == ["01", "replay"], "the record of the claims is no part of what is verified"


@pytest.mark.slow
def test_an_empty_or_partial_review_holds_the_falsification_back(tmp_path: Path, backend: str) -> None:
    answers = {**wrong_claim(), REVIEW: '```json\n{"reviews": []}\n```'}
    answers[*REVIEW, "2"] = reviewed(without=("control",))
    answers[*REVIEW, "3"] = reviewed(without=("computed",))
    folder, verdict = run(tmp_path, backend, answers)
    assert (verdict["verdict"], verdict["reasons"]) == ("inconclusive", ["review_missing", "contradicts"])
    assert "no reviewer compared the programs of C1" in (folder / "events.jsonl").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("last", "expected"), [("repaired", "falsified"), ("open", "inconclusive")])
def test_a_finding_goes_back_to_the_coder_twice_and_stays_where_it_is_not_repaired(
    tmp_path: Path, backend: str, last: str, expected: str
) -> None:
    finding = reviewed({"settings": "the stream is not the one of the paper"})
    answers = {**wrong_claim(), REVIEW: finding, (*REVIEW[:1], f"{REVIEW[1]}-2"): finding}
    answers["reviewer", "claims/review_c1-3"] = finding if last == "open" else reviewed()
    answers["coder", "claims/c1.py-2"] = fenced(BETTER)
    answers["coder", "claims/c1.py-3"] = fenced(BETTER + "# and once more\n")
    folder, verdict = run(tmp_path, backend, answers)
    assert verdict["verdict"] == expected
    assert ("review_found" in str(verdict["reasons"])) == (last == "open")
    assert (folder / "repo" / "claims" / "c1.py").read_text().endswith("# and once more\n")
    why = json.loads((folder / "repo" / "claims" / "entries.json").read_text())
    assert ("not the one of the paper" in why.get("C1", "")) == (last == "open")
