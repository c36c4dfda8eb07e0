"""Server-sent events: how answers are streamed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

_SAYS_NOTHING = re.compile(rb':|event:|data: ?\{"type": ?"ping"')
"""Comments and pings keep a connection alive, whatever has become of the answer."""


async def gathered(pieces: AsyncIterator[bytes], heard: Callable[[], None]) -> str:
    """Return a whole body, a stream's or another; `heard` is called for each piece that says something."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if any(line.strip() and not _SAYS_NOTHING.match(line) for line in piece.splitlines()):
            heard()
    return body.decode("utf-8", "replace")


def events_of(body: str) -> tuple[list[str], bool]:
    """Return the data of a stream's events, or nothing if the body is no stream; and whether its end was said.

    An event that is cut off is dropped: the missing end is noticed by the missing finish reason. Comments, with which
    gateways keep a connection alive, are passed over.
    """
    lines = re.split(r"\r\n|\n|\r", body)  # not splitlines: answers may hold other line separators
    first = next((line for line in lines if line.strip()), "")
    if not first.startswith(("data:", "event:", "id:", "retry:", ":")):
        return [], False
    data = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
    whole = data if body.endswith(("\n", "\r")) else data[:-1]
    return [event for event in whole if event and event != "[DONE]"] or ["{}"], "[DONE]" in data
