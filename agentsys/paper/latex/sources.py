"""Where LaTeX files come from: an archive in memory, or the folder of a file. Nothing outside can be reached.

An archive is never unpacked to disk: links, devices, absolute names and `..` have no meaning in a dictionary of names.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Protocol

from agentsys.core.errors import PaperError

SUFFIXES = frozenset({".tex", ".ltx", ".bbl", ".bib", ".tikz", ".pgf"})
"""Kinds of files that are read; everything else in a source is not."""
MAX_FILES = 2_000
MAX_FILE = 10 * 2**20
MAX_TOTAL = 64 * 2**20
"""Bytes of one file, and of all."""


class Sources(Protocol):
    """Named files of one paper."""

    def read(self, name: str) -> str | None:
        """Return a file by its name inside the source, or None if there is none or it may not be read."""
        ...

    def names(self) -> list[str]:
        """Return the names of all files."""
        ...


class MemorySources:
    """The files of an archive."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def read(self, name: str) -> str | None:
        clean = clean_name(name)
        data = self.files.get(clean) if clean else None
        return None if data is None else decode(data)

    def names(self) -> list[str]:
        return list(self.files)


class FolderSources:
    """A file on disk and what lies beside and below it; links are not followed."""

    def __init__(self, main: Path) -> None:
        self.main = main
        self.root = main.parent.resolve()

    def read(self, name: str) -> str | None:
        clean = clean_name(name)
        if not clean:
            return None
        path = self.root / clean
        if path.resolve() != path or not path.is_file() or path.stat().st_size > MAX_FILE:
            return None
        return decode(path.read_bytes())

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self.root.iterdir() if entry.suffix in SUFFIXES and entry.is_file())


def clean_name(name: str) -> str:
    """Return a name as a path inside the source, or an empty string if it leads out or is not a text of a paper."""
    path = PurePosixPath(name.strip().strip('"'))
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part != ".":
            parts.append(part)
    if path.is_absolute() or not parts or "\x00" in name:
        return ""
    clean = str(PurePosixPath(*parts))
    return clean if PurePosixPath(clean).suffix.lower() in SUFFIXES else ""


def decode(data: bytes) -> str:
    """Return the text of a TeX file: UTF-8, else Latin-1."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def gunzip(data: bytes) -> bytes:
    """Decompress gzip data, at most `MAX_TOTAL` bytes.

    Raises: PaperError if it is damaged or larger.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            result = file.read(MAX_TOTAL + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise PaperError("the compressed source is damaged", "download it again") from error
    if len(result) > MAX_TOTAL:
        raise PaperError(f"the source unpacks to more than {MAX_TOTAL // 2**20} MB", "give it without data and figures")
    return result


def is_tar(data: bytes) -> bool:
    """True if the bytes begin a tar archive."""
    return data[257:262] == b"ustar"


def read_tar(data: bytes) -> MemorySources:
    """Read the texts of a tar archive into memory; links and special files are left out.

    Raises: PaperError if it is damaged or too large.
    """
    files: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for count, member in enumerate(archive):
                name = clean_name(member.name)
                if count >= MAX_FILES:
                    raise PaperError(f"the source holds more than {MAX_FILES} files", "give the paper's files alone")
                if not member.isreg() or not name or member.size > MAX_FILE:
                    continue
                total += member.size
                file = archive.extractfile(member)
                if file is None or total > MAX_TOTAL:
                    continue
                files[name] = file.read(MAX_FILE)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise PaperError("the archive is damaged", "download it again") from error
    return MemorySources(files)
