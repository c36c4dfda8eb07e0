"""Fetching from the package indexes of the host: pages and files, over http, https or from folders.

Everything here blocks and runs in the gateway's threads. What fails is an `UpstreamFault` (the infrastructure's) and
never looks like a package that does not exist.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
import requests.adapters
import urllib3.exceptions
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from agentsys_sandbox.base import SandboxError
from agentsys_sandbox.packages.indexconfig import IndexConfig

MAX_PAGE = 64 << 20
_CHUNK = 1 << 18
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "agentsys-index-gateway"}


class UpstreamFault(SandboxError):
    """A package index failed: not reachable, not trusted, answering wrongly, or too slow."""


class _Transient(UpstreamFault):
    """Worth another try."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds: to connect, between two pieces of an answer, and for a whole page."""

    connect: float = 10.0
    read: float = 60.0
    page: float = 120.0


@dataclass(frozen=True)
class Page:
    """A page and where it came from after redirects."""

    text: str
    content_type: str
    url: str


class Upstream:
    """The host's way to its package indexes. Thread-safe; close it at the end."""

    def __init__(self, config: IndexConfig, timeouts: Timeouts = Timeouts(), attempts: int = 3) -> None:
        self._config = config
        self._timeouts = timeouts
        self._attempts = attempts
        self._session = _Session()
        self._credentials = dict(filter(None, map(_credentials, (*config.indexes, *config.find_links))))
        if config.proxy:
            self._session.proxies = {"http": config.proxy, "https": config.proxy}

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def page(self, url: str, accept: str) -> Page | None:
        """Fetch a page of text; None where the index says that it does not exist.

        Raises: UpstreamFault.
        """
        if url.startswith("file:"):
            return _local_page(url)
        return self._retried(lambda: self._page(url, accept))

    def _page(self, url: str, accept: str) -> Page | None:
        deadline = time.monotonic() + self._timeouts.page
        with self._open("GET", url, {"Accept": accept}) as response:
            if response.status_code in (404, 410):
                return None
            _expect(response, url, (200,))
            body = bytearray()
            for chunk in self._chunks(response, url, decode=True):
                body += chunk
                if len(body) > MAX_PAGE:
                    raise UpstreamFault(f"`{shown(url)}` is larger than any index page ({MAX_PAGE} bytes)")
                if time.monotonic() > deadline:
                    raise UpstreamFault(f"`{shown(url)}` did not come within {self._timeouts.page:g} s")
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            return Page(body.decode("utf-8", errors="replace"), kind, response.url or url)

    def size(self, url: str) -> int | None:
        """Length of a file in bytes, by HEAD; None where the server does not say.

        Raises: UpstreamFault.
        """
        return self._retried(lambda: self._size(url))

    def _size(self, url: str) -> int | None:
        with self._open("HEAD", url, {}) as response:
            if response.status_code in (403, 405, 501):
                return None
            _expect(response, url, (200,))
            length = response.headers.get("Content-Length", "")
            return int(length) if length.isdecimal() else None

    def part(self, url: str, start: int, end: int) -> bytes | None:
        """Bytes `start` to `end` (inclusive) of a file; None where the server does not serve parts.

        Raises: UpstreamFault.
        """
        return self._retried(lambda: self._part(url, start, end))

    def _part(self, url: str, start: int, end: int) -> bytes | None:
        wanted = end - start + 1
        with self._open("GET", url, {"Range": f"bytes={start}-{end}"}) as response:
            if response.status_code == 200:
                return None
            _expect(response, url, (206,))
            if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-{end}/"):
                return None
            body = bytearray()
            for chunk in self._chunks(response, url):
                body += chunk
                if len(body) > wanted:
                    break
        if len(body) != wanted:
            raise _Transient(f"`{shown(url)}` sent {len(body)} bytes where {wanted} were asked for")
        return bytes(body)

    def content(self, url: str) -> Iterator[bytes]:
        """A file, piece by piece. Not retried here: the caller begins its copy again.

        Raises: UpstreamFault.
        """
        if url.startswith("file:"):
            yield from _local_content(url)
            return
        with self._open("GET", url, {}) as response:
            _expect(response, url, (200,))
            length = response.headers.get("Content-Length", "")
            received = 0
            for chunk in self._chunks(response, url):
                received += len(chunk)
                yield chunk
            if length.isdecimal() and received != int(length):
                raise _Transient(f"`{shown(url)}` ended after {received} of {length} bytes")

    def _chunks(self, response: requests.Response, url: str, *, decode: bool = False) -> Iterator[bytes]:
        # As it comes: a reader that waits for full pieces would never look at its clock on a server that drips.
        while True:
            with _translated(url):
                chunk: bytes = response.raw.read1(_CHUNK, decode_content=decode)
            if not chunk:
                return
            yield chunk

    @contextmanager
    def _open(self, method: str, url: str, headers: dict[str, str]) -> Any:
        host = urlsplit(url).hostname or ""
        verify: bool | str = self._config.cert or True
        if host in {each.partition(":")[0] for each in self._config.trusted_hosts}:
            verify = False
        with _translated(url):
            response = self._session.request(
                method,
                _bare(url),
                headers=_HEADERS | headers,
                auth=self._credentials.get(urlsplit(url).netloc.rpartition("@")[2]),
                timeout=(self._timeouts.connect, self._timeouts.read),
                verify=verify,
                stream=True,
                allow_redirects=True,
            )
        try:
            yield response
        finally:
            response.close()

    def _retried(self, call: Any) -> Any:
        return self.retrying()(call)

    def retrying(self) -> Retrying:
        """The policy for everything that may be tried again."""
        return Retrying(
            retry=retry_if_exception_type(_Transient),
            stop=stop_after_attempt(self._attempts),
            wait=wait_random_exponential(multiplier=0.3, max=3),
            reraise=True,
        )


class _Session(requests.Session):
    """Reads the system's certificates when the first https address comes: that takes a third of a second."""

    def __init__(self) -> None:
        super().__init__()
        self._trust: _SystemTrust | None = None
        self._lock = threading.Lock()

    def get_adapter(self, url: str) -> requests.adapters.BaseAdapter:
        """The way to an address."""
        if url.lower().startswith("https://"):
            with self._lock:
                if self._trust is None:
                    self._trust = _SystemTrust(pool_maxsize=32)
                    self.mount("https://", self._trust)
        return super().get_adapter(url)


class _SystemTrust(requests.adapters.HTTPAdapter):
    """Trusts what the system trusts (OpenSSL's default places, SSL_CERT_FILE), besides requests' own bundle."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=ssl.create_default_context(), **kwargs)  # pyright: ignore[reportUnknownMemberType]


def shown(url: str) -> str:
    """An address without credentials, for messages."""
    return _bare(url)[:300]


def local_path(url: str) -> Path:
    """Path of a `file:` address or of a plain path."""
    return Path(unquote(urlsplit(url).path)) if url.startswith("file:") else Path(url).expanduser()


def _local_page(url: str) -> Page | None:
    path = local_path(url)
    try:
        file = path / "index.html" if path.is_dir() else path
        if not file.is_file():
            return None
        address = url if file == path else url.rstrip("/") + "/index.html"
        return Page(file.read_text(encoding="utf-8", errors="replace"), "text/html", address)
    except OSError as error:
        raise UpstreamFault(f"cannot read the package index `{path}`: {error.strerror}") from error


def _local_content(url: str) -> Iterator[bytes]:
    path = local_path(url)
    try:
        with path.open("rb") as content:
            while chunk := content.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise UpstreamFault(f"cannot read `{path}`: {error.strerror}") from error


def _expect(response: requests.Response, url: str, codes: tuple[int, ...]) -> None:
    code = response.status_code
    if code in codes:
        return
    kind = _Transient if code in (408, 429) or code >= 500 else UpstreamFault
    hint = "check the credentials in pip's configuration" if code in (401, 403, 407) else "try again later"
    raise kind(f"`{shown(url)}` answered with status {code}", hint)


@contextmanager
def _translated(url: str) -> Any:
    where = shown(url)
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise UpstreamFault(
            f"the certificate of `{urlsplit(where).hostname}` is not trusted: {_reason(error)}",
            "set `cert` in pip's configuration, or SSL_CERT_FILE, to the bundle of your certificate authority",
        ) from error
    except requests.exceptions.ReadTimeout as error:
        raise UpstreamFault(f"`{where}` did not answer in time", "try again later") from error
    except requests.exceptions.ProxyError as error:
        raise UpstreamFault(f"the proxy on the way to `{where}` failed: {_reason(error)}", "check it") from error
    except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        raise _Transient(f"`{where}` cannot be reached: {_reason(error)}", "check the network connection") from error
    except urllib3.exceptions.ReadTimeoutError as error:
        raise UpstreamFault(f"`{where}` did not answer in time", "try again later") from error
    except urllib3.exceptions.ProtocolError as error:
        raise _Transient(f"`{where}` broke off: {_reason(error)}", "check the network connection") from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise UpstreamFault(f"`{where}` cannot be fetched: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words."""
    inner: Any = error.args[0] if error.args else error
    inner = getattr(inner, "reason", inner)
    text = " ".join(str(inner).split())
    return text.rpartition(">: ")[2][:200]


def _credentials(url: str) -> tuple[str, tuple[str, str]] | None:
    parts = urlsplit(url)
    if not parts.username:
        return None
    return parts.netloc.rpartition("@")[2], (unquote(parts.username), unquote(parts.password or ""))


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
