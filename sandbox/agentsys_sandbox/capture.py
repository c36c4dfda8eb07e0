"""A capture of a program's output that keeps head and tail, and knows a flood."""

from __future__ import annotations

from collections import deque
from typing import Literal

StreamName = Literal["stdout", "stderr"]
FLOOD_FACTOR = 8
FLOOD_MIN = 64 << 20


class HeadTail:
    """Keeps the first and the last bytes of a stream and counts what is left out between.

    Args:
        limit: bytes kept at most. A quarter is the head, the rest the tail: errors stand at the end.
    """

    def __init__(self, limit: int) -> None:
        if limit < 0:
            raise ValueError(f"negative limit {limit}")
        self._head_limit = limit // 4
        self._tail_limit = limit - self._head_limit
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self.total = 0

    def add(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self.total += len(data)
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            self._tail.append(data)
            self._tail_size += len(data)
            while self._tail and self._tail_size - len(self._tail[0]) >= self._tail_limit:
                self._tail_size -= len(self._tail.popleft())

    @property
    def cut(self) -> int:
        """Bytes that were left out."""
        return max(0, self.total - len(self._head) - min(self._tail_size, self._tail_limit))

    def value(self) -> bytes:
        """Head and tail; between them, where bytes are missing, a line that says how many."""
        tail = b"".join(self._tail)
        tail = tail[len(tail) - self._tail_limit :] if len(tail) > self._tail_limit else tail
        if not self.cut:
            return bytes(self._head) + tail
        return bytes(self._head) + f"\n[... {self.cut} bytes left out ...]\n".encode() + tail


class Capture:
    """Both streams of one execution.

    Args:
        limit: bytes kept of each stream.
        flood: bytes of both streams together after which the program counts as flooding.
    """

    def __init__(self, limit: int, flood: int) -> None:
        self._streams: dict[StreamName, HeadTail] = {"stdout": HeadTail(limit), "stderr": HeadTail(limit)}
        self._flood = flood

    def add(self, name: StreamName, data: bytes) -> None:
        """Take a piece of one stream."""
        self._streams[name].add(data)

    @property
    def flooded(self) -> bool:
        """True once more came than any honest program writes."""
        return sum(stream.total for stream in self._streams.values()) > self._flood

    @property
    def cut(self) -> int:
        """Bytes left out of both streams."""
        return sum(stream.cut for stream in self._streams.values())

    def value(self, name: StreamName) -> bytes:
        """What was kept of one stream."""
        return self._streams[name].value()


def flood_limit(max_output: int) -> int:
    """Bytes after which output is a flood: far above what is kept, so that a chatty program is only cut."""
    return max(FLOOD_MIN, FLOOD_FACTOR * max_output)
