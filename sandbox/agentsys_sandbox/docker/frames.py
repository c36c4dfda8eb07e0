"""The engine's frame format, in which a program's output arrives."""

from __future__ import annotations

from collections.abc import Iterator

from agentsys_sandbox.capture import StreamName

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
