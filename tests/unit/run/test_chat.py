"""The conversation ends when the reporter has spoken, and never silently in another way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from agentsys.core.errors import BlockedError, InternalError, UsageError
from agentsys.core.events import Step
from agentsys.run import chat


class Speaker:
    description = "says one word"

    def __init__(self, name: str, *steps: Step, fault: Exception | None = None) -> None:
        self.name = name
        self.steps: tuple[Step, ...] = steps
        self.fault = fault
        self.asked: list[Step] = []

    async def act(self, step: Step) -> str:
        self.asked.append(step)
        if self.fault is not None:
            raise self.fault
        return "done"


def team_of(fault: Exception | None = None) -> list[Speaker]:
    return [
        Speaker("planner", "plan"),
        Speaker("coder", "code", fault=fault),
        Speaker("auditor", "screen", "audit"),
        Speaker("reporter", "report"),
    ]


async def hold(team: list[Speaker], steps: Iterable[Step]) -> list[str]:
    said: list[str] = []
    due = iter(steps)
    turns: list[tuple[Step, str]] = []
    await chat.converse(
        team,
        lambda: next(due),
        "a task",
        lambda step, speaker: turns.append((step, speaker)),
        lambda speaker, receipt: said.append(speaker),
    )
    assert [speaker for _, speaker in turns] == said
    return said


async def test_the_report_ends_the_conversation():
    assert await hold(team_of(), ["plan", "code", "plan", "report"]) == ["planner", "coder", "planner", "reporter"]


async def test_a_member_is_told_which_of_its_steps_is_due():
    team = team_of()
    await hold(team, ["screen", "audit", "report"])
    assert team[2].asked == ["screen", "audit"]


async def test_what_a_member_raises_comes_out_of_the_conversation_unchanged():
    with pytest.raises(BlockedError, match="no"):
        await hold(team_of(BlockedError("no")), ["plan", "code", "report"])


async def test_a_plan_that_was_damaged_between_two_turns_is_told_as_such():
    def steps() -> Iterator[Step]:
        yield "plan"
        raise UsageError("the plan is damaged")

    with pytest.raises(UsageError, match="damaged"):
        await hold(team_of(), steps())


async def test_a_turn_that_fails_is_said_too():
    said: list[tuple[str, str]] = []
    due = iter(["plan", "code"])
    with pytest.raises(BlockedError):
        await chat.converse(
            team_of(BlockedError("no")), lambda: next(due), "a task", lambda *_: None, lambda *words: said.append(words)
        )
    assert said == [("planner", "done"), ("coder", "BlockedError")]


async def test_a_conversation_in_circles_is_a_bug_and_not_an_ending(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chat, "MAX_TURNS", 6)
    team = team_of()
    with pytest.raises(InternalError, match="did not come to an end"):
        await hold(team, ["plan", "code"] * 10)
    assert team[-1].asked == []
