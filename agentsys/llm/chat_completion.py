"""The body of a chat completion as an answer. Endpoints differ in what they leave out, so every field is optional.

A streamed body (server-sent events) is read as a whole too: some endpoints answer in no other way, and a stream keeps
long calls alive behind gateways that cut idle connections.
"""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, ValidationError

from agentsys.llm.http_faults import error_of, page_fault, status_fault
from agentsys.llm.redact import Redactor
from agentsys.llm.render import clean
from agentsys.llm.types import FinishReason, Reply, Usage

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "refused",
    "refusal": "refused",
    "safety": "refused",
}


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Details(_Lenient):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Usage(_Lenient):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek


class _Text(_Lenient):
    text: str = ""


class _Message(_Lenient):
    content: str | list[_Text] | None = None
    refusal: str | None = None


class _Choice(_Lenient):
    finish_reason: str | None = None
    message: _Message | None = None
    delta: _Message | None = None


class _Completion(_Lenient):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: object = None


def read_completion(body: str, *, key_name: str, redactor: Redactor) -> Reply:
    """Return the answer in a response body with status 200.

    No choice at all is an empty answer of unknown end. Usage is zero where the endpoint gives none.

    Raises: WrongPage for a body that is not a completion; Transient or Fatal for an error object inside it.
    """
    events = _events(body)
    chunks = [_chunk(event, key_name, redactor) for event in events or [body]]
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    if not events and chunks[0].choices is None:
        raise page_fault(body)
    messages = [choice.message or choice.delta or _Message() for choice in choices]
    text = "".join(_text(message) for message in messages)
    refusal = "".join(message.refusal or "" for message in messages)
    reason = next((choice.finish_reason for choice in reversed(choices) if choice.finish_reason), "")
    finish = _FINISH.get(reason.lower(), "unknown")
    if refusal and not text:
        text, finish = refusal, "refused"
    usage = next((chunk.usage for chunk in reversed(chunks) if chunk.usage), None)
    model = next((chunk.model for chunk in chunks if chunk.model), "")
    return Reply(redactor.text(clean(text)), finish, _usage(usage), model)


def _events(body: str) -> list[str]:
    """Return the data of a stream's events, or nothing if the body is no stream. An event that is cut off is dropped:
    the missing end is noticed by the missing finish reason."""
    lines = re.split(r"\r\n|\n|\r", body)  # not splitlines: answers may hold other line separators
    first = next((line for line in lines if line.strip()), "")
    if not first.startswith(("data:", "event:", ":")):
        return []
    data = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
    whole = data if body.endswith(("\n", "\r")) else data[:-1]
    return [event for event in whole if event and event != "[DONE]"] or ["{}"]


def _chunk(body: str, key_name: str, redactor: Redactor) -> _Completion:
    try:
        data = _Completion.model_validate_json(body)
    except ValidationError as error:
        raise page_fault(body) from error
    if data.error and not data.choices:
        raise status_fault(_code(error_of(body)), body, {}, key_name=key_name, redactor=redactor)
    return data


def _text(message: _Message) -> str:
    content = message.content or ""
    return content if isinstance(content, str) else "".join(part.text for part in content)


def _usage(usage: _Usage | None) -> Usage:
    if usage is None:
        return Usage()
    details = usage.prompt_tokens_details or _Details()
    return Usage(
        prompt=usage.prompt_tokens or 0,
        cached=details.cached_tokens or usage.prompt_cache_hit_tokens or 0,
        completion=usage.completion_tokens or 0,
        written=details.cache_write_tokens or 0,
    )


def _code(error: dict[str, object]) -> int:
    code = error.get("code") or error.get("status")
    return code if isinstance(code, int) and 400 <= code <= 599 else 500
