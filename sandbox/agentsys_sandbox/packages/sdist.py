"""Source distributions: which there are, and their content; fetched and read, never built here."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import requests
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import Version

from agentsys_sandbox.packages.hostconfig import HostConfig, local_path
from agentsys_sandbox.packages.wish import DEFAULT_BACKEND, build_requires

MAX_SOURCE = 256 << 20
_MAX_PAGE = 64 << 20
_MAX_PYPROJECT = 1 << 20
_MEMBERS = 20_000
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_TIMEOUT = (10.0, 60.0)


class SourceError(Exception):
    """A source distribution cannot be had; the message says why. `world` where the index or the network is to blame."""

    def __init__(self, message: str, *, world: bool = False) -> None:
        super().__init__(message)
        self.world = world


@dataclass(frozen=True)
class Source:
    """A source distribution of an index or a local folder."""

    name: str
    version: Version
    filename: str
    url: str = field(repr=False)
    sha256: str = ""
    requires_python: str = ""
    uploaded: str = ""
    yanked: bool = False
    local: bool = False


class Sources:
    """Reads the user's indexes and folders. Its methods block."""

    def __init__(self, host: HostConfig) -> None:
        self._host = host
        self._session = requests.Session()
        if host.proxy:
            self._session.proxies = {"http": host.proxy, "https": host.proxy}

    def newest(self, name: str, specifier: SpecifierSet, python: str, cooldown: float) -> Source:
        """The newest one that fits.

        Args:
            name: normalised.
            python: full version of the sandbox's Python.
            cooldown: seconds; see `spec.IndexRules`.

        Raises: SourceError.
        """
        found = list(self._all(name))
        fitting = [each for each in found if _fits(each, specifier, python, cooldown)]
        if not fitting:
            what = "no source distribution" if not found else f"none of {len(found)} source distributions that fits"
            raise SourceError(f"there is {what} of `{name}`{f' {specifier}' if str(specifier) else ''}")
        final = [each for each in fitting if not each.version.is_prerelease]
        return max(final or fitting, key=lambda each: each.version)

    def content(self, source: Source) -> bytes:
        """The archive, checked against its hash. Raises: SourceError."""
        path = local_path(source.url)
        if path is not None:
            data = path.read_bytes() if path.stat().st_size <= MAX_SOURCE else b""
        else:
            data = self._fetch(source.url, {}, MAX_SOURCE)[0]
        if not data:
            raise SourceError(f"`{source.filename}` is empty or larger than {MAX_SOURCE} bytes")
        if source.sha256 and hashlib.sha256(data).hexdigest() != source.sha256:
            raise SourceError(f"Hash mismatch for `{source.name}`: `{source.filename}` is not what its index names")
        return data

    def _all(self, name: str) -> Iterator[Source]:
        for place in self._host.find_links:
            path = local_path(place)
            if path is None:
                yield from self._page(place, name)
            elif path.is_dir():
                named = ((file.name, file.as_uri()) for file in sorted(path.iterdir()))
                yield from _sources(name, ({"filename": filename, "url": url} for filename, url in named), local=True)
        for index in self._host.indexes:
            yield from self._page(f"{index.rstrip('/')}/{name}/", name)

    def _page(self, url: str, name: str) -> Iterator[Source]:
        path = local_path(url)
        if path is not None:
            file = path / "index.html"
            if file.is_file():
                yield from _sources(name, _links(file.read_text("utf-8", "replace"), f"{url}index.html"))
            return
        data, kind, at = self._fetch(url, {"Accept": _ACCEPT}, _MAX_PAGE)
        if "json" in kind:
            rows = _rows(data, at)
            yield from _sources(name, ({**row, "url": urljoin(at, row["url"])} for row in rows))
        elif data:
            yield from _sources(name, _links(data.decode("utf-8", "replace"), at))

    def _fetch(self, url: str, headers: dict[str, str], most: int) -> tuple[bytes, str, str]:
        """Content, type and final address; nothing where it does not exist."""
        host = urlsplit(url).hostname or ""
        trusted = host in {each.partition(":")[0] for each in self._host.trusted_hosts}
        verify: bool | str = False if trusted else self._host.cert or True
        try:
            with self._session.get(url, headers=headers, timeout=_TIMEOUT, verify=verify, stream=True) as answer:
                if answer.status_code in (404, 410):
                    return b"", "", url
                answer.raise_for_status()
                data = bytearray()
                for chunk in answer.iter_content(1 << 18):
                    data += chunk
                    if len(data) > most:
                        raise SourceError(f"`{PurePosixPath(urlsplit(url).path).name}` is larger than {most} bytes")
                return bytes(data), answer.headers.get("Content-Type", ""), answer.url
        except requests.RequestException as error:
            raise SourceError(f"`{host}` cannot be read: {type(error).__name__}", world=True) from error


def requires(filename: str, data: bytes) -> tuple[str, ...]:
    """The build requirements that an archive names; nothing is unpacked to disk. Raises: SourceError."""
    try:
        text = _member(filename, data)
        return DEFAULT_BACKEND if text is None else build_requires(tomllib.loads(text.decode("utf-8")))
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, UnicodeDecodeError, ValueError) as error:
        raise SourceError(f"`{filename}` cannot be read: {error}") from error


def _member(filename: str, data: bytes) -> bytes | None:
    """The pyproject.toml one folder below the top."""
    if filename.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            for each in zipped.infolist()[:_MEMBERS]:
                if _wanted(each.filename):
                    with zipped.open(each) as file:
                        return file.read(_MAX_PYPROJECT)
        return None
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as packed:
        for count, member in enumerate(packed):
            if count > _MEMBERS:
                break
            if member.isreg() and _wanted(member.name) and (file := packed.extractfile(member)):
                return file.read(_MAX_PYPROJECT)
    return None


def _wanted(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) == 2 and parts[1] == "pyproject.toml"


def _rows(data: bytes, at: str) -> list[dict[str, Any]]:
    """Raises: SourceError where this is no page of an index."""
    try:
        found: Any = json.loads(data)
        return list(found["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"`{urlsplit(at).hostname}` sent something else than an index page", world=True) from error


def _sources(name: str, rows: Iterable[dict[str, Any]], *, local: bool = False) -> Iterator[Source]:
    for row in rows:
        filename = str(row.get("filename", ""))
        hashes: Any = row.get("hashes") or {}
        try:
            found, version = parse_sdist_filename(filename)
        except InvalidSdistFilename:
            continue
        if canonicalize_name(found) == name:
            yield Source(
                name,
                version,
                filename,
                str(row["url"]),
                str(hashes.get("sha256", "")),
                str(row.get("requires-python") or ""),
                str(row.get("upload-time") or ""),
                bool(row.get("yanked")),
                local,
            )


def _fits(source: Source, specifier: SpecifierSet, python: str, cooldown: float) -> bool:
    if source.yanked or not specifier.contains(source.version, prereleases=True):
        return False
    if not source.sha256 and not source.local:
        return False  # nothing says which file it ought to be
    try:
        if source.requires_python and not SpecifierSet(source.requires_python).contains(python, prereleases=True):
            return False
    except InvalidSpecifier:
        return False
    return not cooldown or source.local or _older(source.uploaded, cooldown)


def _older(uploaded: str, cooldown: float) -> bool:
    try:
        time = datetime.fromisoformat(uploaded)
    except ValueError:
        return False
    return (time if time.tzinfo else time.replace(tzinfo=UTC)) < datetime.now(UTC) - timedelta(seconds=cooldown)


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the attributes of a link."""
        if tag == "a":
            self.found.append({key: value or "" for key, value in attrs})


def _links(page: str, base: str) -> Iterator[dict[str, Any]]:
    """The rows of an index page in HTML (PEP 503, PEP 592), in the form of PEP 691."""
    parser = _Anchors()
    parser.feed(page)
    for anchor in parser.found:
        url, fragment = urldefrag(urljoin(base, anchor.get("href", "")))
        kind, _, digest = fragment.partition("=")
        yield {
            "filename": unquote(PurePosixPath(urlsplit(url).path).name),
            "url": url,
            "hashes": {kind: digest},
            "requires-python": anchor.get("data-requires-python", ""),
            "yanked": "data-yanked" in anchor,
        }
