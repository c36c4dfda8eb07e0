"""What a real local server wrote on the wire: llama-cpp-python 0.3.36 with Gemma 3 270M, window of 2,048 tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.errors import ProviderError
from integration.endpoint_run import Run, ask, plain
from integration.faulty_endpoint import raw, serving

CONTEXT = (
    '{"error":{"message":"This model\'s maximum context length is 2048 tokens. However, you requested 3030 tokens '
    '(3010 in the messages, 20 in the completion). Please reduce the length of the messages or completion.",'
    '"type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}'
)
CHUNK = (
    '{{"id": "chatcmpl-9c18246c", "model": "m", "created": 1795984569, "object": "chat.completion.chunk", "choices": '
    '[{{"index": 0, "delta": {delta}, "logprobs": null, "finish_reason": {finish}}}]}}'
)
VALIDATION = json.dumps(
    {
        "error": {
            "message": "1 validation error:\n  {'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), "
            "'msg': \"Input should be 'text' or 'json_object'\", 'input': 'json_schema'}",
            "type": "internal_server_error",
            "param": None,
            "code": None,
        }
    }
)
JSON_MODE = (
    '{"id":"chatcmpl-ce145970","object":"chat.completion","created":1795982735,"model":"m","choices":[{"index":0,"message":'
    '{"content":"{}\\n ","role":"assistant"},"logprobs":null,"finish_reason":"stop"}],'
    '"usage":{"prompt_tokens":24,"completion_tokens":3,"total_tokens":27}}'
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def chunk(delta: str, finish: str = "null") -> str:
    return f"data: {CHUNK.format(delta=delta, finish=finish)}\r\n\r\n"


async def test_long_prompt_ends_with_the_window_although_its_stream_is_an_empty_200(run: Run) -> None:
    async with serving(raw("", type="text/event-stream; charset=utf-8"), raw(CONTEXT, 400)) as endpoint:
        with pytest.raises(ProviderError, match=r"maximum context length is 2048 tokens") as caught:
            await ask(run.model(endpoint, model="m"), plain)
    assert "context window" in caught.value.hint
    assert [request.body.get("stream") for request in endpoint.requests] == [True, None]


async def test_stream_without_usage_is_read_and_its_usage_marked_as_estimated(run: Run) -> None:
    body = chunk('{"role": "assistant"}') + chunk('{"content": "read"}') + chunk('{"content": "y"}')
    body += chunk("{}", '"stop"') + "data: [DONE]\r\n\r\n"
    async with serving(raw(body, type="text/event-stream; charset=utf-8")) as endpoint:
        model = run.model(endpoint, model="m")
        assert await ask(model, plain) == "ready"
    assert model.usage.estimated


async def test_request_that_does_not_validate_is_final_though_the_server_calls_it_its_own_fault(run: Run) -> None:
    async with serving(raw(VALIDATION, 500)) as endpoint:
        with pytest.raises(ProviderError, match="Input should be 'text' or 'json_object'") as caught:
            await ask(run.model(endpoint, model="m"), plain)
    assert len(endpoint.requests) == 1
    assert "`model_params`" in caught.value.hint


async def test_body_of_json_mode_is_an_answer_with_its_usage(run: Run) -> None:
    async with serving(raw(JSON_MODE)) as endpoint:
        model = run.model(endpoint, model="m")
        assert json.loads(await ask(model, plain)) == {}
    assert (model.usage.prompt, model.usage.completion, model.usage.estimated) == (24, 3, False)
