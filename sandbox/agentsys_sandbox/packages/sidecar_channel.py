"""The host's end of the streams to a sidecar: audit lines come in, package sources of this machine go out."""

from __future__ import annotations

import html
import json
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import quote

from agentsys_sandbox.base import SandboxError, Unavailable
from agentsys_sandbox.docker.frames import FrameError, FrameReader
from agentsys_sandbox.packages.indexconfig import IndexConfig
from agentsys_sandbox.packages.indexpage import NotAnIndexPage, parse
from agentsys_sandbox.packages.requestlog import Entry, RequestLog, printable
from agentsys_sandbox.packages.upstream import Upstream, UpstreamFault, local_path

_TOKEN = "file:///agentsys-wheels/"
_LONGEST_LINE = 1 << 20
_SAID = 2000


class Stream(Protocol):
    """What of `execstream.ExecStream` is needed."""

    def read(self) -> bytes: ...
    def send(self, data: bytes) -> bool: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class LocalSources:
    """Indexes on disk and wheel folders of this machine, for a gateway elsewhere; and nothing else of this machine."""

    def __init__(self, config: IndexConfig) -> None:
        self._upstream = Upstream(config)
        self._indexes = tuple(f"{each.rstrip('/')}/" for each in config.indexes if each.startswith("file:"))
        folders = [each for each in config.find_links if not each.startswith(("http://", "https://"))]
        self._folders = {f"{_TOKEN}{number}": local_path(place) for number, place in enumerate(folders)}
        self.find_links = (*(each for each in config.find_links if each not in folders), *self._folders)
        """The configuration's `find_links`, with a token in place of each folder."""
        self._named: set[str] = set()

    def answer(self, kind: str, url: str) -> Iterator[bytes]:
        """Pieces of a page (as JSON) or a file. Raises: UpstreamFault, also for what no source here names."""
        if kind == "page":
            yield json.dumps(self._page(url)).encode()
        elif url in self._named:
            yield from self._upstream.content(url)
        else:
            raise UpstreamFault("this file is not part of the package sources of the host")

    def _page(self, url: str) -> dict[str, str] | None:
        if url in self._folders:
            return self._listing(url, self._folders[url])
        package = url.rstrip("/").rpartition("/")[2]
        if not url.startswith(self._indexes or ("-",)) or ".." in url or "%" in url:
            raise UpstreamFault("this page is not part of the package sources of the host")
        page = self._upstream.page(url, "text/html")
        if page is None:
            return None
        try:
            links = parse(page.text, page.content_type, page.url, package)
        except NotAnIndexPage as error:
            raise UpstreamFault(f"a page of the index on disk is none: {error}") from error
        for link in links:
            self._named |= {link.url, f"{link.url}.metadata"}
        return {"text": page.text, "content_type": page.content_type, "url": page.url}

    def _listing(self, url: str, folder: Path) -> dict[str, str]:
        """A page with a link to each file of a folder."""
        try:
            files = sorted(each for each in folder.iterdir() if each.is_file()) if folder.is_dir() else []
        except OSError as error:
            raise UpstreamFault(f"cannot read the wheel folder `{folder}`: {error.strerror}") from error
        named = {f"file://{quote(str(each.resolve()))}": each.name for each in files}
        self._named |= named.keys()
        links = "".join(f'<a href="{html.escape(href)}">{html.escape(name)}</a>\n' for href, name in named.items())
        return {"text": f"<!DOCTYPE html>\n{links}", "content_type": "text/html", "url": url}


class Channel:
    """Reads and answers a sidecar in a thread of its own, from `start` to `close`."""

    def __init__(self, stream: Stream, local: LocalSources, requests: RequestLog) -> None:
        self._stream = stream
        self._local = local
        self._requests = requests
        self._news: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
        self._said = ""
        self._closing = False
        self._syncs = 0
        self._thread = threading.Thread(target=self._listen, name="index-sidecar", daemon=True)

    def start(self, config: Mapping[str, object], patience: float) -> int:
        """Send the configuration; return the port once it serves. Raises: Unavailable."""
        self._thread.start()
        self._stream.send(json.dumps(config).encode() + b"\n")
        return int(self._awaited("ready", patience))

    def sync(self, patience: float) -> None:
        """Wait until everything that was answered so far is in the log.

        A gateway that has ended by then is a fault: what failed without it is not the requirements' fault.
        """
        self._syncs += 1
        self._stream.send(json.dumps({"sync": self._syncs}).encode() + b"\n")
        try:
            while int(self._awaited("synced", patience)) != self._syncs:
                continue
        except Unavailable as error:
            self._requests.fault(error.message)

    def close(self) -> None:
        """End the connection, and with it the program at the other end."""
        self._closing = True
        self._stream.abort()
        if self._thread.is_alive():
            self._thread.join()
        self._stream.close()

    def _awaited(self, key: str, patience: float) -> Any:
        while True:
            try:
                news = self._news.get(timeout=patience)
            except queue.Empty:
                raise Unavailable(f"the package index sidecar did not answer within {patience:g} s") from None
            if news is None:
                self._news.put(None)
                raise Unavailable(f"the package index sidecar ended: {self._said.strip()[-300:] or 'without a word'}")
            if key in news:
                return news[key]

    def _listen(self) -> None:
        frames, buffer = FrameReader(), bytearray()
        try:
            while data := self._stream.read():
                for name, piece in frames.feed(data):
                    if name == "stderr":
                        self._said = (self._said + printable(piece.decode(errors="replace")))[-_SAID:]
                        continue
                    buffer += piece
                    while (end := buffer.find(b"\n")) >= 0:
                        self._take(bytes(buffer[:end]))
                        del buffer[: end + 1]
                    if len(buffer) > _LONGEST_LINE:
                        raise FrameError("a line without an end")
        except (FrameError, ValueError, KeyError, TypeError) as error:
            self._requests.fault(f"the package index sidecar sent something unexpected: {printable(str(error))}")
        finally:
            self._news.put(None)

    def _take(self, line: bytes) -> None:
        message = cast(dict[str, Any], json.loads(line))
        if "entry" in message:
            self._requests.add(_entry(message["entry"]))
        elif "fault" in message:
            self._requests.fault(printable(str(message["fault"])))
        elif "ask" in message:
            self._reply(int(message["ask"]), str(message["kind"]), str(message["url"]))
        else:
            self._news.put(message)

    def _reply(self, number: int, kind: str, url: str) -> None:
        try:
            for piece in self._local.answer(kind, url):
                if piece:
                    self._stream.send(_head(id=number, size=len(piece)) + piece)
        except SandboxError as fault:
            self._stream.send(_head(id=number, error=fault.message))
        else:
            self._stream.send(_head(id=number, end=True))


def _head(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def _entry(row: Mapping[str, Any]) -> Entry:
    """An audit line, made anew from what came in. Raises: KeyError, ValueError, TypeError."""
    text: Callable[[str], str] = lambda key: printable(str(row[key]))  # noqa: E731
    return Entry(
        text("method"),
        text("path"),
        int(row["status"]),
        text("decision"),
        text("package"),
        text("version"),
        text("sha256"),
        int(row["bytes"]),
    )
