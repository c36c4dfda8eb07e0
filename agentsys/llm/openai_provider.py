"""Any OpenAI-compatible chat endpoint: OpenAI, Azure, vLLM, Ollama, llama.cpp, OpenRouter, DeepSeek, Gemini ..."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from agentsys.llm.errorbody import error_of, words_of
from agentsys.llm.faults import Faults
from agentsys.llm.provider import SdkProvider
from agentsys.llm.render import base64_of, clean, join, turn
from agentsys.llm.sse import events_of, gathered
from agentsys.llm.transport import broken, transport
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
    "complete": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "content_filter": "refused",
    "refusal": "refused",
    "safety": "refused",
    "recitation": "refused",
    "prohibited_content": "refused",
    "blocklist": "refused",
    "spii": "refused",
    "sensitive": "refused",
}


_REFUSES_STREAM = {400, 404, 405, 415, 422, 501}
_STREAM = re.compile(r"(?i)stream|server-sent|\bSSE\b")
_REFUSES_ROLE = {400, 404, 422, 500}
_NOT = r"(?:\bnot\b|n't\b|\bun[a-z]+|\binvalid\b)"
_SYSTEM = r"\b(?:system|developer)[\W_]{0,3}(?:role|message|prompt|instruction)s?\b"
_NO_SYSTEM = re.compile(
    rf"(?i){_SYSTEM}[^.]{{0,60}}(?:{_NOT}|\bmust be\b)|{_NOT}[^.]{{0,40}}{_SYSTEM}"
    rf"|{_NOT}[^.]{{0,20}}\broles?\b|\brole\b.{{0,20}}\b(?:system|developer)\b.{{0,30}}{_NOT}"
    r"|(?:not|n't) (?:support|accept) \W?(?:system|developer)\b|\bgot system\b"
    r"|roles? must alternate|\b(?:first|start)\b.{0,40}\buser\b|\buser\b\W{0,3}(?:,|\bor|\band)\W{1,3}assistant\b"
)
"""That a model has no role of its own for the rules, or that the chat must begin with the user's turn."""


class _Form(NamedTuple):
    """What of the protocol an endpoint takes; found out from what it refuses, and kept from then on."""

    stream: bool = True
    usage: bool = True
    """With the stream's last chunk."""
    system: bool = True
    """As a role of its own."""


class OpenAIProvider(SdkProvider):
    """Chat completions. It also takes every model that no other provider takes.

    Streamed where the endpoint takes it: gateways cut connections on which nothing is sent for a minute. `stream` in
    the parameters decides it, `prompt_cache_options` marks the end of the prompt's prefix as a cache breakpoint.
    """

    name = "openai"
    key_variables = ("OPENAI_API_KEY",)
    endpoint_variable = "OPENAI_BASE_URL"
    endpoint = "https://api.openai.com/v1"
    endpoint_ending = "/v1"

    def _connect(self, api_key: str, base_url: str | None) -> None:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        self._form = _Form(stream=bool(self._params.pop("stream", True)))
        self._ends = False  # whether any stream has said that it was at its end
        options = self._params.pop("stream_options", None)
        self._options: dict[str, object] = {"stream_options": options or {"include_usage": True}}
        address, query = parts_of(base_url or self.endpoint, self.model)
        headers = {"api-key": api_key} if is_azure(address) else {}
        self._client = AsyncOpenAI(
            api_key=api_key,
            base_url=address,
            max_retries=0,
            timeout=self._timeout,
            default_query=query | self._query,
            default_headers=headers | self._headers,
            http_client=DefaultAsyncHttpxClient(**transport(address)),
        )

    @property
    def _errors(self) -> tuple[type[Exception], type[Exception], tuple[type[Exception], ...]]:
        import openai

        return openai.APIStatusError, openai.APITimeoutError, (openai.APIError, broken(openai.DefaultAsyncHttpxClient))

    async def _post(self, prompt: Prompt, feedback: Feedback, heard: Callable[[], None]) -> str:
        from openai import APIConnectionError, APIStatusError

        while True:
            form = self._form
            try:
                body = await self._send(form, prompt, feedback, heard)
            except APIStatusError as error:
                simpler = _simpler(form, error.status_code, error.response.text)
                if simpler is None:
                    raise
                self._form = self._form if self._form != form else simpler  # another call may have found out already
                continue
            if body.strip() or not form.stream:
                return body
            whole = form._replace(stream=False)
            try:
                return await self._send(whole, prompt, feedback, heard)
            except APIConnectionError:  # the server has closed the connection of its broken stream
                return await self._send(whole, prompt, feedback, heard)

    async def _send(self, form: _Form, prompt: Prompt, feedback: Feedback, heard: Callable[[], None]) -> str:
        breakpoint = "prompt_cache_options" in self._params
        chat = messages(prompt, feedback, breakpoint=breakpoint, system=form.system)
        stream = ({"stream": True} | (self._options if form.usage else {})) if form.stream else {}
        # Beside the SDK's own fields: it looks through typed messages key by key, which took a third of a call's work.
        body = {"messages": chat} | self._params | stream
        async with self._client.chat.completions.with_streaming_response.create(
            model=self.model, messages=(), extra_body=body
        ) as response:
            return await gathered(response.iter_bytes(), heard)

    def _read(self, body: str) -> Reply:
        reply = read_completion(body, self._faults)
        if reply.finish != "unknown":
            self._ends = True
        elif not self._ends:  # whole bodies need no end that is said: the question goes again as one
            self._form = self._form._replace(stream=False)
        return reply

    async def close(self) -> None:
        await self._client.close()


def _simpler(form: _Form, status: int, body: str) -> _Form | None:
    """Return a form without what an endpoint has just refused, or None where it refuses something else."""
    words = words_of(error_of(body)) or body[:1000]
    if status in _REFUSES_ROLE and form.system and _NO_SYSTEM.search(words):
        return form._replace(system=False)
    if status not in _REFUSES_STREAM or not form.stream or not _STREAM.search(words):
        return None
    if form.usage and re.search(r"(?i)stream_options|include_usage", words):
        return form._replace(usage=False)
    return form._replace(stream=False)


_AZURE = re.compile(
    r"\.(?:openai|cognitiveservices|services\.ai)\.azure\.(?:com|us|cn)$|\.models\.ai\.azure\.com$|\.azure-api\.net$"
)


def is_azure(address: str) -> bool:
    """Return whether an address lies in Azure, where keys have a header of their own."""
    return bool(_AZURE.search(urlsplit(address).hostname or ""))


def parts_of(address: str, model: str) -> tuple[str, dict[str, str]]:
    """Return an address without its query, and the query, which has to stand in every request.

    An Azure resource without a path is completed: to the model's deployment where an `api-version` is named.
    """
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    if is_azure(address) and not parts.netloc.endswith(".azure-api.net") and path in ("", "/openai"):
        path = f"/openai/deployments/{quote(model, safe='')}" if "api-version" in query else "/openai/v1"
    return urlunsplit((parts.scheme, parts.netloc, path, "", "")), query


def messages(
    prompt: Prompt, feedback: Feedback = (), *, breakpoint: bool = False, system: bool = True
) -> list[ChatCompletionMessageParam]:
    """Return the chat: the prefix as system message, then the question, then each earlier answer with its fault.

    Models without a system role get the prefix at the head of the question.
    """
    if not system:
        prompt = replace(prompt, prefix=(), body=(*prompt.prefix, *prompt.body))
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
    thinking: object = None  # Mistral


class _Message(_Lenient):
    content: str | list[_Text | str] | None = None
    refusal: str | None = None
    reasoning_content: object = None  # DeepSeek, vLLM, llama.cpp
    reasoning: object = None  # OpenRouter, Ollama
    thinking: object = None  # Ollama's own


class _Choice(_Lenient):
    finish_reason: str | None = None
    message: _Message | None = None
    delta: _Message | None = None
    text: str | None = None
    error: object = None


class _Completion(_Lenient):
    model: str | None = None
    choices: list[_Choice] | None = None
    message: _Message | str | None = None
    usage: _Usage | None = None
    error: object = None


def read_completion(body: str, faults: Faults) -> Reply:
    """Return the answer in a response body with status 200.

    Endpoints differ in what they leave out, so every field is optional: usage is zero where there is none, and a whole
    body without a finish reason is a whole answer. A streamed body (server-sent events) is read as a whole too.

    Raises: WrongPage for a body that is not a completion; Transient or Fatal for an error inside it.
    """
    events, regular = events_of(body)
    chunks = [_chunk(event, faults) for event in events or [body]]
    choices = [choice for chunk in chunks for choice in _choices(chunk)]
    last = events[-1] if events else body
    if not choices and words_of(error_of(last)):
        raise faults.of_error(last)
    if not events and not choices and chunks[0].choices is None:
        raise faults.of_page(body)
    messages = [choice.message or choice.delta or _Message(content=choice.text) for choice in choices]
    text = "".join(_text(message) for message in messages)
    refusal = "".join(message.refusal or "" for message in messages)
    reason = next((choice.finish_reason for choice in reversed(choices) if choice.finish_reason), "")
    finish = _FINISH.get(reason.lower(), "unknown")
    if not reason and text and (regular or not events):
        finish = "stop"
    if refusal and not text:
        text, finish = refusal, "refused"
    usage = next((chunk.usage for chunk in reversed(chunks) if chunk.usage), None)
    model = next((chunk.model for chunk in chunks if chunk.model), "")
    secret = faults.redactor.text
    thinking = "".join(_thinking(message) for message in messages)
    return Reply(secret(clean(text)), finish, _usage(usage), model, thinking=secret(clean(thinking)))


def _choices(chunk: _Completion) -> list[_Choice]:
    """Return the first choice, if there is one; endpoints that imitate the protocol put its message elsewhere."""
    if chunk.choices:
        return chunk.choices[:1]
    message = chunk.message
    return [_Choice(message=message)] if isinstance(message, _Message) and message.content else []


def _chunk(body: str, faults: Faults) -> _Completion:
    try:
        data = _Completion.model_validate_json(body)
    except ValidationError as error:
        if words_of(error_of(body)):
            raise faults.of_error(body) from error
        raise faults.of_page(body) from error
    choices = data.choices or []
    whole = any(choice.finish_reason in _FINISH for choice in choices)
    inner = next((choice.error for choice in choices if choice.error), None if whole else data.error)
    error = json.dumps({"error": inner})
    if inner and (words_of(error_of(error)) or not choices):
        raise faults.of_error(error)
    return data


def _text(message: _Message) -> str:
    content = message.content or ""
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else part.text for part in content)


def _thinking(message: _Message) -> str:
    """Return the reasoning of a message; endpoints that give it under two names give it twice."""
    fields = (message.reasoning_content, message.reasoning, message.thinking)
    named = next((field for field in fields if isinstance(field, str) and field), "")
    if named or not isinstance(message.content, list):
        return named
    parts = [part.thinking for part in message.content if isinstance(part, _Text) and part.thinking]
    return "".join(part if isinstance(part, str) else json.dumps(part) for part in parts)


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
