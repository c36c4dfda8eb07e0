"""Reading a program's output: the engine's frame format, and a capture that keeps head and tail."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Literal

StreamName = Literal["stdout", "stderr"]

_NAMES: dict[int, StreamName] = {1: "stdout", 2: "stderr"}
_HEADER = 8


class FrameError(ValueError):
    """The bytes are no frames: the connection is out of step and cannot be trusted any more."""


class FrameReader:
    """Splits the attach stream of the Docker Engine API into pieces of stdout and stderr.

    Each frame has a header of 8 bytes: the stream (1 stdout, 2 stderr), three zeros, and the length as big-endian
    unsigned 32-bit number (Docker Engine API, "Attach to a container", stream format). Frames may arrive in any
    fragments; payload is passed on as it comes, so that a large frame never has to fit in memory.
    """

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0
        self._name: StreamName = "stdout"

    def feed(self, data: bytes) -> Iterator[tuple[StreamName, bytes]]:
        """Take bytes off the wire; yield (stream, payload) pieces.

        Raises: FrameError where a header is malformed.
        """
        at = 0
        while at < len(data):
            if self._left == 0:
                at = self._take_header(data, at)
                continue
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            yield self._name, piece

    def _take_header(self, data: bytes, at: int) -> int:
        take = min(_HEADER - len(self._header), len(data) - at)
        self._header += data[at : at + take]
        if len(self._header) == _HEADER:
            kind, zeros = self._header[0], self._header[1:4]
            if kind not in _NAMES or any(zeros):
                raise FrameError(f"malformed frame header {bytes(self._header)!r}")
            self._name, self._left = _NAMES[kind], int.from_bytes(self._header[4:], "big")
            self._header.clear()
        return at + take


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


FLOOD_FACTOR = 8
FLOOD_MIN = 64 << 20


def flood_limit(max_output: int) -> int:
    """Bytes after which output is a flood: far above what is kept, so that a chatty program is only cut."""
    return max(FLOOD_MIN, FLOOD_FACTOR * max_output)
