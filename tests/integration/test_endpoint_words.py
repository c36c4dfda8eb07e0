"""Errors over real HTTP, wherever an endpoint puts them: its code and words reach the user, and no hint misleads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.errors import NoUsableAnswer, ProviderError
from integration.endpoint_run import Run, ask, plain
from integration.faulty_endpoint import Answer, delta, fault, ok, raw, serving, stream


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def body(status: int = 200, **fields: object) -> Answer:
    return raw(json.dumps(fields), status)


INSIDE: dict[str, tuple[Answer, str]] = {
    "choice": (
        body(choices=[{"error": {"code": 502, "message": "upstream is gone"}, "finish_reason": "error"}]),
        "502: upstream is gone",
    ),
    "choice with half an answer": (
        body(
            choices=[
                {
                    "error": {"code": 502, "message": "upstream is gone"},
                    "finish_reason": "error",
                    "message": {"content": "half"},
                }
            ]
        ),
        "502: upstream is gone",
    ),
    "beside empty choices": (body(choices=[], error={"message": "upstream is gone", "code": 503}), "upstream is gone"),
    "message beside choices that are null": (body(choices=None, message="upstream is gone"), "upstream is gone"),
    "words beside empty choices": (body(choices=[], detail="upstream is gone"), "upstream is gone"),
    "object that says it is an error": (
        body(object="error", message="upstream is gone", type="server_error", code=500),
        "500 (`server_error`): upstream is gone",
    ),
    "status of its own": (
        body(base_resp={"status_code": 1013, "status_msg": "upstream is gone"}, choices=None),
        "upstream is gone",
    ),
    "in a stream": (
        stream(delta("half"), {"error": {"code": 502, "message": "upstream is gone"}}),
        "502: upstream is gone",
    ),
    "choice in a stream": (
        stream(
            delta("half"),
            {
                "choices": [
                    {"delta": {"content": ""}, "finish_reason": "error", "error": {"message": "upstream is gone"}}
                ]
            },
        ),
        "upstream is gone",
    ),
    "router": (
        body(
            error={"code": 502, "message": "Provider returned error", "metadata": {"raw": '{"error": "out of disk"}'}}
        ),
        "Provider returned error: out of disk",
    ),
}


@pytest.mark.parametrize("name", INSIDE)
async def test_error_inside_a_good_reply_is_retried_and_then_said_in_the_providers_words(run: Run, name: str) -> None:
    answer, words = INSIDE[name]
    async with serving(answer) as endpoint:
        with pytest.raises(ProviderError) as caught:
            await ask(run.model(endpoint, attempts=2), plain)
    assert words in caught.value.message
    assert len(endpoint.requests) == 2
    async with serving(answer, ok("fine")) as endpoint:
        assert await ask(run.model(endpoint), plain) == "fine"


WHOLE: dict[str, Answer] = {
    "no finish reason": ok("fine", None),
    "other spelling": ok("fine", "STOP"),
    "no finish reason in a stream that says its end": stream(delta("fi"), delta("ne"), "[DONE]"),
    "message beside empty choices": body(choices=[], message={"role": "assistant", "content": "fine"}),
    "message without choices": body(message={"role": "assistant", "content": "fine"}, done=True),
    "empty error": body(choices=[{"message": {"content": "fine"}, "finish_reason": "stop"}], error={}),
    "warning beside a whole answer": body(
        choices=[{"message": {"content": "fine"}, "finish_reason": "stop"}], error={"message": "a late remark"}
    ),
    "text": body(choices=[{"text": "fine", "finish_reason": "stop"}]),
}


@pytest.mark.parametrize("name", WHOLE)
async def test_whole_answer_is_accepted_whatever_is_left_out_around_it(run: Run, name: str) -> None:
    async with serving(WHOLE[name]) as endpoint:
        assert await ask(run.model(endpoint), plain) == "fine"
    assert len(endpoint.requests) == 1


FILTERED: dict[str, Answer] = {
    "Azure": fault(
        400,
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        code="content_filter",
        param="prompt",
        innererror={"code": "ResponsibleAIPolicyViolation"},
    ),
    "DashScope": fault(400, "Input data may contain inappropriate content.", code="data_inspection_failed"),
    "a gateway's own": fault(403, "The request was blocked by guardrails."),
    "finish reason": ok("", "content_filter"),
}


@pytest.mark.parametrize("name", FILTERED)
async def test_content_filter_is_a_refusal_that_is_asked_again_and_then_said(run: Run, name: str) -> None:
    async with serving(FILTERED[name]) as endpoint:
        with pytest.raises(NoUsableAnswer, match="refused or filtered") as caught:
            await ask(run.model(endpoint), plain)
    assert len(endpoint.requests) == 3
    assert "`prompt`" not in caught.value.hint
    async with serving(FILTERED[name], ok("fine")) as endpoint:
        assert await ask(run.model(endpoint), plain, "other") == "fine"


SAID: dict[str, tuple[Answer, str]] = {
    "FastAPI": (body(422, detail=[{"loc": ["body", "messages", 0], "msg": "field required"}]), "field required"),
    "FastAPI, words": (body(400, detail="no such adapter"), "no such adapter"),
    "string": (raw('"no such adapter"', 400), "no such adapter"),
    "plain text": (raw("no such adapter", 400, "text/plain"), "no such adapter"),
    "list": (raw('[{"error": {"message": "no such adapter", "status": "INVALID_ARGUMENT"}}]', 400), "INVALID_ARGUMENT"),
    "list of words": (raw('["no such adapter"]', 400), "no such adapter"),
    "code": (fault(400, "no such adapter", code="adapter_missing"), "(`adapter_missing`): no such adapter"),
    "errors": (body(400, errors=[{"message": "no such adapter"}]), "no such adapter"),
    "flat": (body(400, object="error", message="no such adapter", type="BadRequestError", code=400), "BadRequestError"),
}


@pytest.mark.parametrize("name", SAID)
async def test_words_and_code_of_the_endpoint_reach_the_user(run: Run, name: str) -> None:
    answer, words = SAID[name]
    async with serving(answer) as endpoint:
        with pytest.raises(ProviderError) as caught:
            await ask(run.model(endpoint), plain)
    assert words in caught.value.message
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "param", [None, "None", "prompt", "messages", "messages[0].role", "messages.0", "body.messages"]
)
async def test_no_hint_names_a_parameter_that_nobody_set(run: Run, param: str | None) -> None:
    async with serving(fault(400, "wrong", param=param)) as endpoint:
        with pytest.raises(ProviderError) as caught:
            await ask(run.model(endpoint), plain)
    assert "the parameter" not in caught.value.hint
    assert "`model_params`" in caught.value.hint
