"""Starting uv on the host: its arguments, what it may see, its time, and what its end means."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentsys_sandbox.box import OnOutput
from agentsys_sandbox.spec import ExecResult, Outcome
from agentsys_sandbox.text import clean

_CHUNK = 1 << 16
_MOST_TEXT = 4 << 20
_GRACE = 5.0
_WORLD = re.compile(
    r"error sending request|client error \(Connect\)|dns error|peer certificate|operation timed out|connection closed"
    r"|HTTP status server error|HTTP status client error \((?:401|403|407|429)|lack of valid authentication"
    r"|returned an? (?:401|403|407) "
    r"|network connectivity is disabled|network was disabled|No space left on device|Could not acquire lock"
    r"|Read-only file system"
    r"|Failed to (?:read from|write to|initialize) (?:the )?(?:distribution )?cache|error decoding response body"
    r"|Failed to read `--find-links`|request or response body error",
    re.IGNORECASE,
)
"""What uv says when an index, the way to it or this machine failed, and not the requirements."""
_FIXED = {
    "NO_COLOR": "1",
    "TERM": "dumb",
    "UV_NO_PROGRESS": "1",
    "UV_PYTHON_DOWNLOADS": "never",
}


@dataclass(frozen=True)
class Uv:
    """A uv on this machine.

    Attributes:
        python: the base interpreter, which uv asks for its paths: never that of an environment with foreign files.
        cache: folder of its cache, owned by agentsys.
        environment: variables of the host that it sees (`hostconfig.HostConfig.environment`).
    """

    binary: Path
    python: Path
    cache: Path
    environment: Mapping[str, str]

    async def run(
        self,
        arguments: Sequence[str],
        *,
        limit: float,
        on_output: OnOutput | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> ExecResult:
        """Run `uv pip ...` and say how it ended. Cancellation ends it.

        Args:
            arguments: after `uv pip`; paths are absolute.
            limit: seconds.
            extra: more variables.
        """
        argv = [str(self.binary), "pip", *arguments, "--cache-dir", str(self.cache), "--python", str(self.python)]
        environment = {**self.environment, **_FIXED, **(extra or {})}
        start = time.monotonic()
        try:
            # Started in `/`: uv takes a uv.toml or pyproject.toml from any folder above, and others may write to /tmp.
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                cwd="/",
                env=environment,
                start_new_session=True,
                umask=0o022,  # what it writes is read by the sandbox's uid
            )
        except OSError as error:
            message = f"uv cannot be started: {error.strerror}"
            return ExecResult(Outcome.INFRA_ERROR, None, b"", b"", 0.0, message=message)
        said: list[bytes] = []
        try:
            async with asyncio.timeout(max(limit, 0.0)):
                await _read(process, said, on_output)
                code = await process.wait()
        except TimeoutError:
            text = b"".join(said)
            message = f"stopped after {limit:g} s"
            return ExecResult(Outcome.TIMEOUT, None, b"", text, time.monotonic() - start, message=message)
        finally:
            await _end(process)
        return _result(code, b"".join(said), time.monotonic() - start)


def _result(code: int, stderr: bytes, seconds: float) -> ExecResult:
    if code == 0:
        return ExecResult(Outcome.OK, 0, b"", stderr, seconds)
    text = stderr.decode("utf-8", "replace")
    if code < 0:
        message = f"uv was killed by signal {-code}"
        return ExecResult(Outcome.INFRA_ERROR, None, b"", stderr, seconds, message=message)
    if _WORLD.search(text):
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("warning")]
        message = f"the packages could not be fetched: {'; '.join(lines[:5])[:500]}"
        return ExecResult(Outcome.INFRA_ERROR, code, b"", stderr, seconds, message=message)
    return ExecResult(Outcome.NONZERO, code, b"", stderr, seconds)


async def _read(process: asyncio.subprocess.Process, said: list[bytes], on_output: OnOutput | None) -> None:
    """Pass on whole lines, cleaned: names in them may come from strangers."""
    assert process.stderr is not None
    left, total = b"", 0
    while data := await process.stderr.read(_CHUNK):
        *lines, left = (left + data).split(b"\n")
        if len(left) > _CHUNK:
            lines, left = [*lines, left], b""
        total += _pass_on(lines, said, on_output, total)
    if left:
        _pass_on([left], said, on_output, total)


def _pass_on(lines: list[bytes], said: list[bytes], on_output: OnOutput | None, total: int) -> int:
    text = "".join(f"{clean(line)}\n" for line in lines).encode()
    if text and on_output is not None:
        on_output("stderr", text)
    if total < _MOST_TEXT:
        said.append(text)
    return len(text)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.stderr is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                while await process.stderr.read(_CHUNK):  # asyncio waits for the end of its pipes
                    pass
    await process.wait()
