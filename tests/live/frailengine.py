"""A socket in front of the engine that breaks as a test wants. It stands in for an engine that is restarted, hangs or
answers with errors: the engine itself is shared with everything else on this machine and is left alone."""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from agentsys_sandbox.docker.endpoints import docker_url

Fault = Literal["lost", "answer lost", "error"]
"""`lost`: the connection breaks before the engine hears of it; `answer lost`: after; `error`: an answer with 500."""
_REFUSAL = b'{"message":"made up by a test"}'


class FrailEngine:
    """Passes connections on to the real engine until told otherwise. Use it as a context manager.

    Args:
        folder: where its socket is made; the path must be short.
    """

    def __init__(self, folder: Path) -> None:
        self._real = (os.environ.get("DOCKER_HOST") or docker_url()).removeprefix("unix://")
        self.path = folder / "engine.sock"
        self.requests: list[str] = []
        """Method and path of each request, in order."""
        self.fault: Callable[[int, str], Fault | None] = lambda number, request: None
        """Asked before each request, with its number and its method and path."""
        self._lock = threading.Lock()
        self._server: socket.socket | None = None
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self.path}"

    def __enter__(self) -> FrailEngine:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> None:
        """Listen."""
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.path))
        self._server.listen(64)
        threading.Thread(target=self._serve, args=(self._server,), daemon=True).start()

    def down(self) -> None:
        """Break every connection and refuse new ones, as an engine does that stops."""
        self.path.unlink(missing_ok=True)
        with self._lock:
            server, self._server = self._server, None
            connections = [*self._open, *([server] if server else [])]
            self._open.clear()
        for each in connections:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def _connection(self, client: socket.socket) -> None:
        real = socket.socket(socket.AF_UNIX)
        with self._lock:
            if self._server is None:
                client.close()
                return
            self._open |= {client, real}
        try:
            real.connect(self._real)
            self._pass_on(client, real)
        except OSError:
            pass  # either side broke: that ends the other
        finally:
            for each in (client, real):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
            with self._lock:
                self._open -= {client, real}

    def _pass_on(self, client: socket.socket, real: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, real)
            selector.register(real, selectors.EVENT_READ, client)
            drop = False
            while selector.get_map():
                for key, _ in selector.select():
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    data = source.recv(1 << 16)
                    if source is client:
                        fault = self._judge(data)
                        if fault == "error":
                            head = f"HTTP/1.1 500 made up\r\nContent-Length: {len(_REFUSAL)}\r\nConnection: close\r\n"
                            client.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + _REFUSAL)
                        if fault in ("lost", "error"):
                            return
                        drop = drop or fault == "answer lost"
                    elif drop:
                        return
                    if not data:
                        # One direction ended; the other may go on, as with a program whose input is over.
                        selector.unregister(source)
                        with suppress(OSError):
                            key.data.shutdown(socket.SHUT_WR)
                        continue
                    key.data.sendall(data)

    def _judge(self, data: bytes) -> Fault | None:
        line = data.split(b"\r\n", 1)[0].split(b" ")
        if len(line) != 3 or not line[2].startswith(b"HTTP/"):
            return None  # the body of a request, or the input of a program
        method, path = line[0].decode(), line[1].decode()
        request = f"{method} {path.split('?')[0]}"
        with self._lock:
            self.requests.append(request)
            number = len(self.requests) - 1
        return self.fault(number, request)
