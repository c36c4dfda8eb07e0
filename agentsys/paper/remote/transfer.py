"""One polite request after another: certificates checked, sizes and times bounded, redirects looked at."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urljoin, urlsplit

import requests

from agentsys.core.errors import PaperError
from agentsys.paper.remote.names import check_address

PAUSE = 3.0
"""Seconds between requests to one site: what arXiv asks of programs."""
CONNECT, READ, WHOLE = 15.0, 60.0, 300.0
"""Seconds for a connection, for the next bytes, and for a whole answer."""
REDIRECTS = 5
_UNREACHABLE = "check the network, or give the paper as a file"


def user_agent() -> str:
    """Return the name that agentsys gives itself."""
    try:
        return f"agentsys/{version('agentsys')} (reads one paper for its user)"
    except PackageNotFoundError:
        return "agentsys (reads one paper for its user)"


@dataclass
class Transfer:
    """Fetches, with pauses."""

    max_bytes: int = 50_000_000
    pause: float = PAUSE
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    last: dict[str, float] = field(default_factory=dict[str, float])
    """When the last answer of a host ended."""

    def get(self, address: str) -> bytes | None:
        """Return what an address answers, or None if there is nothing there (404 or 410).

        Raises: PaperError with exit code 3 if it cannot be had, with 2 if it is too large.
        """
        with requests.Session() as session:
            session.headers["User-Agent"] = user_agent()
            # Without this a password of the user's `.netrc` would be sent.
            session.auth = _nobody
            for _ in range(REDIRECTS + 1):
                found = self._one(session, address)
                if not isinstance(found, str):
                    return found
                address = self._next(address, found)
        raise PaperError(f"`{address}` redirects too often", _UNREACHABLE, exit_code=3)

    def _next(self, address: str, target: str) -> str:
        """A redirect may not lead from the net into this machine or its network."""
        target = urljoin(address, target)
        check_address(target)
        if not _private(urlsplit(address).hostname or "") and _private(urlsplit(target).hostname or ""):
            raise PaperError(f"`{address}` redirects to a private address", "give the paper as a file", exit_code=3)
        return target

    def _one(self, session: requests.Session, address: str) -> bytes | str | None:
        """Return the bytes of one answer, where it redirects to, or None."""
        host = urlsplit(address).hostname or ""
        wait = self.last[host] + self.pause - self.clock() if host in self.last else 0.0
        if wait > 0:
            self.sleep(wait)
        try:
            with session.get(address, stream=True, timeout=(CONNECT, READ), allow_redirects=False) as answer:
                if answer.is_redirect:
                    return answer.headers["Location"]
                return self._body(answer, host)
        except requests.exceptions.SSLError as error:
            raise PaperError(f"the certificate of {host} is not valid", _UNREACHABLE, exit_code=3) from error
        except requests.exceptions.RequestException as error:
            reason = type(error).__name__
            raise PaperError(f"{host} cannot be reached ({reason})", _UNREACHABLE, exit_code=3) from error
        finally:
            self.last[host] = self.clock()

    def _body(self, answer: requests.Response, host: str) -> bytes | None:
        if answer.status_code in (404, 410):
            return None
        if answer.status_code in (429, 503):
            wait = answer.headers.get("Retry-After", "")
            when = f"in {wait} seconds" if wait.isdecimal() else "later"
            raise PaperError(f"{host} asks to wait", f"try again {when}, or give the paper as a file", exit_code=3)
        if answer.status_code != 200:
            raise PaperError(f"{host} answered with status {answer.status_code}", _UNREACHABLE, exit_code=3)
        started, parts, size = self.clock(), list[bytes](), 0
        for part in answer.iter_content(1 << 16):
            parts.append(part)
            size += len(part)
            if size > self.max_bytes:
                limit = f"{self.max_bytes // 1_000_000} MB"
                raise PaperError(f"{host} sends more than {limit}", "give the paper without its extras, as a file")
            if self.clock() - started > WHOLE:
                raise PaperError(f"{host} takes too long to answer", _UNREACHABLE, exit_code=3)
        return b"".join(parts)


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
