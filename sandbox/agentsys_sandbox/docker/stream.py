"""The two-way connection to a program started in a container."""

from __future__ import annotations

import select
import socket
import ssl
from typing import Any

_READ_MOST = 1 << 20


class ExecStream:
    """The two-way connection to a program started in a container."""

    def __init__(self, raw: Any) -> None:
        # The SDK hands out the raw socket, but bytes that came in one piece with the HTTP header are still in the
        # buffered reader above it: read from there, or output is lost on a busy machine.
        response = getattr(raw, "_response", None)
        self._raw = raw
        self._reader: Any = response.raw._fp.fp if response is not None else raw
        self._socket: Any = getattr(raw, "_sock", raw)
        self._socket.settimeout(None)
        self.half_closes = not isinstance(self._socket, ssl.SSLSocket)
        """False where the end of the input cannot be told: Python's TLS connections end in both directions at once."""

    def read(self) -> bytes:
        """Block until bytes come, then take what else is there; empty at the end, also after `abort`."""
        found = [self._read_some()]
        size = len(found[0])
        while found[-1] and size < _READ_MOST and select.select([self._socket], [], [], 0)[0]:
            found.append(self._read_some())
            size += len(found[-1])
        return b"".join(found)

    def _read_some(self) -> bytes:
        try:
            data: bytes = self._reader.read1(1 << 16) if hasattr(self._reader, "read1") else self._raw.recv(1 << 16)
        except (OSError, ValueError):  # reset by the engine, or closed by `abort`
            return b""
        return data

    def send(self, data: bytes) -> bool:
        """Send a piece of the program's input; False where nobody takes it any more."""
        try:
            self._socket.sendall(data)
        except OSError:
            return False
        return True

    def write(self, data: bytes) -> None:
        """Send all of the program's input and its end. A program that does not read it is no error."""
        try:
            self._socket.sendall(data)
            if self.half_closes:
                self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def abort(self) -> None:
        """End the connection; a blocked `read` or `write` in another thread returns."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        """Free the connection; call it when nobody reads or writes any more."""
        for part in (self._reader, self._raw, self._socket):
            try:
                part.close()
            except OSError:
                continue
