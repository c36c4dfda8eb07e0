"""Search over all files of a run: text of paper, plan, code, logs, prompts, answers and audit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import FileIO

from agentsys.llm.store import decode
from agentsys.report.view.calls import Call
from agentsys.report.view.files import open_all
from agentsys.report.view.source import Source

MOST_FILES = 100
"""Files with a hit that are shown."""
_MOST_A_FILE = 3
_CHUNK = 256 << 10
_LONGEST = 200
"""Characters of a search."""
_ROUND = 120
"""Bytes before and behind a hit that are shown with it."""
_MOST_BYTES = 1 << 30
_CALL = re.compile(r"llm/[^/]+/[^/]+/(\d+)(?:\.old-\w+)?\.md")
_ROUNDS = re.compile(r"rounds/(\d+)/(?:verdict|diagnosis|review|diagnostics)\.json|rounds/(\d+)/patch\.diff")


@dataclass(frozen=True)
class Hit:
    """Words found in a file, with what stands around them; `at` counts bytes from the start of the file."""

    before: str
    words: str
    after: str
    at: int


@dataclass(frozen=True)
class FileHits:
    """Hits in one file, and the view that shows it."""

    path: str
    kind: str
    name: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True)
class Found:
    """What a search found; `whole` is False where it ended before every file was looked through."""

    files: tuple[FileHits, ...]
    whole: bool


def search(source: Source, words: str) -> Found:
    """Return where words stand, in any letter case of ASCII."""
    wanted = words[:_LONGEST].encode("utf-8", "replace").lower()
    calls = {call.key: call for call in source.calls}
    found: list[FileHits] = []
    looked = 0
    for name, file in open_all(source.path):
        if name in ("report.html", "report.md"):  # they repeat the others
            continue
        hits, size = _hits(file, wanted)
        looked += size
        if hits:
            found.append(FileHits(name, *_shown(name, calls), tuple(hits)))
        if len(found) == MOST_FILES or looked > _MOST_BYTES:
            return Found(tuple(found), False)
    return Found(tuple(found), True)


def _hits(file: FileIO, wanted: bytes) -> tuple[list[Hit], int]:
    """Return the first hits of a file, and how many bytes of it were read, in parts that overlap by the words."""
    found: list[Hit] = []
    start, kept = 0, b""
    while chunk := file.read(_CHUNK):
        if not start and b"\0" in chunk[:4096]:
            break
        data = kept + chunk
        small, at = data.lower(), 0
        while (at := small.find(wanted, at)) >= 0:
            found.append(_hit(data, at, len(wanted), start - len(kept)))
            at += len(wanted)
            if len(found) == _MOST_A_FILE:
                return found, start + len(chunk)
        start += len(chunk)
        kept = data[-(len(wanted) - 1) :] if len(wanted) > 1 else b""
    return found, start


def _hit(data: bytes, at: int, length: int, offset: int) -> Hit:
    end = at + length
    before, words, after = data[max(at - _ROUND, 0) : at], data[at:end], data[end : end + _ROUND]
    return Hit(*(part.decode("utf-8", "ignore") for part in (before, words, after)), at=offset + at)


def _shown(name: str, calls: dict[str, Call]) -> tuple[str, str]:
    """Return kind and name of the view that shows a file best."""
    if _CALL.fullmatch(name):
        role, item, number = name.removeprefix("llm/").split("/")
        call = calls.get(f"{decode(role)}/{decode(item)}/{number.partition('.')[0]}")
        if call is not None and ".old-" not in number:
            return "call", call.id
    if found := _ROUNDS.fullmatch(name):
        return "round", str(int(found[1] or found[2]))
    return "file", name
