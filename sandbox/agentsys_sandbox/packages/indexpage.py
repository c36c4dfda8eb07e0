"""Pages of the simple repository API: reading those of an upstream index, writing our own.

Source: the Simple repository API of packaging.python.org (PEP 503, 592, 629, 658, 691, 700, 714). What an index sends
is data: links that are no distribution of the package asked for are dropped.
"""

from __future__ import annotations

import hashlib
import html
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "application/vnd.pypi.simple.v1+html"
ACCEPT = f"{JSON_TYPE}, {HTML_TYPE};q=0.2, text/html;q=0.1"


class NotAnIndexPage(ValueError):
    """The text is no page of a package index; the message says what it is."""


@dataclass(frozen=True)
class FileLink:
    """One distribution file, as an index describes it."""

    filename: str
    url: str
    version: str
    hashes: dict[str, str] = field(default_factory=dict[str, str])
    requires_python: str = ""
    yanked: str | None = None
    """Reason, possibly empty; None where it is not yanked."""
    size: int | None = None
    upload_time: str = ""
    metadata: dict[str, str] | None = None
    """Hashes of the separate metadata file; None where the index has none."""

    @property
    def key(self) -> str:
        """Stable name of the file in our own addresses."""
        return hashlib.sha256(f"{self.url}\0{self.hashes.get('sha256', '')}".encode()).hexdigest()[:32]

    @property
    def sha256(self) -> str:
        """Hex digest, or empty where the index gave none."""
        return self.hashes.get("sha256", "")


def version_of(filename: str, package: str) -> str:
    """Version of a distribution file of `package` (normalised name); empty where it is not one."""
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
        else:
            name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return ""
    return str(version) if name == package else ""


def parse(text: str, content_type: str, base_url: str, package: str) -> list[FileLink]:
    """Read a project's page.

    Args:
        text: the page.
        content_type: as the index named it.
        base_url: address the page came from; links are relative to it.
        package: normalised name of the project.

    Raises:
        NotAnIndexPage: neither of the formats, or plainly another page (a log-in form, an error text).
    """
    if "json" in content_type:
        return _parse_json(text, base_url, package)
    if content_type and "html" not in content_type:
        raise NotAnIndexPage(f"it is of type `{content_type[:60]}`")
    return _parse_html(text, base_url, package)


def render_json(package: str, links: list[FileLink]) -> bytes:
    """Our page in the JSON format, version 1.1."""
    files: list[dict[str, Any]] = []
    for link in links:
        entry: dict[str, Any] = {"filename": link.filename, "url": _address(link), "hashes": link.hashes}
        entry["size"] = link.size
        if link.requires_python:
            entry["requires-python"] = link.requires_python
        if link.yanked is not None:
            entry["yanked"] = link.yanked or True
        if link.upload_time:
            entry["upload-time"] = link.upload_time
        if link.metadata is not None:
            entry["core-metadata"] = link.metadata or True
        files.append({key: value for key, value in entry.items() if value is not None})
    versions = list(dict.fromkeys(link.version for link in links))
    page = {"meta": {"api-version": "1.0"}, "name": package, "versions": versions, "files": files}
    return json.dumps(page).encode()


def render_html(package: str, links: list[FileLink]) -> bytes:
    """Our page in the HTML format."""
    lines = ["<!DOCTYPE html><html><head>", '<meta name="pypi:repository-version" content="1.0">']
    lines += [f"<title>Links for {html.escape(package)}</title></head><body>"]
    for link in links:
        fragment = next((f"#{kind}={digest}" for kind, digest in link.hashes.items()), "")
        attributes = f'href="{html.escape(_address(link) + fragment)}"'
        if link.requires_python:
            attributes += f' data-requires-python="{html.escape(link.requires_python)}"'
        if link.yanked is not None:
            attributes += f' data-yanked="{html.escape(link.yanked)}"'
        if link.metadata is not None:
            value = next((f"{kind}={digest}" for kind, digest in link.metadata.items()), "true")
            attributes += f' data-core-metadata="{html.escape(value)}"'
        lines.append(f"<a {attributes}>{html.escape(link.filename)}</a><br>")
    lines.append("</body></html>\n")
    return "\n".join(lines).encode()


def _address(link: FileLink) -> str:
    return f"/files/{link.key}/{link.filename}"


def _parse_json(text: str, base_url: str, package: str) -> list[FileLink]:
    try:
        page: Any = json.loads(text)
        found = [_from_json(entry, base_url, package) for entry in page["files"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotAnIndexPage("it is not valid JSON of an index") from error
    return [link for link in found if link is not None]


def _from_json(entry: Any, base_url: str, package: str) -> FileLink | None:
    yanked = entry.get("yanked", False)
    metadata = entry.get("core-metadata", entry.get("dist-info-metadata", False))
    size = entry.get("size")
    return _link(
        str(entry["url"]),
        base_url,
        package,
        hashes=_hashes(entry.get("hashes") or {}),
        requires_python=str(entry.get("requires-python") or ""),
        yanked=None if yanked is False or yanked is None else ("" if yanked is True else str(yanked)),
        size=size if isinstance(size, int) and size >= 0 else None,
        upload_time=str(entry.get("upload-time") or ""),
        metadata=_hashes(metadata) if isinstance(metadata, dict) else ({} if metadata else None),  # pyright: ignore[reportUnknownArgumentType]
    )


def _parse_html(text: str, base_url: str, package: str) -> list[FileLink]:
    reader = _Anchors()
    reader.feed(text)
    reader.close()
    base = urljoin(base_url, reader.base) if reader.base else base_url
    found = [_from_anchor(anchor, base, package) for anchor in reader.anchors]
    links = [link for link in found if link is not None]
    # A package without files has no links; a page with other links only, or no HTML at all, is something else.
    if not links and (reader.anchors or not reader.is_html):
        raise NotAnIndexPage("it holds no file of this package")
    return links


def _from_anchor(anchor: dict[str, str], base_url: str, package: str) -> FileLink | None:
    address, fragment = urldefrag(anchor["href"])
    kind, _, digest = fragment.partition("=")
    metadata = anchor.get("data-core-metadata", anchor.get("data-dist-info-metadata"))
    kind_of_metadata, _, digest_of_metadata = (metadata or "").partition("=")
    return _link(
        address,
        base_url,
        package,
        hashes=_hashes({kind: digest}),
        requires_python=anchor.get("data-requires-python", ""),
        yanked=anchor.get("data-yanked"),
        upload_time=anchor.get("data-upload-time", ""),
        metadata=None if metadata is None else _hashes({kind_of_metadata: digest_of_metadata}),
    )


def _link(address: str, base_url: str, package: str, **facts: Any) -> FileLink | None:
    url = urljoin(base_url, address)
    scheme, came_from = urlsplit(url).scheme, urlsplit(base_url).scheme
    # A page from the network must not name files of this machine.
    if scheme not in ("http", "https") and not (scheme == "file" and came_from == "file"):
        return None
    filename = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
    version = version_of(filename, package)
    return FileLink(filename, url, version, **facts) if version else None


def _hashes(given: dict[Any, Any]) -> dict[str, str]:
    """Digests that can be checked, in the order of strength."""
    lengths = {"sha512": 128, "sha384": 96, "sha256": 64}
    found = {str(kind).lower(): str(digest).lower() for kind, digest in given.items()}
    return {
        kind: found[kind]
        for kind in ("sha256", "sha512", "sha384")
        if len(found.get(kind, "")) == lengths[kind] and set(found[kind]) <= set("0123456789abcdef")
    }


class _Anchors(HTMLParser):
    """Collects `<a href>` with its attributes, and `<base href>`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: list[dict[str, str]] = []
        self.base = ""
        self.is_html = False

    def handle_decl(self, decl: str) -> None:
        self.is_html = self.is_html or decl.lower().startswith("doctype html")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.is_html = self.is_html or tag in ("html", "body", "a")
        if tag == "base" and not self.base:
            self.base = found.get("href", "")
        elif tag == "a" and found.get("href"):
            self.anchors.append(found)


def normalise(name: str) -> str:
    """Normalised name of a project (PEP 503)."""
    return canonicalize_name(name)
