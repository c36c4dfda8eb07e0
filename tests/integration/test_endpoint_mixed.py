"""A thousand calls against an endpoint that mixes all faults at random: each ends well, or with the right error."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from pathlib import Path

from pydantic import BaseModel

from agentsys.core.errors import NoUsableAnswer, ProviderError
from agentsys.llm.parse import extract_json
from agentsys.llm.types import Part, Prompt
from integration.endpoint_run import Run
from integration.faulty_endpoint import (
    Answer,
    current,
    cut_body,
    cut_json,
    delta,
    drop,
    fault,
    ok,
    raw,
    serving,
    stream,
)

CALLS = 1000
ATTEMPTS = 5
PAUSE = 0.02
"""Seconds that the endpoint takes for an answer, and that it asks to wait."""
FAULTY = 0.35
"""Share of the requests that get no answer."""
SEED = 14


class Value(BaseModel):
    item: str


def faults(answer: str) -> list[tuple[str, Answer]]:
    """What may come in place of an answer; all of it passes."""
    told = f"try again in {PAUSE}s"
    return [
        ("limit", fault(429, f"Rate limit reached on requests per min (RPM): Limit 9. Please {told}.")),
        ("limit", raw(json.dumps([{"error": {"code": 429, "details": [{"retryDelay": f"{PAUSE}s"}]}}]), 429)),
        ("limit", fault(429, "slow down", {"retry-after-ms": str(PAUSE * 1000)})),
        ("limit", raw(json.dumps({"error": {"message": "Loading model"}, "retry_after": PAUSE}), 503)),
        ("try", fault(500, "oops")),
        ("try", fault(504, "gateway timeout")),
        ("limit", fault(529, "overloaded")),
        ("try", drop),
        ("try", cut_body),
        ("try", stream(delta(answer[:9]), complete=False)),
        ("try", raw(json.dumps({"choices": [{"error": {"code": 502, "message": "gone"}}]}))),
        ("try", raw(json.dumps({"choices": None, "message": "upstream is gone"}))),
        ("page", raw("<!DOCTYPE html><html></html>", 502, "text/html")),
        ("page", cut_json),
        ("answer", ok("I would rather talk.")),
        ("answer", ok("", "content_filter")),
        ("answer", fault(400, "filtered", code="content_filter", param="prompt")),
        ("answer", ok(answer[:9], "length")),
        ("answer", stream(delta(answer[:9]))),
        ("answer", ok(None, reasoning_content="Let me think.")),
        ("answer", ok("<think>hm")),
    ]


def answers(answer: str) -> list[Answer]:
    """The ways in which a whole answer comes."""
    draft = '{"item": "draft"}'
    return [
        ok(answer),
        ok(f"\ufeff<think>{draft}</think>\n{answer}"),
        ok(f"{draft}\n</think>\n\n```json\n{answer}\n```\nDone."),
        ok(None, reasoning_content=answer),
        ok(answer, None),
        stream(delta(answer[:5]), delta(answer[5:]), delta("", "stop"), "[DONE]"),
        raw(json.dumps({"choices": [], "message": {"content": answer}})),
    ]


class Mixed:
    """Answers by what was asked, seeded, and notes what came of each item and when the client had to wait."""

    def __init__(self) -> None:
        self.random = random.Random(SEED)
        self.history: dict[str, list[str]] = {}
        self.again: list[str] = []
        self.active = 0
        self.free_at = self.idle = 0.0
        self.ended = self.above = 0.0
        self.worked_until = self.worked = 0.0

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        item = re.findall(r"item-\d+", json.dumps(current.get().body))[0]
        history = self.history.setdefault(item, [])
        if history[-1:] in (["whole"], ["refused"]):
            self.again.append(item)
        answer = json.dumps({"item": item})
        kind, found = self.random.choice([*faults(answer), ("refused", fault(401, "bad key"))])
        if self.random.random() > FAULTY or (kind == "refused" and self.random.random() < 0.5):
            kind, found = "whole", self.random.choice(answers(answer))
        history.append(kind)
        if not self.active and self.ended:  # the endpoint was not at work, whatever we did meanwhile
            self.above += max(0.0, time.monotonic() - max(self.ended, self.free_at))
            self.worked += time.process_time() - self.worked_until
        self.active += 1
        try:
            await asyncio.sleep(PAUSE)
            await found(writer)
        finally:
            self.active -= 1
            self.ended, self.worked_until = time.monotonic(), time.process_time()
            if kind == "limit":
                self.free_at = time.monotonic() + PAUSE

    def slept(self, began: float, ended: float) -> None:
        """The process had nothing to do from `began` to `ended`: was the endpoint at work, or had it asked to wait?"""
        if not self.active:
            self.idle += max(0.0, ended - max(began, self.free_at))


def watch(loop: asyncio.AbstractEventLoop, mixed: Mixed) -> None:
    """Tell of each time in which the loop sleeps."""
    selector = loop._selector  # type: ignore[attr-defined]
    select = selector.select

    def watched(timeout: float | None = None) -> object:
        began = time.monotonic()
        try:
            return select(timeout)
        finally:
            mixed.slept(began, time.monotonic())

    selector.select = watched


def right(error: BaseException, history: list[str]) -> bool:
    """Return whether an error is the one that an item's history must end in."""
    words = str(error)
    series = history[max((at + 1 for at, kind in enumerate(history) if kind == "answer"), default=0) :]
    if not history:
        return False
    if isinstance(error, NoUsableAnswer):
        return history.count("answer") == 3 and history[-1] == "answer"
    if history[-1] == "refused":
        return "401" in words
    if history[-1] == "page":
        return series.count("page") == 2
    return history[-1] == "try" and series.count("try") + series.count("page") == ATTEMPTS and "tries" in words


async def test_a_thousand_calls_through_all_faults_at_random(tmp_path: Path) -> None:
    mixed, run = Mixed(), Run(tmp_path)
    watch(asyncio.get_running_loop(), mixed)
    async with serving(mixed) as endpoint:
        model = run.model(endpoint, attempts=ATTEMPTS, concurrency=8, call_timeout=300, model_params={})

        async def one(number: int) -> str:
            prompt = Prompt((Part("rules", "the rules"),), (Part("task", f"answer for item-{number}"),))
            return (await model.ask("coder", f"{number}.py", prompt, lambda text: extract_json(text, Value))).item

        started = time.monotonic()
        results = await asyncio.gather(*map(one, range(CALLS)), return_exceptions=True)
        seconds = time.monotonic() - started
        await model.close()
    wrong = []
    for number, result in enumerate(results):
        history = mixed.history.get(f"item-{number}", [])
        fine = result == f"item-{number}" and history[-1] == "whole"
        if not fine and not (isinstance(result, ProviderError) and right(result, history)):
            wrong.append((number, result, history))
    answered = sum(isinstance(result, str) for result in results)
    print(f"{answered} answers, {CALLS - answered} errors, {len(endpoint.requests)} requests, {seconds:.1f} s")
    print(f"the endpoint had nothing to do: {mixed.above:.2f} s, {mixed.above / seconds:.1%}")
    print(f"of that at work, in processor time: {mixed.worked:.2f} s, {mixed.worked / seconds:.1%}")
    print(f"asleep without the endpoint's wish: {mixed.idle:.2f} s, {mixed.idle / seconds:.1%}")
    assert wrong == []
    assert mixed.again == []
    assert answered > CALLS * 0.85
    assert len({kind for history in mixed.history.values() for kind in history}) == 6
    booked = sum(kind in ("whole", "answer") for history in mixed.history.values() for kind in history)
    assert len(run.ledger) == len(run.files) == booked
    assert mixed.idle < 0.05 * seconds
