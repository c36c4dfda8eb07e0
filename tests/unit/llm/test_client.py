"""The model over a scripted provider."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agentsys.core.errors import LimitReached, PrerequisiteError, ProviderError
from agentsys.core.events import Event, EventLog
from agentsys.llm.client import AnswerError, Model
from agentsys.llm.faults import Transient
from agentsys.llm.ledger import Ledger
from agentsys.llm.limits import Limits
from agentsys.llm.pool import Pool
from agentsys.llm.source import LiveSource
from agentsys.llm.store import Store
from agentsys.llm.types import Part, Prompt, Reply
from unit.llm.scripted import USAGE, ScriptedProvider, reply

PROMPT = Prompt((Part("rules", "rules"),), (Part("task", "task"),))


class Bench:
    def __init__(
        self, folder: Path, *script: str | Reply | Exception, limits: Limits | None = None, concurrency: int = 4
    ) -> None:
        self.events: list[Event] = []
        log = EventLog(None, "test")
        log.subscribe(self.events.append)
        self.store = Store(folder)
        self.ledger = Ledger(folder / "ledger.jsonl", self.store)
        self.provider = ScriptedProvider(script)
        limits = limits or Limits()
        source = LiveSource(
            {"": self.provider},
            limits,
            self.ledger,
            EventLog(None, "test"),
            attempts=3,
            turns=Pool(concurrency),
            backoff=0.0,
        )
        self.model = Model(source, self.store, self.ledger, limits, log)

    def data(self, name: str) -> list[dict[str, object]]:
        return [dict(event["data"]) for event in self.events if event["type"] == name]  # type: ignore[call-overload]


def good(text: str) -> str:
    if text.startswith("bad"):
        raise AnswerError(f"`{text}` is wrong")
    return text.upper()


async def test_what_was_asked_is_on_disk_beside_the_answer(tmp_path: Path) -> None:
    await Bench(tmp_path, "fine").model.ask("coder", "a", PROMPT, good)
    assert sorted(file.read_text() for file in (tmp_path / "prompts").iterdir()) == ["rules", "task"]


async def test_answer_is_on_disk_and_booked_before_it_is_used(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "fine")
    seen: list[tuple[int, int]] = []

    def parse(text: str) -> str:
        seen.append((len(bench.store.paths()), len((tmp_path / "ledger.jsonl").read_text().splitlines())))
        return text

    await bench.model.ask("coder", "a.py", PROMPT, parse)
    assert seen == [(1, 1)]


async def test_bug_in_parse_loses_no_answer(tmp_path: Path) -> None:
    def broken(text: str) -> str:
        raise ZeroDivisionError

    bench = Bench(tmp_path, "fine")
    with pytest.raises(ZeroDivisionError):
        await bench.model.ask("coder", "a.py", PROMPT, broken)
    assert await Bench(tmp_path).model.ask("coder", "a.py", PROMPT, good) == "FINE"


async def test_of_two_long_answers_only_the_last_goes_back_whole(tmp_path: Path) -> None:
    first, second = "bad " + "a" * 9000, "bad " + "b" * 9000
    bench = Bench(tmp_path, first, second, "fine")
    assert await bench.model.ask("coder", "a.py", PROMPT, good) == "FINE"
    (older, fault), (last, _) = bench.provider.asked[-1][1]
    assert last == second and len(older) < 600 and older.startswith("bad aaa") and "is wrong" in fault


async def test_faults_of_the_last_two_answers_go_back_to_the_model(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "bad 1", "bad 2", "fine")
    assert await bench.model.ask("coder", "a.py", PROMPT, good) == "FINE"
    feedback = bench.provider.asked[-1][1]
    assert [answer for answer, _ in feedback] == ["bad 1", "bad 2"]
    assert "`bad 2` is wrong" in feedback[1][1]
    assert bench.model.usage == USAGE + USAGE + USAGE
    assert [event["reason"] for event in bench.data("llm.retry")] == ["`bad 1` is wrong", "`bad 2` is wrong"]


async def test_cut_off_answer_goes_back_only_in_part(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Reply("x" * 50_000, "length", USAGE), "fine")
    await bench.model.ask("coder", "a.py", PROMPT, good)
    [(answer, demand)] = bench.provider.asked[1][1]
    assert len(answer) < 2100
    assert "48000 characters left out" in answer
    assert "length limit" in demand


async def test_three_unusable_answers_are_the_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "bad 1", "bad 2", "bad 3", "fine")
    with pytest.raises(ProviderError, match=r"3 tries; the last fault: .bad 3. is wrong") as caught:
        await bench.model.ask("coder", "a.py", PROMPT, good)
    assert str(tmp_path / "coder" / "a.py") in caught.value.hint
    assert len(bench.provider.asked) == 3


async def test_kill_inside_a_series_does_not_lengthen_it(tmp_path: Path) -> None:
    first = Bench(tmp_path, "bad 1", "bad 2", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        await first.model.ask("coder", "a.py", PROMPT, good)
    resumed = Bench(tmp_path, "bad 3", "fine")
    with pytest.raises(ProviderError):
        await resumed.model.ask("coder", "a.py", PROMPT, good)
    assert len(resumed.provider.asked) == 1
    assert [answer for answer, _ in resumed.provider.asked[0][1]] == ["bad 1", "bad 2"]


async def test_changed_prompt_is_asked_again_and_the_old_answer_kept(tmp_path: Path) -> None:
    changed = Prompt(PROMPT.prefix, (Part("task", "another task"),))
    await Bench(tmp_path, "old").model.ask("coder", "a.py", PROMPT, good)
    bench = Bench(tmp_path, "new")
    assert await bench.model.ask("coder", "a.py", changed, good) == "NEW"
    assert sorted(recording.text for recording in bench.store.all()) == ["new", "old"]
    assert bench.model.usage == USAGE + USAGE


async def test_equal_questions_at_the_same_time_are_asked_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "fine")
    questions = (bench.model.ask("coder", "a.py", PROMPT, good) for _ in range(3))
    assert await asyncio.gather(*questions) == ["FINE"] * 3
    assert len(bench.provider.asked) == 1


async def test_event_of_a_call_tells_who_what_and_how_much_but_no_text(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "secret plan")
    await bench.model.ask("coder", "a.py", PROMPT, good)
    [event] = [event for event in bench.events if event["type"] == "llm.call"]
    assert event["stage"] == "code"
    data = bench.data("llm.call")[0]
    assert {name: data[name] for name in ("role", "item", "attempt", "prompt", "cached", "completion", "finish")} == {
        "role": "coder",
        "item": "a.py",
        "attempt": 1,
        "prompt": 100,
        "cached": 60,
        "completion": 10,
        "finish": "stop",
    }
    assert "secret plan" not in str(bench.events)


async def test_transient_faults_are_given_up_after_the_allowed_tries(tmp_path: Path) -> None:
    bench = Bench(tmp_path, *[Transient("it is down") for _ in range(3)])
    with pytest.raises(ProviderError, match="it is down after 3 tries"):
        await bench.model.ask("coder", "a.py", PROMPT, good)
    assert bench.store.paths() == []


async def test_bug_in_a_provider_keeps_its_type(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        await Bench(tmp_path, KeyError("bug")).model.ask("coder", "a.py", PROMPT, good)


async def test_limit_is_told_once_however_many_calls_meet_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=Limits(max_tokens=0))
    asking = [bench.model.ask("coder", f"{n}.py", PROMPT, good) for n in range(4)]
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(result) for result in results] == [LimitReached] * 4
    assert len(bench.data("limit.reached")) == 1
    assert bench.provider.asked == []


async def test_limit_used_up_while_a_call_waits_for_its_turn_stops_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "fine", limits=Limits(max_tokens=1), concurrency=1)
    asking = [bench.model.ask("coder", f"{n}.py", PROMPT, good) for n in range(3)]
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert results[0] == "FINE"
    assert [type(result) for result in results[1:]] == [LimitReached] * 2
    assert len(bench.provider.asked) == 1


async def test_limits_are_checked_before_semantic_retries_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "bad 1", "fine", limits=Limits(max_tokens=USAGE.total))
    with pytest.raises(LimitReached):
        await bench.model.ask("coder", "a.py", PROMPT, good)
    assert len(bench.provider.asked) == 1


async def test_budget_that_cannot_be_checked_stops_instead_of_being_ignored(tmp_path: Path) -> None:
    unknown = Reply("fine", "stop", USAGE, "no-price-for-this")
    bench = Bench(tmp_path, unknown, "never", limits=Limits(budget=10.0))
    bench.provider.model = "no-price-for-this"
    await bench.model.ask("coder", "a.py", PROMPT, good)
    with pytest.raises(PrerequisiteError, match="`no-price-for-this` is unknown") as caught:
        await bench.model.ask("coder", "b.py", PROMPT, good)
    assert "--max-tokens" in caught.value.hint


async def test_budget_counts_the_price_of_calls(tmp_path: Path) -> None:
    bench = Bench(tmp_path, reply("one"), reply("two"))
    await bench.model.ask("coder", "a.py", PROMPT, good)
    cost = bench.model.cost
    assert cost is not None
    enough = Bench(tmp_path, "two", limits=Limits(budget=cost * 1.01))
    assert await enough.model.ask("coder", "b.py", PROMPT, good) == "TWO"
    spent = Bench(tmp_path, "three", limits=Limits(budget=cost * 2))
    with pytest.raises(LimitReached, match=r"US\$"):
        await spent.model.ask("coder", "c.py", PROMPT, good)
