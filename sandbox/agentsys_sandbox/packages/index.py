"""All package sources of the host as one index."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import quote

from packaging.tags import Tag, sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from agentsys_sandbox.packages.indexconfig import IndexConfig
from agentsys_sandbox.packages.indexpage import ACCEPT, FileLink, NotAnIndexPage, parse, version_of
from agentsys_sandbox.packages.upstream import Upstream, UpstreamFault, local_path, shown


class Index:
    """Files of a package from the local wheel folders first, then from each index in the configured order.

    A package for which a local folder holds a wheel that fits this interpreter comes from there alone: whoever keeps,
    say, a CPU build of torch at hand wants that one, not the newest build with gigabytes of CUDA libraries. Where two
    sources have a file of the same name the first one counts. A source that fails makes the whole answer fail: a list
    with holes would let the installer choose other versions without a word.

    Args:
        uploaded_before: leave out files of an index that were uploaded later, or at a time it does not tell. Malicious
            releases are mostly found within days.
    """

    def __init__(self, config: IndexConfig, upstream: Upstream, uploaded_before: datetime | None = None) -> None:
        self._config = config
        self._before = uploaded_before
        self._upstream = upstream
        self._projects: dict[str, list[FileLink] | None] = {}
        self._files: dict[str, tuple[str, FileLink]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    def project(self, package: str) -> list[FileLink] | None:
        """Files of a package; None where no source knows it. Asked once a session.

        Args:
            package: normalised name.

        Raises: UpstreamFault.
        """
        with self._guard:
            lock = self._locks[package]
        with lock:
            if package not in self._projects:
                self._projects[package] = self._ask(package)
            return self._projects[package]

    def file(self, key: str) -> tuple[str, FileLink] | None:
        """Package and file that one of our pages named by this key."""
        return self._files.get(key)

    def _ask(self, package: str) -> list[FileLink] | None:
        found: dict[str, FileLink] = {}
        known = False
        for place in self._config.find_links:
            for link in self._find_links(place, package):
                found.setdefault(link.filename, link)
                known = True
        at_hand = any(_fits(link.filename) for link in found.values())
        for url in () if at_hand else self._config.indexes:
            links = self._page(f"{url.rstrip('/')}/{package}/", package)
            known = known or links is not None
            for link in links or ():
                if self._before is None or _older(link.upload_time, self._before):
                    found.setdefault(link.filename, link)
        self._files |= {link.key: (package, link) for link in found.values()}
        return list(found.values()) if known else None

    def _page(self, url: str, package: str) -> list[FileLink] | None:
        page = self._upstream.page(url, ACCEPT)
        if page is None:
            return None
        try:
            return parse(page.text, page.content_type, page.url, package)
        except NotAnIndexPage as error:
            raise UpstreamFault(
                f"`{shown(url)}` sent something else than an index page: {error}",
                "check `index-url` in pip's configuration, and whether a log-in page or a proxy answers in its place",
            ) from error

    def _find_links(self, place: str, package: str) -> list[FileLink]:
        if place.startswith(("http://", "https://")):
            page = self._upstream.page(place, "text/html")
        else:
            folder = local_path(place)
            if folder.is_dir():
                return _folder_links(folder, package)
            page = self._upstream.page(folder.absolute().as_uri(), "text/html")
        if page is None:
            return []  # as pip does: a wheel folder may be absent
        try:
            return parse(page.text, page.content_type, page.url, package)
        except NotAnIndexPage:
            return []  # a page of links holds all packages, perhaps none of this one


def _older(uploaded: str, before: datetime) -> bool:
    try:
        time = datetime.fromisoformat(uploaded)
    except ValueError:
        return False
    return (time if time.tzinfo else time.replace(tzinfo=UTC)) < before


def _fits(filename: str) -> bool:
    """True for a wheel that this interpreter could install; the sandbox's Python is of its version."""
    try:
        tags = parse_wheel_filename(filename)[3]
    except InvalidWheelFilename:
        return False
    return not tags.isdisjoint(_tags())


@cache
def _tags() -> frozenset[Tag]:
    return frozenset(sys_tags())


def _folder_links(folder: Path, package: str) -> list[FileLink]:
    found: list[FileLink] = []
    try:
        files = sorted(folder.iterdir())
        for file in files:
            version = version_of(file.name, package)
            if version and file.is_file():
                url = f"file://{quote(str(file.resolve()))}"
                found.append(FileLink(file.name, url, version, size=file.stat().st_size))
    except OSError as error:
        raise UpstreamFault(f"cannot read the wheel folder `{folder}`: {error.strerror}") from error
    return found
