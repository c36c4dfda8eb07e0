"""Estimates: what is due by what lies on disk, times what kept runs took; and the kept runs themselves."""

from __future__ import annotations

import json
import os
import socket
from functools import cache
from pathlib import Path

import pytest

from agentsys.core.settings import Settings
from agentsys.core.state import State
from agentsys.llm.ledger import Ledger
from agentsys.llm.prices import price_of
from agentsys.llm.store import Store
from agentsys.llm.types import Usage
from agentsys.paper import Paper, read_paper
from agentsys.run import estimate
from agentsys.run.estimate import Range, estimate_paper, estimate_run
from agentsys.run.pipeline import implement
from agentsys.run.recorded import kept_runs, used_by, work_of
from benchmarks.recorded import DATA, PAGE, page
from scripted.answers import CORE_RIGHT, first_version
from scripted.recording import write_paper, write_recording

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "dc-svrg"
LIVE = {"model": "gpt-5", "claims": "off"}


@cache
def example() -> Paper:
    return read_paper(EXAMPLE / "paper.pdf")


def test_results_of_kept_runs_are_what_the_script_makes_of_the_data() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(kept_runs())
    assert DATA.is_file() and any(item.whole for item in kept_runs())
    assert all(item.answered and item.date for item in kept_runs())


def test_the_recorded_example_is_in_the_data_as_its_recording_says(tmp_path: Path) -> None:
    kept = next(item for item in kept_runs() if item.whole and item.title == example().title)
    recorded = used_by(Ledger(tmp_path / "ledger.jsonl", Store(EXAMPLE / "recording")).lines)
    assert kept.work == recorded
    assert sum(item.calls for item in recorded.values()) == 80


@pytest.mark.parametrize(
    ("key", "work"),
    [
        ("auditor/purpose-1/01", "screen"),
        ("planner/requirements-2/01", "plan"),
        ("reviewer/contribution/01", "plan"),
        ("planner/contradictions/02", "claims"),
        ("planner/contracts/01", "contracts"),
        ("coder/claims/c1.py/01", "experiments"),
        ("reviewer/claims/review_c1/01", "experiments"),
        ("coder/src/claims.py/01", "code"),
        ("reviewer/src/a.py/01", "review"),
    ],
)
def test_each_call_counts_for_the_work_it_was_made_for(key: str, work: str) -> None:
    assert work_of(key) == work


def test_the_recorded_run_lies_within_the_estimate_of_its_own_paper() -> None:
    found = estimate_paper(example(), Settings.model_validate(LIVE))
    kept = next(item for item in kept_runs() if item.whole and item.title == example().title)
    for part in found.parts:
        used = kept.work[part.work]
        for value, span in ((used.calls, part.calls), (used.prompt, part.prompt), (used.completion, part.completion)):
            # A run's folder writes out where its figures lie, a reading does not: 29 characters of 13,903.
            assert 0.999 * span.low <= value <= 1.001 * span.high, part
    assert found.money is not None and 0 < found.money.low < found.money.high
    assert found.time.low < found.time.high


def test_money_goes_from_recorded_caching_to_none_and_is_unknown_without_a_price() -> None:
    paper = example()
    own = Settings.model_validate(LIVE | {"model": "m", "prices": ["m=1/2"]})
    found = estimate_paper(paper, own)
    part = next(item for item in found.parts if item.work == "code")
    most = price_of("m", Usage(round(part.prompt.high), 0, round(part.completion.high)), own={"m": (1.0, 2.0)})
    assert part.money is not None and part.money.high == most
    assert estimate_paper(paper, Settings(model="no-such-model-anywhere")).money is None
    mixed = Settings.model_validate(LIVE | {"agent_models": {"coder": "no-such-model-anywhere"}})
    assert {item.work for item in estimate_paper(paper, mixed).parts if item.money is None} == {"code"}


def test_a_longer_paper_is_at_most_as_much_dearer_as_it_is_longer_and_at_least_by_its_own_words() -> None:
    paper = example()
    longer = paper.model_copy(update={"sections": paper.sections * 3})
    short, long = (estimate_paper(item, Settings.model_validate(LIVE)) for item in (paper, longer))
    before = {part.work: part for part in short.parts}
    for part in long.parts:
        assert part.prompt.high <= 3.5 * before[part.work].prompt.high
        assert part.prompt.low >= before[part.work].prompt.low
        assert part.calls == before[part.work].calls
    assert long.total(lambda part: part.prompt).high > 1.5 * short.total(lambda part: part.prompt).high


@pytest.mark.parametrize(("stage", "last"), [("plan", "plan"), ("code", "code"), ("", "review")])
def test_only_what_is_due_until_the_last_stage_is_counted(stage: str, last: str) -> None:
    settings = Settings.model_validate(LIVE | {"stop_after": stage, "max_rounds": 3})
    found = estimate_paper(example(), settings)
    assert found.parts[-1].work == last
    assert (found.checks.high > 0) == (stage == "")
    assert not found.unknown


def test_work_that_no_kept_run_holds_is_named_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = example()
    left = tuple(
        item.model_copy(update={"work": {k: v for k, v in item.work.items() if k not in ("review", "experiments")}})
        for item in kept_runs()
    )
    monkeypatch.setattr(estimate, "kept_runs", lambda: left)
    assert "review" in estimate_paper(paper, Settings(model="gpt-5")).unknown
    assert "programs and experiments of claims" in estimate_paper(paper, Settings(model="gpt-5")).unknown


async def test_what_lies_on_disk_is_not_due_again(tmp_path: Path) -> None:
    paper = write_paper(tmp_path)
    recording = write_recording(tmp_path / "recording", paper, first_version(CORE_RIGHT))
    quick = {"replay": recording, "runs_dir": tmp_path / "runs", "claims": "off"}
    due: list[dict[str, Range]] = []
    for stage in ("plan", "analyse", "code"):
        settings = Settings.model_validate(quick | {"stop_after": stage})
        done = await implement(paper, settings)
        found = estimate_run(done.run, Settings.model_validate(LIVE))
        due.append({part.work: part.calls for part in found.parts})
    assert "plan" not in due[0] and due[0]["analyse"].high > 0 and due[0]["code"].low == due[0]["code"].high
    assert "analyse" not in due[1] and due[1]["code"] == due[0]["code"]
    assert set(due[2]) == {"debug", "review"}


async def test_a_run_says_what_it_may_cost_before_its_first_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test-key-0123456789")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    settings = Settings.model_validate(
        LIVE | {"base_url": address, "attempts": 1, "budget": 0.01, "runs_dir": tmp_path / "runs"}
    )
    done = await implement(write_paper(tmp_path), settings)
    assert done.record.status == "provider_error"
    events = [json.loads(line) for line in done.run.events_file.read_text().splitlines()]
    kinds = [event["type"] for event in events]
    said = events[kinds.index("run.estimated")]["data"]
    assert said["due"]["calls"]["low"] > 10 and "tokens in" in said["message"]
    assert "llm.call" not in kinds
    assert any("less than the least estimate" in str(event["data"].get("message")) for event in events)


def test_a_state_in_which_all_is_done_is_due_nothing() -> None:
    state = State(screened="allowed", planned=True, claimed=True, verified="passed", reviewed=True, replayed="passed")
    paper = example()
    found = estimate._estimate(paper, Settings.model_validate(LIVE), state, 15)  # pyright: ignore[reportPrivateUsage]
    assert (found.parts, found.checks, found.money) == ((), Range(), Range())
    assert os.linesep not in found.line()
