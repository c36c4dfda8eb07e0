"""Runs inside the sandbox: gives a command the package index on 127.0.0.1, through a unix socket to the host.

Usage: forwarder.py SOCKET COMMAND [ARGUMENT ...]

SOCKET is a path, or `tcp:ADDRESS:PORT` where the gateway is a neighbour container. The sandbox has no other network;
its loopback interface is its own. Standard library only, because the sandbox has no more.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

PORT = 3141
INDEX = f"http://127.0.0.1:{PORT}/simple/"
# One place to ask, nothing from configuration files. The gateway retries by itself, and it checks a file before it
# sends it, so a large one begins late.
ENVIRONMENT = {
    "PIP_INDEX_URL": INDEX,
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_DEFAULT_TIMEOUT": "900",
    "PIP_RETRIES": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "UV_DEFAULT_INDEX": INDEX,
    "UV_INDEX_URL": INDEX,
    "UV_NO_CONFIG": "1",
    "UV_HTTP_TIMEOUT": "900",
    "UV_HTTP_RETRIES": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "NO_PROXY": "127.0.0.1",
}
UNWANTED = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX")
CHUNK = 1 << 16


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy one direction of a connection until it ends, then say so to the other side."""
    try:
        while data := source.recv(CHUNK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # One side is gone: the other must not wait for it.
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def gateway_socket(path: str) -> socket.socket:
    """A socket of the kind that the gateway's address needs."""
    family = socket.AF_INET if path.startswith("tcp:") else socket.AF_UNIX
    return socket.socket(family, socket.SOCK_STREAM)


def address_of(path: str) -> str | tuple[str, int]:
    """The address in the form that `connect` takes."""
    if not path.startswith("tcp:"):
        return path
    _, host, port = path.split(":")
    return host, int(port)


def serve(client: socket.socket, path: str) -> None:
    """Connect one client with the gateway."""
    with client, gateway_socket(path) as host:
        try:
            host.connect(address_of(path))
        except OSError as error:
            print(f"agentsys: the package index gateway does not answer: {error}", file=sys.stderr, flush=True)  # noqa: T201
            return
        back = threading.Thread(target=pump, args=(host, client), daemon=True)
        back.start()
        pump(client, host)
        back.join()


def accept(listener: socket.socket, path: str) -> None:
    """Take connections until the process ends."""
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, path), daemon=True).start()


def run(argv: list[str]) -> int:
    """Run the command with the index in its environment; a signal that asks to end is passed on."""
    environment = {key: value for key, value in os.environ.items() if key not in UNWANTED} | ENVIRONMENT
    process = subprocess.Popen(argv, env=environment)
    signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
    code = process.wait()
    return code if code >= 0 else 128 - code


def main() -> int:
    """Open the port first, then start the command."""
    path, *argv = sys.argv[1:]
    listener = socket.create_server(("127.0.0.1", PORT), backlog=128)
    threading.Thread(target=accept, args=(listener, path), daemon=True).start()
    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
