"""The step `claims` of a run, on scripted answers: contracts before code. No sandbox is needed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from agentsys.core.settings import Settings
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.claims.freezing import BY_HAND
from agentsys.run.pipeline import RunResult, implement, resume
from scripted.answers import CORE_RIGHT, first_version
from scripted.claims import claimed
from scripted.recording import purpose_answer, write_paper, write_recording


def log(repo: Path, *paths: str) -> list[str]:
    command = ["git", "-C", str(repo), "log", "--reverse", "--format=%s", "--", *paths]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    write_recording(tmp_path / "recording", write_paper(tmp_path), claimed())
    return Settings(replay=tmp_path / "recording", runs_dir=tmp_path / "runs", stop_after="claims")


async def start(tmp_path: Path, settings: Settings, **more: object) -> RunResult:
    return await implement(tmp_path / "paper.md", settings.model_copy(update=more))


async def on(result: RunResult, settings: Settings, **more: object) -> RunResult:
    return await resume(result.run, settings.model_copy(update=more))


def contracts_in(folder: Path) -> Contracts:
    return Contracts.model_validate_json((folder / "claims" / "contracts.json").read_bytes())


async def test_contracts_stand_in_run_and_git_with_their_hashes_before_any_code(
    tmp_path: Path, settings: Settings
) -> None:
    result = await start(tmp_path, settings)
    assert (result.record.reason_code, result.record.reason) == ("stopped", "it was asked to stop after the claims")
    contracts = contracts_in(result.run.repo)
    assert contracts == contracts_in(result.run.path)
    hashes = {f"contract {name}": contracts.current(name).hash for name in ("C1", "C2", "C3")}
    assert {name: digest for name, digest in result.record.hashes.items() if name in hashes} == hashes
    assert not (result.run.repo / "runmean").exists()
    later = await on(result, settings, stop_after="code")
    assert log(later.run.repo)[0] == "Contracts of the claims, before any code"
    assert "First version" in log(later.run.repo, "runmean")


async def test_contracts_edited_before_the_code_are_an_amendment_with_the_old_one_kept(
    tmp_path: Path, settings: Settings
) -> None:
    result = await start(tmp_path, settings)
    file = result.run.claims / "contracts.json"
    data = json.loads(file.read_text())
    data["claims"]["C2"][0]["contract"]["seeds"] = 5
    file.write_text(json.dumps(data))
    await on(result, settings)
    first, second = contracts_in(result.run.repo).claims["C2"]
    assert (first.contract.seeds, second.contract.seeds, second.reason) == (3, 5, BY_HAND)
    assert contracts_in(result.run.repo) == contracts_in(result.run.path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [('"seeds": 3', '"seeds": 2', "`seeds` is below 3"), ('"claims"', '"cl"', "no longer a file of contracts")],
)
async def test_a_bad_edit_ends_with_its_fault_and_freezes_nothing(
    tmp_path: Path, settings: Settings, old: str, new: str, said: str
) -> None:
    result = await start(tmp_path, settings)
    file = result.run.claims / "contracts.json"
    file.write_text(file.read_text().replace(old, new, 1))
    before = contracts_in(result.run.repo)
    ended = await on(result, settings, stop_after="code")
    assert (ended.record.status, said in ended.record.reason) == ("config_error", True), ended.record.reason
    assert contracts_in(result.run.repo) == before and not (result.run.repo / "runmean").exists()


async def test_a_recording_without_claims_goes_on_and_says_so(tmp_path: Path, settings: Settings) -> None:
    write_recording(tmp_path / "old", tmp_path / "paper.md", first_version(CORE_RIGHT))
    result = await start(tmp_path, settings, replay=tmp_path / "old", stop_after="code")
    assert (result.run.repo / "runmean" / "core.py").is_file() and not (result.run.repo / "claims").exists()
    rows = [json.loads(line) for line in result.run.events_file.read_text().splitlines()]
    said = [row["data"]["message"] for row in rows if row["type"] == "warning" and row.get("stage") == "claims"]
    assert said == ["the run goes on without claims: the recording holds no answers for them"]


async def test_claims_that_are_off_ask_nothing(tmp_path: Path, settings: Settings) -> None:
    result = await start(tmp_path, settings, claims="off", stop_after="code")
    asked = (result.run.llm / "ledger.jsonl").read_text()
    assert "contracts" not in asked and not result.run.claims.exists()


async def test_code_that_is_older_than_the_setting_gets_no_contracts_after_the_fact(
    tmp_path: Path, settings: Settings
) -> None:
    result = await start(tmp_path, settings, claims="off", stop_after="code")
    await on(result, settings, stop_after="code")
    assert not result.run.claims.exists()


async def test_given_claims_are_screened_with_the_request_and_kept_in_the_run(
    tmp_path: Path, settings: Settings
) -> None:
    given = "With b = 0.9 and the stream 1, 2, ..., 100 the last corrected value is 91.0."
    paper = tmp_path / "paper.md"
    answers = {("auditor", "purpose-1"): purpose_answer(paper, given)}
    write_recording(tmp_path / "recording", paper, claimed() | answers)
    result = await implement(paper, settings.model_copy(update={"stop_after": "plan"}), claims=[given])
    assert json.loads((result.run.claims / "given.json").read_text()) == [given]
    assert json.loads((result.run.audit / "request.json").read_text())["request"] == given
