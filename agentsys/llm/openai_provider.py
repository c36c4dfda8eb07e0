"""Any OpenAI-compatible chat endpoint: OpenAI, Azure, vLLM, Ollama, llama.cpp, OpenRouter, DeepSeek, Gemini ..."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from agentsys.llm.faults import Faults, error_of
from agentsys.llm.provider import SdkProvider
from agentsys.llm.render import base64_of, clean, join, turn
from agentsys.llm.types import Feedback, FinishReason, Prompt, Reply, Usage

if TYPE_CHECKING:
    from openai.types.chat import (
        ChatCompletionContentPartParam,
        ChatCompletionContentPartTextParam,
        ChatCompletionMessageParam,
    )

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


class OpenAIProvider(SdkProvider):
    """Chat completions. It also takes every model that no other provider takes.

    Not streamed by default: a body that ends early is then an error of the transport, never half an answer, and the
    usage always comes along. `stream: true` in the parameters asks for a stream, `prompt_cache_options` marks the end
    of the prompt's prefix as a cache breakpoint.
    """

    name = "openai"
    key_variables = ("OPENAI_API_KEY",)
    endpoint_variable = "OPENAI_BASE_URL"
    endpoint_ending = "/v1"

    def _connect(self, api_key: str, base_url: str | None) -> None:
        from openai import AsyncOpenAI

        if self._params.get("stream"):
            self._params.setdefault("stream_options", {"include_usage": True})
        self._client = AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=0, timeout=self._timeout)

    @property
    def _errors(self) -> tuple[type[Exception], type[Exception], type[Exception]]:
        import openai

        return openai.APIStatusError, openai.APITimeoutError, openai.APIError

    async def _post(self, prompt: Prompt, feedback: Feedback) -> str:
        chat = messages(prompt, feedback, breakpoint="prompt_cache_options" in self._params)
        raw = await self._client.chat.completions.with_raw_response.create(
            model=self.model, messages=chat, extra_body=self._params
        )
        return raw.http_response.text

    def _read(self, body: str) -> Reply:
        return read_completion(body, self._faults)

    async def close(self) -> None:
        await self._client.close()


def messages(prompt: Prompt, feedback: Feedback = (), *, breakpoint: bool = False) -> list[ChatCompletionMessageParam]:
    """Return the chat: the prefix as system message, then the question, then each earlier answer with its fault."""
    chat: list[ChatCompletionMessageParam] = []
    if prompt.prefix:
        text = join(prompt.prefix)
        block: ChatCompletionContentPartTextParam = {
            "type": "text",
            "text": text,
            "prompt_cache_breakpoint": {"mode": "explicit"},
        }
        chat.append({"role": "system", "content": [block] if breakpoint else text})
    chat.append({"role": "user", "content": _question(prompt)})
    for answer, fault in feedback:
        chat.append({"role": "assistant", "content": turn(answer)})
        chat.append({"role": "user", "content": fault})
    return chat


def _question(prompt: Prompt) -> str | list[ChatCompletionContentPartParam]:
    text = join(prompt.body)
    if not prompt.images:
        return text
    parts: list[ChatCompletionContentPartParam] = [{"type": "text", "text": text}]
    for image in prompt.images:
        if image.caption:
            parts.append({"type": "text", "text": clean(image.caption)})
        url = f"data:{image.media_type};base64,{base64_of(image)}"
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return parts


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


def read_completion(body: str, faults: Faults) -> Reply:
    """Return the answer in a response body with status 200.

    No choice at all is an empty answer of unknown end. Usage is zero where the endpoint gives none. Endpoints differ in
    what they leave out, so every field is optional. A streamed body (server-sent events) is read as a whole too: some
    endpoints answer in no other way, and a stream keeps long calls alive behind gateways that cut idle connections.

    Raises: WrongPage for a body that is not a completion; Transient or Fatal for an error object inside it.
    """
    events = _events(body)
    chunks = [_chunk(event, faults) for event in events or [body]]
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    if not events and chunks[0].choices is None:
        raise faults.of_page(body)
    messages = [choice.message or choice.delta or _Message() for choice in choices]
    text = "".join(_text(message) for message in messages)
    refusal = "".join(message.refusal or "" for message in messages)
    reason = next((choice.finish_reason for choice in reversed(choices) if choice.finish_reason), "")
    finish = _FINISH.get(reason.lower(), "unknown")
    if refusal and not text:
        text, finish = refusal, "refused"
    usage = next((chunk.usage for chunk in reversed(chunks) if chunk.usage), None)
    model = next((chunk.model for chunk in chunks if chunk.model), "")
    return Reply(faults.redactor.text(clean(text)), finish, _usage(usage), model)


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


def _chunk(body: str, faults: Faults) -> _Completion:
    try:
        data = _Completion.model_validate_json(body)
    except ValidationError as error:
        raise faults.of_page(body) from error
    if data.error and not data.choices:
        raise faults.of_status(_code(error_of(body)), body, {})
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
