"""Anthropic's messages API, with a prompt-cache breakpoint at the end of the stable prefix."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from agentsys.core.errors import PrerequisiteError
from agentsys.llm.faults import Faults
from agentsys.llm.provider import SdkProvider
from agentsys.llm.render import base64_of, clean, join, turn
from agentsys.llm.sse import events_of, gathered
from agentsys.llm.transport import broken, transport
from agentsys.llm.types import Feedback, FinishReason, Prompt, Reply, Usage

if TYPE_CHECKING:
    from anthropic.types import ImageBlockParam, MessageParam, TextBlockParam

DEFAULT_MAX_TOKENS = 32_000
"""The API demands an upper bound for the answer; `max_tokens` in `model_params` changes it."""

MediaType = Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
"""What the API takes; `agentsys.llm.pictures` makes no others."""

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}


class AnthropicProvider(SdkProvider):
    """Messages, streamed. Raises: PrerequisiteError if the `anthropic` package is missing."""

    name = "anthropic"
    key_variables = ("ANTHROPIC_API_KEY",)
    endpoint_variable = "ANTHROPIC_BASE_URL"
    endpoint = "https://api.anthropic.com"
    models = ("claude-*",)
    reserved = ("stream",)

    def _connect(self, api_key: str, base_url: str | None) -> None:
        try:
            from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient
        except ImportError as error:
            hint = "install it with `pip install 'agentsys[anthropic]'`"
            raise PrerequisiteError("the package `anthropic` is not installed", hint) from error
        self._max_tokens = _limit(self._params)
        self._client = AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            timeout=self._timeout,
            default_query=self._query,
            default_headers=self._headers,
            http_client=DefaultAsyncHttpxClient(**transport(base_url or self.endpoint)),
        )

    @property
    def _errors(self) -> tuple[type[Exception], type[Exception], tuple[type[Exception], ...]]:
        import anthropic

        http = broken(anthropic.DefaultAsyncHttpxClient)
        return anthropic.APIStatusError, anthropic.APITimeoutError, (anthropic.APIError, http)

    async def _post(self, prompt: Prompt, feedback: Feedback, heard: Callable[[], None]) -> str:
        async with self._client.messages.with_streaming_response.create(
            model=self.model,
            max_tokens=self._max_tokens,
            system=system(prompt),
            messages=messages(prompt, feedback),
            extra_body=self._params | {"stream": True},
            timeout=self._timeout,
        ) as response:
            return await gathered(response.iter_bytes(), heard)

    def _read(self, body: str) -> Reply:
        return read_message(body, self._faults)

    async def close(self) -> None:
        await self._client.close()


def system(prompt: Prompt) -> list[TextBlockParam]:
    """Return the stable prefix as one block that ends in a cache breakpoint."""
    if not prompt.prefix:
        return []
    return [{"type": "text", "text": join(prompt.prefix), "cache_control": {"type": "ephemeral"}}]


def messages(prompt: Prompt, feedback: Feedback = ()) -> list[MessageParam]:
    """Return the question and the earlier answers with their faults.

    What stands before the last part of a question may begin another one too: it ends in a cache breakpoint.
    """
    question: list[TextBlockParam | ImageBlockParam] = []
    if before := join(prompt.body[:-1]):
        question.append({"type": "text", "text": before, "cache_control": {"type": "ephemeral"}})
    question.append({"type": "text", "text": join(prompt.body[-1:])})
    for image in prompt.images:
        if image.caption:
            question.append({"type": "text", "text": clean(image.caption)})
        kind = cast("MediaType", image.media_type)
        question.append({"type": "image", "source": {"type": "base64", "media_type": kind, "data": base64_of(image)}})
    chat: list[MessageParam] = [{"role": "user", "content": question}]
    for answer, fault in feedback:
        # The API rejects an assistant's turn that ends in white space.
        chat.append({"role": "assistant", "content": turn(answer).rstrip()})
        chat.append({"role": "user", "content": fault})
    return chat


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Block(_Lenient):
    type: str = ""
    text: str = ""
    thinking: str = ""


class _Delta(_Lenient):
    text: str = ""
    thinking: str = ""
    stop_reason: str | None = None


class _Usage(_Lenient):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Message(_Lenient):
    model: str | None = None
    content: list[_Block]
    stop_reason: str | None = None
    usage: _Usage | None = None


class _Event(_Lenient):
    """One event of a stream; which fields it has depends on its type."""

    message: _Message | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: object = None


def read_message(body: str, faults: Faults) -> Reply:
    """Return the answer in a response body with status 200, a stream or a whole message.

    Raises: WrongPage for a body that is not a message; Transient or Fatal for an error inside a stream.
    """
    events, _ = events_of(body)
    try:
        data = _streamed(events, faults) if events else _Message.model_validate_json(body)
    except ValidationError as error:
        raise faults.of_page(body) from error
    text = "".join(block.text for block in data.content if block.type == "text")
    thinking = "".join(block.thinking for block in data.content if block.type == "thinking")
    finish = _FINISH.get(data.stop_reason or "", "unknown")
    secret = faults.redactor.text
    usage = _usage(data.usage or _Usage())
    return Reply(secret(clean(text)), finish, usage, data.model or "", thinking=secret(clean(thinking)))


def _streamed(events: list[str], faults: Faults) -> _Message:
    """Put a message together; one that breaks off has no stop reason."""
    found, blocks = _Message(content=[]), list[_Block]()
    for row in events:
        event = _Event.model_validate_json(row)
        if event.error:
            raise faults.of_error(row)
        found = event.message or found
        if event.delta is not None:
            if event.delta.text or event.delta.thinking:
                kind = "text" if event.delta.text else "thinking"
                blocks.append(_Block(type=kind, text=event.delta.text, thinking=event.delta.thinking))
            found = found.model_copy(update={"stop_reason": event.delta.stop_reason or found.stop_reason})
        if event.usage is not None:
            # The last event counts the answer, the first one the prompt.
            counted = event.usage.model_dump(exclude_none=True)
            found = found.model_copy(update={"usage": (found.usage or _Usage()).model_copy(update=counted)})
    return found.model_copy(update={"content": [*found.content, *blocks]})


def _usage(usage: _Usage) -> Usage:
    """Anthropic counts what went through the cache apart; our `prompt` is the whole."""
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Usage((usage.input_tokens or 0) + cached + written, cached, usage.output_tokens or 0, written)


def _limit(params: dict[str, object]) -> int:
    value = params.pop("max_tokens", DEFAULT_MAX_TOKENS)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise PrerequisiteError("`max_tokens` in `model_params` is not a positive whole number", "correct it")
    return value
