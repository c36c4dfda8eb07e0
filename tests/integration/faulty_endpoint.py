"""A chat endpoint on loopback that misbehaves as told: real sockets, one scripted answer for each request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, object]


current: ContextVar[Request] = ContextVar("current")
"""The request that is being answered."""


@dataclass
class Endpoint:
    """Answers request by request from `script`; the last entry answers all further ones."""

    script: list[Answer]
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    active: int = 0
    most_active: int = 0
    _arrivals: asyncio.Queue[Request] = field(default_factory=lambda: asyncio.Queue[Request]())
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set as soon as a client has closed its connection while it was being answered."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def arrivals(self, count: int) -> None:
        """Wait until so many more requests have come."""
        for _ in range(count):
            await self._arrivals.get()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read(reader)
            if request is None:
                return
            self.requests.append(request)
            self._arrivals.put_nowait(request)
            self.active += 1
            self.most_active = max(self.most_active, self.active)
            current.set(request)
            answering = asyncio.ensure_future(self.script[min(len(self.requests), len(self.script)) - 1](writer))
            leaving = asyncio.ensure_future(reader.read(1))
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done() and not answering.done():
                self.gone.set()
            answering.cancel()
            leaving.cancel()
            self.active -= 1
        finally:
            writer.close()


@asynccontextmanager
async def serving(*script: Answer) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(list(script))
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(first.split()[1], headers, json.loads(body))


# -- answers -----------------------------------------------------------------------------------------------------------


def raw(
    body: str, status: int = 200, type: str = "application/json", headers: Mapping[str, str] | None = None
) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        data = body.encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {type}\r\ncontent-length: {len(data)}\r\n{extra}"
        writer.write(f"{head}connection: close\r\n\r\n".encode() + data)
        await writer.drain()

    return answer


def completion(text: str | None, finish: str | None = "stop", **message: object) -> str:
    return json.dumps(
        {
            "model": "served-model",
            "choices": [{"index": 0, "finish_reason": finish, "message": {"content": text, **message}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 60}},
        }
    )


def ok(text: str | None, finish: str | None = "stop", **message: object) -> Answer:
    return raw(completion(text, finish, **message))


def fault(status: int, message: str = "no", headers: Mapping[str, str] | None = None, **error: object) -> Answer:
    return raw(json.dumps({"error": {"message": message, **error}}), status, headers=headers)


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def trickle(writer: asyncio.StreamWriter) -> None:
    """Send a space now and then, for ever: the connection never looks idle."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def drop(writer: asyncio.StreamWriter) -> None:
    """Close the connection without a word."""


async def cut_body(writer: asyncio.StreamWriter) -> None:
    """Announce more bytes than are sent."""
    body = completion("x" * 500).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body[:200])
    await writer.drain()


async def cut_json(writer: asyncio.StreamWriter) -> None:
    """Send half of a body whose length was not announced: the connection's end looks regular."""
    body = completion("x" * 500).encode()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n" + body[:200])
    await writer.drain()


def stream(*chunks: Mapping[str, object] | str, complete: bool = True) -> Answer:
    """Send server-sent events; an incomplete stream breaks off inside its chunked encoding."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
        writer.write(f"{head}connection: close\r\n\r\n".encode())
        for chunk in chunks:
            data = f"data: {chunk if isinstance(chunk, str) else json.dumps(chunk)}\n\n".encode()
            writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        if complete:
            writer.write(b"0\r\n\r\n")
        await writer.drain()

    return answer


def delta(text: str, finish: str | None = None) -> dict[str, object]:
    return {"model": "served-model", "choices": [{"delta": {"content": text}, "finish_reason": finish}]}


def after(event: asyncio.Event, then: Answer) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        await event.wait()
        await then(writer)

    return answer
