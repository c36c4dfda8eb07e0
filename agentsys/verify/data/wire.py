"""Transfers of data: permitted hosts only, redirects looked at, sizes bounded, taken up again where they broke."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from agentsys.core.errors import BlockedError, Interrupted, LimitReached, PrerequisiteError
from agentsys.core.version import agentsys_version
from agentsys_policies.dependencies import host_permitted

TIMEOUT = (15.0, 60.0)
"""Seconds for a connection, and for the next bytes."""
ATTEMPTS = 5
"""Tries in a row that may bring nothing; one that brings something counts anew."""
REDIRECTS = 5
MAX_JSON = 32 << 20
CHUNK = 1 << 20
_HEADERS = {"Accept-Encoding": "identity"}
_AGAIN = "check the network; what has arrived is kept, and the same command goes on"


@dataclass(frozen=True)
class Remote:
    """One file to be had from an address."""

    url: str
    name: str
    """Path below the source's folder."""
    size: int = 0
    """Bytes as the source says; 0 where it does not."""
    checksum: str = ""
    """`md5:...`, `sha1:...`, `sha256:...` or `git:...` (the object id of a file in git), as the source says."""
    redirects: tuple[str, ...] = ()
    """Domains that this source keeps its files on, besides its own host."""


class _Broken(Exception):
    """The transfer ended too early, or the server has a fault that may pass."""


@dataclass
class Wire:
    """Speaks to permitted hosts.

    Args:
        hosts: permitted ones, subdomains included.
        mirrors: host -> base address that stands in for it.
        said: told of progress: address, bytes so far.
        pause: seconds before a broken transfer is taken up again, doubled each time.
    """

    hosts: Sequence[str]
    mirrors: Mapping[str, str] = field(default_factory=dict[str, str])
    said: Callable[[str, int], None] = lambda _url, _size: None
    pause: float = 1.0
    stop: threading.Event = field(default_factory=threading.Event)

    def json(self, url: str) -> object:
        """Return what an address answers as JSON.

        Raises: BlockedError (host, redirect), PrerequisiteError (no network, nothing there, no JSON).
        """
        for attempt in range(ATTEMPTS):
            try:
                with self._get(Remote(url, "")) as answer:
                    parts, size = list[bytes](), 0
                    for part in answer.iter_content(CHUNK):
                        parts.append(part)
                        size += len(part)
                        if size > MAX_JSON:
                            raise PrerequisiteError(f"`{url}` answers with more than {MAX_JSON >> 20} MiB")
                    return json.loads(b"".join(parts))
            except ValueError as error:
                raise PrerequisiteError(f"`{url}` answers with something that is no JSON") from error
            except (_Broken, requests.RequestException, urllib3.exceptions.HTTPError) as error:
                self._wait(url, error, attempt)
        raise AssertionError("unreachable")

    def download(self, remote: Remote, part: Path, limit: int) -> None:
        """Bring a file into `part`, going on behind what lies there already.

        Raises: LimitReached beyond `limit` bytes; BlockedError, PrerequisiteError; Interrupted after `stop`.
        """
        nothing = -1
        while True:
            before = _size(part)
            try:
                self._piece(remote, part, limit)
                return
            except (_Broken, requests.RequestException, urllib3.exceptions.HTTPError) as error:
                nothing = 0 if _size(part) > before else nothing + 1
                self._wait(remote.url, error, nothing)

    def _piece(self, remote: Remote, part: Path, limit: int) -> None:
        tag = part.with_name(f"{part.name}.tag")
        if not (remote.checksum or tag.is_file()):
            part.unlink(missing_ok=True)  # nothing would tell that the rest belongs to another version
        have = _size(part)
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and tag.is_file():
            headers["If-Range"] = tag.read_text(encoding="utf-8")
        with self._get(remote, headers) as answer:
            if answer.status_code == 416:  # all of it is there, or more than the server has by now
                if remote.size != have:
                    part.unlink()
                    raise _Broken("the file has another size now")
                return
            begins = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
            goes_on = answer.status_code == 206 and begins == str(have)
            if answer.status_code == 206 and not goes_on:
                part.unlink(missing_ok=True)
                raise _Broken("another part was sent than was asked for")
            tag.unlink(missing_ok=True)
            if version := _version(answer):
                tag.write_text(version, encoding="utf-8")
            self._save(answer, remote, part, have if goes_on else 0, limit)

    def _save(self, answer: requests.Response, remote: Remote, part: Path, size: int, limit: int) -> None:
        announced = answer.headers.get("Content-Length", "")
        if announced.isdecimal() and size + int(announced) > limit:
            raise _too_much(remote, limit)
        with part.open("ab" if size else "wb") as file:
            # Not `iter_content`: what had come of its last chunk is lost where a transfer breaks.
            while chunk := answer.raw.read1(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise _too_much(remote, limit)
                file.write(chunk)
                self.said(remote.url, size)
                self._check_stop()
        if remote.size and size < remote.size:
            raise _Broken(f"{size} of {remote.size} bytes came")

    def _get(self, remote: Remote, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Ask for an address, and follow only redirects that stay with the source."""
        self._check_stop()
        if not host_permitted(remote.url, tuple(self.hosts)):
            host = urlsplit(remote.url).hostname or remote.url[:80]
            raise BlockedError(
                f"the policy permits no data from `{host}`",
                "put the files into a folder and name it (`--data-dir`), or permit the host in a policy of your own",
            )
        address = self.mapped(remote.url)
        for _ in range(REDIRECTS + 1):
            answer = requests.get(
                address,
                stream=True,
                timeout=TIMEOUT,
                allow_redirects=False,
                auth=_nobody,  # or a password of the user's `.netrc` would be sent
                headers={**_HEADERS, "User-Agent": f"agentsys/{agentsys_version()}", **(headers or {})},
            )
            if not answer.is_redirect:
                return _usable(answer, remote.url)
            answer.close()
            address = self._next(remote, address, answer.headers["Location"])
        raise PrerequisiteError(f"`{remote.url}` redirects too often")

    def mapped(self, url: str) -> str:
        """Return the address that is asked in place of this one."""
        parts = urlsplit(url)
        base = self.mirrors.get(parts.hostname or "")
        return url if base is None else f"{base.rstrip('/')}{parts.path}{f'?{parts.query}' if parts.query else ''}"

    def _next(self, remote: Remote, address: str, target: str) -> str:
        target = urljoin(address, target)
        bases = tuple(f"{base.rstrip('/')}/" for base in self.mirrors.values())
        if _site(target) == _site(address) or target.startswith(bases):
            return target
        if _site(target) == _site(remote.url) or host_permitted(target, remote.redirects):
            return self.mapped(target)
        host = urlsplit(target).hostname or "?"
        raise BlockedError(
            f"`{remote.url}` redirects to `{host}`, which is another host than the one that was permitted",
            "download it yourself, and name the folder with `--data-dir`",
        )

    def _wait(self, url: str, error: Exception, attempt: int) -> None:
        if attempt + 1 >= ATTEMPTS:
            host = urlsplit(url).hostname
            raise PrerequisiteError(f"`{host}` does not deliver `{url}` ({_reason(error)})", _AGAIN) from error
        self.stop.wait(self.pause * 2**attempt)

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise Interrupted("the transfer was stopped", _AGAIN)


def _version(answer: requests.Response) -> str:
    """What names the version of a file for `If-Range`; a weak tag does not."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _usable(answer: requests.Response, url: str) -> requests.Response:
    code = answer.status_code
    if code in (200, 206, 416):
        return answer
    answer.close()
    if code in (401, 403):
        raise PrerequisiteError(
            f"`{url}` is not public (status {code})", "accept its terms, download it, and name the folder: `--data-dir`"
        )
    if code in (429, 500, 502, 503, 504):
        raise _Broken(f"status {code}")
    raise PrerequisiteError(f"there is nothing at `{url}` (status {code})", "correct the source in the plan")


def _too_much(remote: Remote, limit: int) -> LimitReached:
    return LimitReached(
        f"`{remote.url}` is larger than the {limit / 1e9:.3g} GB that are left of `data_budget`",
        "raise it: `--set data_budget=GB`",
        "budget",
    )


def _site(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, _Broken) else type(error).__name__


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
