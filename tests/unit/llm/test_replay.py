"""Replaying recordings: by key, not by the bytes of the prompt."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agentsys.core.errors import LimitReached, PrerequisiteError, ProviderError
from agentsys.core.events import Event, EventLog
from agentsys.core.settings import Settings
from agentsys.llm.client import AnswerError, Model
from agentsys.llm.factory import build_model
from agentsys.llm.ledger import Ledger
from agentsys.llm.limits import Limits
from agentsys.llm.pool import Pool
from agentsys.llm.replay import reworded
from agentsys.llm.source import LiveSource
from agentsys.llm.store import Store
from agentsys.llm.types import Part, Prompt
from unit.llm.scripted import USAGE, ScriptedProvider


def prompt(paper: str = "the paper", task: str = "the task") -> Prompt:
    return Prompt((Part("rules", "rules"), Part("paper", paper)), (Part("task", task),))


def good(text: str) -> str:
    if text == "bad":
        raise AnswerError("it is bad")
    return text


async def record(folder: Path, *calls: tuple[str, str, list[str]]) -> None:
    """Record answers: role, item, and what the model says one after the other."""
    store = Store(folder)
    ledger = Ledger(folder / "ledger.jsonl", store)
    for role, item, answers in calls:
        source = LiveSource(
            {"": ScriptedProvider(answers)}, Limits(), ledger, EventLog(None, "test"), attempts=1, turns=Pool(1)
        )
        await Model(source, store, ledger, Limits(), EventLog(None, "t")).ask(role, item, prompt(), good)


class Replay:
    def __init__(self, recording: Path, folder: Path, **settings: object) -> None:
        self.events: list[Event] = []
        log = EventLog(None, "test")
        log.subscribe(self.events.append)
        chosen = Settings.model_validate({"replay": recording} | settings)
        self.folder = folder
        self.model = build_model(chosen, folder, log, environ={})  # no key, no model name

    @property
    def warnings(self) -> list[dict[str, object]]:
        return [dict(event["data"]) for event in self.events if event["type"] == "warning"]  # type: ignore[call-overload]


async def test_replay_needs_no_key_and_gives_answers_usage_and_model_of_the_recording(tmp_path: Path) -> None:
    await record(tmp_path / "rec", ("planner", "plan", ["hello"]))
    replay = Replay(tmp_path / "rec", tmp_path / "run")
    assert await replay.model.ask("planner", "plan", prompt(), good) == "hello"
    assert replay.model.usage == USAGE
    assert replay.model.cost is not None
    recorded = Store(tmp_path / "rec").paths()[0].read_text()
    assert Store(tmp_path / "run").paths()[0].read_text() == recorded
    assert replay.warnings == []


async def test_order_of_calls_does_not_matter(tmp_path: Path) -> None:
    names = [f"{n}.py" for n in range(6)]
    await record(tmp_path / "rec", *[("coder", name, [f"code of {name}"]) for name in names])
    model = Replay(tmp_path / "rec", tmp_path / "run").model
    answers = await asyncio.gather(*[model.ask("coder", name, prompt(), good) for name in reversed(names)])
    assert answers == [f"code of {name}" for name in reversed(names)]


async def test_unusable_answers_are_replayed_with_their_tries(tmp_path: Path) -> None:
    await record(tmp_path / "rec", ("planner", "plan", ["bad", "fine"]))
    replay = Replay(tmp_path / "rec", tmp_path / "run")
    assert await replay.model.ask("planner", "plan", prompt(), good) == "fine"
    assert replay.model.calls == 2


async def test_a_checkers_answer_is_found_where_older_recordings_have_it_with_the_reviewer(tmp_path: Path) -> None:
    await record(tmp_path / "rec", ("reviewer", "claims/check_c1.py", ["the recomputation"]))
    model = Replay(tmp_path / "rec", tmp_path / "run").model
    assert await model.ask("checker", "claims/check_c1.py", prompt(), good) == "the recomputation"
    with pytest.raises(PrerequisiteError, match="no recorded answer for `coder"):
        await model.ask("coder", "claims/check_c1.py", prompt(), good)


async def test_run_directory_can_be_replayed_as_it_is(tmp_path: Path) -> None:
    await record(tmp_path / "run1" / "llm", ("planner", "plan", ["hello"]))
    replay = Replay(tmp_path / "run1", tmp_path / "run2" / "llm")
    assert await replay.model.ask("planner", "plan", prompt(), good) == "hello"


async def test_an_answer_to_a_changed_prompt_is_used_and_counted(tmp_path: Path) -> None:
    await record(tmp_path / "rec", ("planner", "plan", ["hello"]), ("planner", "more", ["hello"]))
    replay = Replay(tmp_path / "rec", tmp_path / "run" / "llm")
    assert await replay.model.ask("planner", "plan", prompt(paper="another paper"), good) == "hello"
    assert await replay.model.ask("planner", "more", prompt(), good) == "hello"
    assert reworded(tmp_path / "rec", tmp_path / "run") == 1
    assert replay.warnings == []


async def test_temporary_paths_and_times_are_no_change(tmp_path: Path) -> None:
    folder, noise = tmp_path / "rec", "see {} at {}"
    store = Store(folder)
    ledger = Ledger(folder / "ledger.jsonl", store)
    source = LiveSource(
        {"": ScriptedProvider(["x"])}, Limits(), ledger, EventLog(None, "test"), attempts=1, turns=Pool(1)
    )
    model = Model(source, store, ledger, Limits(), EventLog(None, "t"))
    await model.ask("planner", "plan", prompt(task=noise.format("/tmp/abc", "2025-01-01T10:00:00Z")), good)
    replay = Replay(folder, tmp_path / "run", strict_replay=True)
    changed = prompt(task=noise.format("/tmp/xyz", "2026-02-03T11:22:33Z"))
    assert await replay.model.ask("planner", "plan", changed, good) == "x"


async def test_strict_replay_refuses_a_changed_prompt_and_names_the_sections(tmp_path: Path) -> None:
    await record(tmp_path / "rec", ("planner", "plan", ["hello"]))
    replay = Replay(tmp_path / "rec", tmp_path / "run", strict_replay=True)
    with pytest.raises(PrerequisiteError, match=r"`paper`, `task`") as caught:
        await replay.model.ask("planner", "plan", prompt("other", "other"), good)
    assert caught.value.exit_code == 3


async def test_missing_answer_is_an_error_with_the_expected_path(tmp_path: Path) -> None:
    await record(tmp_path / "rec", ("planner", "plan", ["hello"]))
    replay = Replay(tmp_path / "rec", tmp_path / "run")
    with pytest.raises(PrerequisiteError) as caught:
        await replay.model.ask("coder", "src/a.py", prompt(), good)
    assert str(tmp_path / "rec" / "coder" / "src%2Fa.py" / "01.md") in caught.value.message


async def test_recorded_failure_fails_again(tmp_path: Path) -> None:
    with pytest.raises(ProviderError):
        await record(tmp_path / "rec", ("planner", "plan", ["bad", "bad", "bad"]))
    replay = Replay(tmp_path / "rec", tmp_path / "run")
    with pytest.raises(ProviderError, match="it is bad"):
        await replay.model.ask("planner", "plan", prompt(), good)


async def test_resumed_replay_reads_its_own_store_first(tmp_path: Path) -> None:
    await record(tmp_path / "rec", ("planner", "plan", ["hello"]))
    await Replay(tmp_path / "rec", tmp_path / "run").model.ask("planner", "plan", prompt(), good)
    resumed = Replay(tmp_path / "rec", tmp_path / "run")
    assert await resumed.model.ask("planner", "plan", prompt(), good) == "hello"
    assert resumed.model.calls == 1


async def test_limits_hold_in_a_replay(tmp_path: Path) -> None:
    await record(tmp_path / "rec", ("planner", "plan", ["hello"]), ("coder", "a.py", ["code"]))
    replay = Replay(tmp_path / "rec", tmp_path / "run", max_tokens=USAGE.total)
    await replay.model.ask("planner", "plan", prompt(), good)
    with pytest.raises(LimitReached):
        await replay.model.ask("coder", "a.py", prompt(), good)


@pytest.mark.parametrize("make", [False, True], ids=["missing", "empty"])
def test_folder_without_recordings_is_told_at_once(tmp_path: Path, make: bool) -> None:
    if make:
        (tmp_path / "rec").mkdir()
    with pytest.raises(PrerequisiteError, match="no recorded model call"):
        Replay(tmp_path / "rec", tmp_path / "run")
