"""A misbehaving endpoint over real HTTP: each fault ends as the table of exit codes says, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from agentsys.core.errors import EXIT_CODES, LimitReached, ProviderError
from agentsys.llm.parse import extract_file, extract_json
from agentsys.llm.types import Image, Prompt
from integration.endpoint_run import PROMPT, Run, ask, plain
from integration.faulty_endpoint import (
    Answer,
    cut_body,
    cut_json,
    delta,
    drop,
    fault,
    hang,
    ok,
    raw,
    serving,
    stream,
    trickle,
)

HTML = "<!DOCTYPE html><html><body>Sign in</body></html>"


class Loss(BaseModel):
    formula: str
    weight: float


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


FINAL: dict[str, tuple[Answer, int, str]] = {
    "401": (fault(401, "bad key"), 1, "OPENAI_API_KEY"),
    "403": (fault(403, "not for you"), 1, "OPENAI_API_KEY"),
    "404": (fault(404, "no such model"), 1, "--model"),
    "400": (fault(400, "bad", param="temperature", code="unsupported_value"), 1, "`temperature`"),
    "402": (fault(402, "pay"), 1, "credit"),
    "quota": (fault(429, "quota", code="insufficient_quota"), 1, "credit"),
    "429": (fault(429, "slow down"), 3, "resume"),
    "500": (fault(500, "oops"), 3, "resume"),
    "dropped connection": (drop, 3, "network"),
    "cut body": (cut_body, 3, "network"),
    "cut JSON": (cut_json, 2, "/v1"),
    "cut stream": (stream(delta("half a"), complete=False), 3, "network"),
    "web page": (raw(HTML, type="text/html"), 2, "/v1"),
    "web page that says JSON": (raw(HTML), 2, "/v1"),
    "web page with 502": (raw(HTML, 502, "text/html"), 3, "resume"),
    "other JSON": (raw('{"hello": 1}'), 2, "/v1"),
    "error inside a 200": (raw('{"error": {"message": "upstream", "code": 502}}'), 3, "resume"),
    "final error inside a 200": (raw('{"error": {"message": "who?", "code": 401}}'), 1, "OPENAI_API_KEY"),
}


@pytest.mark.parametrize("name", FINAL)
async def test_fault_of_the_endpoint_ends_with_exit_code_4_and_a_remedy(run: Run, name: str) -> None:
    answer, requests, remedy = FINAL[name]
    async with serving(answer) as endpoint:
        with pytest.raises(ProviderError) as caught:
            await ask(run.model(endpoint), plain)
    assert caught.value.exit_code == EXIT_CODES["provider_error"] == 4
    assert remedy in caught.value.hint
    assert "`gpt-5`" in caught.value.message
    assert "the planner" in caught.value.message
    assert len(endpoint.requests) == requests
    assert len(run.of_type("llm.retry")) == requests - 1
    assert run.ledger == []


UNUSABLE: dict[str, tuple[Answer, Callable[[str], object], str]] = {
    "empty choices": (raw('{"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}'), plain, "empty"),
    "no text": (ok(None), plain, "empty"),
    "refusal": (ok(None, refusal="I cannot help"), plain, "refused"),
    "content filter": (ok("", "content_filter"), plain, "refused"),
    "cut at the length limit": (ok("half", "length"), plain, "length limit"),
    "stream without end": (stream(delta("half a"), delta(" file")), plain, "cut off"),
    "wrong schema": (ok('{"formula": "x"}'), lambda text: extract_json(text, Loss), "`weight`: Field required"),
    "prose": (ok("I would rather talk."), lambda text: extract_json(text, Loss), "no JSON object"),
    "web page as the answer": (ok(HTML), lambda text: extract_json(text, Loss), "no JSON object"),
    "half a file": (ok("```python\nx = 1\ny ="), lambda text: extract_file(text, "a.py"), "cut off"),
}


@pytest.mark.parametrize("name", UNUSABLE)
async def test_unusable_answers_are_asked_three_times_counted_and_kept(run: Run, name: str) -> None:
    answer, parse, words = UNUSABLE[name]
    async with serving(answer) as endpoint:
        model = run.model(endpoint)
        with pytest.raises(ProviderError) as caught:
            await ask(model, parse)
    assert caught.value.exit_code == 4
    assert words in caught.value.message
    assert "`planner`" in caught.value.message
    assert "`plan`" in caught.value.message
    assert run.files == [f"planner/plan/0{n}.md" for n in (1, 2, 3)]
    assert [line["key"] for line in run.ledger] == [f"planner/plan/0{n}" for n in (1, 2, 3)]
    assert all(line["prompt"] and line["completion"] is not None for line in run.ledger)
    assert model.usage.prompt == sum(int(str(line["prompt"])) for line in run.ledger) > 0


@pytest.mark.parametrize("name", UNUSABLE)
async def test_unusable_answer_is_asked_again_with_the_fault_named(run: Run, name: str) -> None:
    answer, _, words = UNUSABLE[name]

    def parse(text: str) -> str:
        if text != "good":
            UNUSABLE[name][1](text)
        return text

    async with serving(answer, ok("good")) as endpoint:
        assert await ask(run.model(endpoint), parse) == "good"
    first, second = (request.body["messages"] for request in endpoint.requests)
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert second[: len(first)] == first
    assert [turn["role"] for turn in second[len(first) :]] == ["assistant", "user"]
    assert second[-2]["content"]
    assert words in second[-1]["content"]


async def test_request_is_prefix_as_system_and_body_as_question_with_parameters_and_pictures(run: Run) -> None:
    prompt = Prompt(PROMPT.prefix, PROMPT.body, (Image("figure 1", b"\x89PNG"),))
    params = {"temperature": 0.2, "reasoning_effort": "high", "extra_body": {"top_k": 5}}
    async with serving(ok("fine")) as endpoint:
        model = run.model(endpoint, model_params=params)
        await model.ask("planner", "plan", prompt, plain)
        await model.close()
    body = endpoint.requests[0].body
    assert body["messages"] == [
        {"role": "system", "content": "the rules\n\nthe paper"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "the task"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
            ],
        },
    ]
    assert (body["model"], body["temperature"], body["reasoning_effort"], body["top_k"]) == ("gpt-5", 0.2, "high", 5)
    assert "extra_body" not in body
    assert endpoint.requests[0].path == "/v1/chat/completions"


async def test_cache_options_mark_the_end_of_the_prefix(run: Run) -> None:
    async with serving(ok("fine")) as endpoint:
        await ask(run.model(endpoint, model_params={"prompt_cache_options": {"mode": "explicit"}}), plain)
    system = endpoint.requests[0].body["messages"][0]  # type: ignore[index]
    assert system["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit"}


async def test_fenced_json_with_unescaped_formulas_is_understood_at_once(run: Run) -> None:
    text = 'Here it is:\n```json\n{"formula": "\\lambda \\frac{a}{b}", "weight": 0.5}\n```\nGood luck!'
    async with serving(ok(text)) as endpoint:
        loss = await ask(run.model(endpoint), lambda answer: extract_json(answer, Loss))
    assert loss == Loss(formula="\\lambda \\frac{a}{b}", weight=0.5)
    assert len(endpoint.requests) == 1


async def test_500_then_ok_gives_the_answer_and_books_it_once(run: Run) -> None:
    async with serving(fault(500), fault(503), ok("fine")) as endpoint:
        model = run.model(endpoint)
        assert await ask(model, plain) == "fine"
    assert [event["reason"] for event in run.of_type("llm.retry")] == [
        "the endpoint answered 500: no",
        "the endpoint answered 503: no",
    ]
    assert len(run.ledger) == 1
    assert (run.ledger[0]["prompt"], run.ledger[0]["cached"], run.ledger[0]["completion"]) == (100, 60, 10)
    assert model.cost is not None
    assert model.cost > 0


async def test_retry_after_is_honoured(run: Run) -> None:
    async with serving(fault(429, headers={"Retry-After": "1"}), ok("fine")) as endpoint:
        started = time.monotonic()
        assert await ask(run.model(endpoint), plain) == "fine"
    assert time.monotonic() - started >= 1.0
    assert run.of_type("llm.retry")[0]["wait"] == 1.0


async def test_retry_after_beyond_the_time_limit_ends_at_once_with_exit_code_7(run: Run) -> None:
    async with serving(fault(429, headers={"Retry-After": "600"})) as endpoint:
        started = time.monotonic()
        with pytest.raises(LimitReached) as caught:
            await ask(run.model(endpoint, deadline=time.monotonic() + 60), plain)
    assert time.monotonic() - started < 5
    assert caught.value.exit_code == 7
    assert "--time-limit" in caught.value.hint
    assert "agentsys resume" in caught.value.hint


async def test_retry_after_of_a_day_ends_with_exit_code_4(run: Run) -> None:
    async with serving(fault(429, headers={"Retry-After": "86400"})) as endpoint:
        with pytest.raises(ProviderError, match="86400 s") as caught:
            await ask(run.model(endpoint), plain)
    assert "resume" in caught.value.hint
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("silence", [hang, trickle])
async def test_endpoint_that_never_answers_is_given_up_after_call_timeout(run: Run, silence: Answer) -> None:
    async with serving(silence) as endpoint:
        with pytest.raises(ProviderError, match=r"no answer within 0\.2 s after 3 tries") as caught:
            await ask(run.model(endpoint, call_timeout=0.2), plain)
    assert "call_timeout" in caught.value.hint
    assert len(endpoint.requests) == 3


async def test_time_limit_ends_a_call_that_is_under_way(run: Run) -> None:
    async with serving(hang) as endpoint:
        started = time.monotonic()
        with pytest.raises(LimitReached) as caught:
            await ask(run.model(endpoint, deadline=started + 0.3), plain)
    assert time.monotonic() - started < 10
    assert "--time-limit" in caught.value.hint
    assert run.of_type("limit.reached") == [{"message": caught.value.message, "hint": caught.value.hint}]


@pytest.mark.parametrize(
    ("script", "seconds"),
    [([hang], 900.0), ([fault(429, headers={"Retry-After": "300"})], 900.0)],
    ids=["waiting for the answer", "waiting for Retry-After"],
)
async def test_cancelling_takes_less_than_a_second(run: Run, script: list[Answer], seconds: float) -> None:
    async with serving(*script) as endpoint:
        model = run.model(endpoint, call_timeout=seconds)
        task = asyncio.ensure_future(model.ask("planner", "plan", PROMPT, plain))
        await endpoint.arrivals(1)
        if script != [hang]:
            await asyncio.wait_for(run.retried.wait(), 5)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - started < 1.0
        if script == [hang]:
            await asyncio.wait_for(endpoint.gone.wait(), 5)  # the server stops working for us
        await model.close()


async def test_no_more_requests_at_once_than_allowed(run: Run) -> None:
    release = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await ok("fine")(writer)

    async with serving(slow) as endpoint:
        model = run.model(endpoint, concurrency=3)
        tasks = [asyncio.ensure_future(model.ask("coder", f"f{n}.py", PROMPT, plain)) for n in range(8)]
        await endpoint.arrivals(3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(endpoint.arrivals(1), 0.2)  # no fourth one while three are open
        release.set()
        await asyncio.gather(*tasks)
        await model.close()
    assert endpoint.most_active == 3
    assert len(endpoint.requests) == 8


async def test_stream_is_put_together_with_its_usage(run: Run) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 7}}
    async with serving(stream(delta("half a"), delta(" file"), delta("", "stop"), usage, "[DONE]")) as endpoint:
        model = run.model(endpoint, model_params={"stream": True})
        assert await ask(model, plain) == "half a file"
    assert endpoint.requests[0].body["stream_options"] == {"include_usage": True}
    assert (model.usage.prompt, model.usage.completion, model.usage.estimated) == (50, 7, False)


async def test_missing_usage_is_estimated_and_marked(run: Run) -> None:
    body = '{"choices": [{"finish_reason": "stop", "message": {"content": "four"}}]}'
    async with serving(raw(body)) as endpoint:
        model = run.model(endpoint)
        await ask(model, plain)
    assert (model.usage.prompt, model.usage.completion, model.usage.estimated) == (PROMPT.chars // 4, 1, True)
