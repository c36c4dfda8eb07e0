"""Anthropic's API, spoken by a fake endpoint on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from agentsys.core.errors import PrerequisiteError, ProviderError
from agentsys.core.events import EventLog
from agentsys.core.settings import Settings
from agentsys.llm.client import Model
from agentsys.llm.factory import build_model
from agentsys.llm.types import Image, Part, Prompt
from integration.faulty_endpoint import Answer, Endpoint, drop, fault, hang, raw, serving, stream, trickle

pytest.importorskip("anthropic", reason="the extra `anthropic` is not installed")

KEY = "test-key-0123456789"
PROMPT = Prompt((Part("rules", "the rules"), Part("paper", "the paper")), (Part("task", "the task"),))


def model_on(endpoint: Endpoint, folder: Path, **settings: object) -> Model:
    values: Mapping[str, object] = {"model": "claude-sonnet-4-5", "attempts": 2, "call_timeout": 20} | settings
    environ = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": endpoint.url.removesuffix("/v1")}
    return build_model(
        Settings.model_validate(values), folder / "llm", EventLog(None, "test"), backoff=0.0, environ=environ
    )


def message(text: str, stop: str = "end_turn") -> Answer:
    usage = {
        "input_tokens": 10,
        "output_tokens": 7,
        "cache_read_input_tokens": 900,
        "cache_creation_input_tokens": 90,
    }
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": text}]
    return raw(json.dumps({"model": "claude-served", "content": content, "stop_reason": stop, "usage": usage}))


async def ask(model: Model, prompt: Prompt = PROMPT) -> str:
    try:
        return await model.ask("planner", "plan", prompt, lambda text: text)
    finally:
        await model.close()


async def test_prefix_ends_in_a_cache_breakpoint_and_pictures_follow_the_question(tmp_path: Path) -> None:
    prompt = Prompt(PROMPT.prefix, PROMPT.body, (Image("figure 1", b"\x89PNG"),))
    async with serving(message("fine")) as endpoint:
        assert await ask(model_on(endpoint, tmp_path, model_params={"top_k": 5}), prompt) == "fine"
    request = endpoint.requests[0]
    assert request.path == "/v1/messages"
    assert request.headers["x-api-key"] == KEY
    assert request.body["system"] == [
        {"type": "text", "text": "the rules\n\nthe paper", "cache_control": {"type": "ephemeral"}}
    ]
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}
    assert request.body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "the task"}, picture]}]
    assert request.body["top_k"] == 5
    assert int(str(request.body["max_tokens"])) >= 16_000


async def test_prompt_tokens_include_those_read_from_and_written_to_the_cache(tmp_path: Path) -> None:
    async with serving(message("fine")) as endpoint:
        model = model_on(endpoint, tmp_path)
        await ask(model)
    usage = model.usage
    assert (usage.prompt, usage.cached, usage.written, usage.completion) == (1000, 900, 90, 7)


async def test_bound_of_the_answer_is_a_parameter(tmp_path: Path) -> None:
    async with serving(message("fine")) as endpoint:
        await ask(model_on(endpoint, tmp_path, model_params={"max_tokens": 128_000}))
    assert endpoint.requests[0].body["max_tokens"] == 128_000


@pytest.mark.parametrize(
    ("stop", "words"), [("max_tokens", "length limit"), ("refusal", "refused"), ("pause_turn", "cut off")]
)
async def test_unfinished_answers_are_asked_again(tmp_path: Path, stop: str, words: str) -> None:
    async with serving(message("half ", stop), message("whole")) as endpoint:
        assert await ask(model_on(endpoint, tmp_path)) == "whole"
    turns = endpoint.requests[1].body["messages"]
    assert isinstance(turns, list)
    assert turns[1] == {"role": "assistant", "content": "half"}
    assert words in turns[2]["content"]


@pytest.mark.parametrize(
    ("answer", "requests", "remedy"),
    [
        (fault(401, f"invalid x-api-key {KEY}", type="authentication_error"), 1, "ANTHROPIC_API_KEY"),
        (fault(404, "model: nope", type="not_found_error"), 1, "--model"),
        (fault(529, "Overloaded", type="overloaded_error"), 2, "resume"),
        (fault(429, "slow", type="rate_limit_error"), 2, "resume"),
        (drop, 2, "network"),
        (raw("<html></html>"), 2, "ANTHROPIC_BASE_URL"),
    ],
    ids=["401", "404", "529", "429", "dropped", "web page"],
)
async def test_faults_end_with_exit_code_4(tmp_path: Path, answer: Answer, requests: int, remedy: str) -> None:
    async with serving(answer) as endpoint:
        with pytest.raises(ProviderError) as caught:
            await ask(model_on(endpoint, tmp_path))
    assert caught.value.exit_code == 4
    assert remedy in caught.value.hint
    assert KEY not in caught.value.message
    assert len(endpoint.requests) == requests


@pytest.mark.parametrize("silence", [hang, trickle])
async def test_endpoint_that_never_answers_is_given_up_after_call_timeout(tmp_path: Path, silence: Answer) -> None:
    async with serving(silence) as endpoint:
        with pytest.raises(ProviderError, match=r"no answer within 0\.2 s"):
            await ask(model_on(endpoint, tmp_path, call_timeout=0.2))


def test_missing_key_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="ANTHROPIC_API_KEY") as caught:
        build_model(Settings(model="claude-sonnet-4-5"), tmp_path, EventLog(None, "test"), environ={})
    assert caught.value.exit_code == 3


START = {
    "type": "message_start",
    "message": {
        "model": "claude-served",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 900, "output_tokens": 1},
    },
}
THOUGHT = {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}


def said(text: str) -> dict[str, object]:
    return {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": text}}


def stopped(reason: str | None) -> dict[str, object]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}}


async def test_stream_is_put_together_with_its_usage_and_its_thinking_apart(tmp_path: Path) -> None:
    ping = {"type": "ping"}
    async with serving(stream(START, ping, THOUGHT, said("half a"), said(" file"), stopped("end_turn"))) as endpoint:
        model = model_on(endpoint, tmp_path)
        assert await ask(model) == "half a file"
    assert endpoint.requests[0].body["stream"] is True
    assert (model.usage.prompt, model.usage.cached, model.usage.completion) == (910, 900, 7)
    assert '"thinking": "hm"' in (tmp_path / "llm/planner/plan/01.md").read_text()


async def test_error_in_a_stream_is_tried_again(tmp_path: Path) -> None:
    broken = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    async with serving(stream(START, said("half"), broken), message("fine")) as endpoint:
        assert await ask(model_on(endpoint, tmp_path)) == "fine"


async def test_stream_without_its_end_is_no_answer(tmp_path: Path) -> None:
    async with serving(stream(START, said("half a file")), message("whole")) as endpoint:
        assert await ask(model_on(endpoint, tmp_path)) == "whole"
    assert len(endpoint.requests) == 2


async def test_pings_alone_are_silence(tmp_path: Path) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        while True:
            writer.write(b'event: ping\ndata: {"type": "ping"}\n\n')
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serving(answer) as endpoint:
        with pytest.raises(ProviderError, match=r"no answer within 0\.3 s"):
            await ask(model_on(endpoint, tmp_path, call_timeout=0.3))
