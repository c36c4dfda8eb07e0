"""Long answers over real HTTP: streamed where the endpoint takes it, and given up for silence, not for their length."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from agentsys.core.errors import ProviderError
from agentsys.llm.types import Part, Prompt
from integration.endpoint_run import PROMPT, Run, ask, plain
from integration.faulty_endpoint import Answer, delta, drop, fault, ok, raw, serving, stream

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
USAGE = {"choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 7}}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def slowly(*parts: str, pause: float) -> Answer:
    """Send each part as an event after a pause; a part that begins with `:` is a comment."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for part in parts:
            await asyncio.sleep(pause)
            line = part if part.startswith(":") else f"data: {part}"
            writer.write(f"{line}\n\n".encode())
            await writer.drain()

    return answer


def events(*texts: str) -> list[str]:
    return [json.dumps(delta(text)) for text in texts] + [json.dumps(delta("", "stop")), json.dumps(USAGE), "[DONE]"]


async def test_stream_is_asked_for_unless_the_user_says_otherwise(run: Run) -> None:
    async with serving(ok("fine")) as endpoint:
        await ask(run.model(endpoint), plain)
        await ask(run.model(endpoint, model_params={"stream": False}), plain, "other")
    first, second = (request.body for request in endpoint.requests)
    assert (first["stream"], first["stream_options"]) == (True, {"include_usage": True})
    assert "stream" not in second and "stream_options" not in second


async def test_answer_that_takes_longer_than_the_time_out_arrives_with_its_usage(run: Run) -> None:
    async with serving(slowly(*events(*"abcdefgh"), pause=0.15)) as endpoint:
        started = time.monotonic()
        model = run.model(endpoint, call_timeout=0.6)
        assert await ask(model, plain) == "abcdefgh"
    assert time.monotonic() - started > 1.2
    assert (model.usage.prompt, model.usage.completion, model.usage.estimated) == (50, 7, False)
    assert len(endpoint.requests) == 1


async def test_comments_that_keep_a_connection_alive_are_no_part_of_the_answer(run: Run) -> None:
    parts = [": PROCESSING", ": PROCESSING", *events("fi", "ne")]
    async with serving(slowly(*parts, pause=0.01)) as endpoint:
        assert await ask(run.model(endpoint), plain) == "fine"


@pytest.mark.parametrize("part", [": PROCESSING", json.dumps(delta("x"))], ids=["comments alone", "then nothing"])
async def test_stall_is_told_by_silence(run: Run, part: str) -> None:
    sent: list[str] = []

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for _ in range(500 if part.startswith(":") else 1):
            await asyncio.sleep(0.02)
            writer.write(f"{part if part.startswith(':') else f'data: {part}'}\n\n".encode())
            await writer.drain()
            sent.append(part)
        await asyncio.Event().wait()

    async with serving(answer) as endpoint:
        with pytest.raises(ProviderError, match=r"no answer within 0\.3 s"):
            await ask(run.model(endpoint, call_timeout=0.3, attempts=1), plain)
    assert len(sent) < 500


@pytest.mark.parametrize(
    "cut",
    [fault(504, "gateway timeout"), fault(524, "a timeout occurred"), drop, stream(delta("half"), complete=False)],
    ids=["504", "524", "dropped", "broken off"],
)
async def test_cut_by_a_gateway_is_tried_again(run: Run, cut: Answer) -> None:
    async with serving(cut, cut, stream(*events("whole"))) as endpoint:
        assert await ask(run.model(endpoint), plain) == "whole"
    assert len(endpoint.requests) == 3


REFUSALS: dict[str, tuple[list[Answer], dict[str, object]]] = {
    "options unknown": (
        [fault(400, "Unrecognized request argument supplied: stream_options")],
        {"stream": True},
    ),
    "options forbidden": (
        [raw('{"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}', 422)],
        {"stream": True},
    ),
    "no stream": ([fault(400, "streaming is not supported by this model")], {}),
    "organisation": ([fault(400, "Your organization must be verified to stream this model.", param="stream")], {}),
    "neither": ([fault(400, "unknown field stream_options"), fault(400, "stream must be false")], {}),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_endpoint_that_takes_no_stream_is_asked_without_from_then_on(run: Run, name: str) -> None:
    refusals, fields = REFUSALS[name]
    async with serving(*refusals, ok("fine")) as endpoint:
        model = run.model(endpoint, attempts=1)
        for item in ("one", "two"):
            assert await model.ask("planner", item, PROMPT, plain) == "fine"
        await model.close()
    assert len(endpoint.requests) == len(refusals) + 2
    last = endpoint.requests[-1].body
    assert {key: last[key] for key in ("stream", "stream_options") if key in last} == fields


async def test_empty_stream_is_asked_without_one_so_that_the_endpoint_can_say_why(run: Run) -> None:
    async with serving(
        raw("", type="text/event-stream"), fault(400, "the input length exceeds the context length")
    ) as e:
        with pytest.raises(ProviderError, match="context length"):
            await ask(run.model(e), plain)
    assert len(e.requests) == 2


async def test_connection_that_ends_with_an_empty_stream_is_made_anew(run: Run) -> None:
    """As llama-cpp-python closes it: the next request on it meets nobody."""
    refusal = fault(400, "the input length exceeds the context length")
    async with serving(raw("", type="text/event-stream"), drop, refusal) as endpoint:
        with pytest.raises(ProviderError, match="context length"):
            await ask(run.model(endpoint, attempts=1), plain)
    assert len(endpoint.requests) == 3


async def test_faults_that_only_speak_of_streams_change_nothing(run: Run) -> None:
    async with serving(fault(500, "upstream stream broke"), stream(*events("fine"))) as endpoint:
        assert await ask(run.model(endpoint), plain) == "fine"
    assert endpoint.requests[-1].body["stream"] is True


# -- models without a system role --------------------------------------------------------------------------------------


NO_SYSTEM: dict[str, Answer] = {
    "vLLM": fault(400, "System role not supported", type="BadRequestError", code=400),
    "template": fault(400, "Conversation roles must alternate user/assistant/user/assistant/..."),
    "OpenAI": fault(
        400,
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        param="messages[0].role",
        code="unsupported_value",
    ),
    "Gemini": raw(
        '[{"error": {"code": 400, "message": "Developer instruction is not enabled for models/gemma"}}]', 400
    ),
    "llama.cpp": fault(500, "Jinja Exception: System role not supported", type="server_error", code=500),
    "FastAPI": raw('{"detail": "Unsupported role: system"}', 422),
}


@pytest.mark.parametrize("name", NO_SYSTEM)
async def test_model_without_a_system_role_gets_its_text_in_the_first_question_from_then_on(
    run: Run, name: str
) -> None:
    async with serving(NO_SYSTEM[name], ok("fine")) as endpoint:
        model = run.model(endpoint, attempts=1)
        for item in ("one", "two"):
            assert await model.ask("planner", item, PROMPT, plain) == "fine"
        await model.close()
    assert len(endpoint.requests) == 3
    for request in endpoint.requests[1:]:
        assert request.body["messages"] == [{"role": "user", "content": "the rules\n\nthe paper\n\nthe task"}]


async def test_many_calls_at_once_find_out_together(run: Run) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        request = endpoint.requests[-1]
        await asyncio.sleep(0.05)
        roles = [turn["role"] for turn in request.body["messages"]]  # type: ignore[index, union-attr]
        await (NO_SYSTEM["vLLM"] if "system" in roles else ok("fine"))(writer)

    async with serving(answer) as endpoint:
        model = run.model(endpoint, attempts=1, concurrency=4)
        calls = [model.ask("coder", f"{n}.py", PROMPT, plain) for n in range(8)]
        assert await asyncio.gather(*calls) == ["fine"] * 8
        await model.close()
    assert len(endpoint.requests) <= 12


async def test_system_text_that_may_have_been_dropped_in_silence_is_said_once(run: Run) -> None:
    """llama-cpp-python drops it for some of its chat formats; other endpoints count only what no cache held."""
    usage = {"prompt_tokens": 14, "completion_tokens": 5}
    body = json.dumps({"choices": [{"finish_reason": "stop", "message": {"content": "a"}}], "usage": usage})
    paper = "The loss of the network falls with the number of steps. " * 200
    prompt = Prompt((Part("rules", "the rules"), Part("paper", paper)), PROMPT.body)
    async with serving(raw(body)) as endpoint:
        model = run.model(endpoint)
        for item in ("one", "two"):
            assert await model.ask("planner", item, prompt, plain) == "a"
        await model.close()
    assert len(endpoint.requests) == 2
    [warning] = run.of_type("warning")
    assert "may have dropped the system text" in str(warning["message"])


async def test_endpoint_whose_streams_never_say_their_end_is_asked_without(run: Run) -> None:
    whole = json.dumps({"choices": [{"message": {"content": "fine"}}]})
    async with serving(stream(delta("fi"), delta("ne")), raw(whole)) as endpoint:
        assert await ask(run.model(endpoint), plain) == "fine"
    assert [request.body.get("stream") for request in endpoint.requests] == [True, None]


async def test_one_broken_end_is_no_reason_to_give_up_streams_that_ended_before(run: Run) -> None:
    good = stream(delta("fine"), delta("", "stop"), "[DONE]")
    async with serving(good, stream(delta("fi")), good) as endpoint:
        model = run.model(endpoint)
        for item in ("one", "two"):
            assert await model.ask("planner", item, PROMPT, plain) == "fine"
        await model.close()
    assert [request.body.get("stream") for request in endpoint.requests] == [True, True, True]
