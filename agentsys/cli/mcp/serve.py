"""How the server is reached: standard input and output, or HTTP on this machine alone with a token."""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import typer
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from agentsys.cli.mcp.jobs import Jobs
from agentsys.cli.supervise import EXIT_OF_SIGNAL
from agentsys.core.errors import UsageError

TOKEN = "AGENTSYS_MCP_TOKEN"
"""Environment variable of a token of the user's own; a new one is made at each start without it."""
SHORTEST_TOKEN = 20
LAST_REQUESTS = 3
"""Seconds that open requests have when the server ends."""


async def serve_stdio(server: MCPServer[Any], jobs: Jobs) -> None:
    """Serve until standard input ends. Standard output holds the protocol alone."""
    serving = asyncio.create_task(server.run_stdio_async())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError as error:
        await jobs.stop()
        # A thread waits in read(2) for more input, and nothing ends that wait.
        os._exit(EXIT_OF_SIGNAL[signal.Signals[str(error.args[0])]])
    finally:
        await jobs.stop()


async def serve_http(server: MCPServer[Any], jobs: Jobs, port: int) -> None:
    """Serve streamable HTTP at `http://127.0.0.1:PORT/mcp` until a signal. Address and token go to standard error.

    Raises: UsageError (port in use, token too short).
    """
    token = os.environ.get(TOKEN, "") or secrets.token_urlsafe(32)
    if len(token) < SHORTEST_TOKEN or not token.isascii():
        raise UsageError(f"the token in {TOKEN} is too short", f"at least {SHORTEST_TOKEN} ASCII characters, or none")
    with _listen(port) as listener:
        port = listener.getsockname()[1]
        hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
        inner = server.streamable_http_app(transport_security=TransportSecuritySettings(allowed_hosts=hosts))
        config = uvicorn.Config(
            Guarded(inner, token), log_level="warning", timeout_graceful_shutdown=LAST_REQUESTS, server_header=False
        )
        typer.echo(f"serving http://127.0.0.1:{port}/mcp\nAuthorization: Bearer {token}", err=True)
        web = _Unsignalled(config)
        serving = asyncio.create_task(web.serve(sockets=[listener]))
        try:
            await asyncio.shield(serving)
        finally:
            web.should_exit = True
            await serving
            await jobs.stop()


class _Unsignalled(uvicorn.Server):
    """Leaves signals to `supervise`."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Guarded:
    """Answers 401 to every request without the token, before anything of it is read."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._wanted = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        if scope["type"] != "http" or not hmac.compare_digest(given, self._wanted):
            refused = PlainTextResponse("the token of this server is missing\n", 401, {"WWW-Authenticate": "Bearer"})
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"port {port} of 127.0.0.1 cannot be used: {error}", "choose another; 0 takes a free one"
        ) from error
