"""The body of a chat completion as an answer. Endpoints differ in what they leave out, so every field is optional."""

from __future__ import annotations

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


class _Completion(_Lenient):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None


def read_completion(body: str, *, key_name: str, redactor: Redactor) -> Reply:
    """Return the answer in a response body with status 200.

    No choice at all is an empty answer of unknown end. Usage is zero where the endpoint gives none.

    Raises: WrongPage for a body that is not a completion; Transient or Fatal for an error object inside it.
    """
    try:
        data = _Completion.model_validate_json(body)
    except ValidationError as error:
        raise page_fault(body) from error
    if data.choices is None:
        fields = error_of(body)
        if "error" in body[:200] and fields:
            raise status_fault(_code(fields), body, {}, key_name=key_name, redactor=redactor)
        raise page_fault(body)
    choice = data.choices[0] if data.choices else _Choice()
    message = choice.message or _Message()
    finish = _FINISH.get((choice.finish_reason or "").lower(), "unknown")
    text = _text(message)
    if message.refusal and not text:
        text, finish = message.refusal, "refused"
    return Reply(redactor.text(clean(text)), finish, _usage(data.usage), data.model or "")


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
