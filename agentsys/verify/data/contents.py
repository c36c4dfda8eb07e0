"""What a file of data is: told by what is in it, never by the name alone; and how many rows or pictures it holds."""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, cast

from agentsys_policies.scan.arrays import NotPlain, is_picture, row_counts, why_not_plain

HEAD, CHUNK = 1 << 16, 1 << 20
MAX_UNPACKED = 16 << 30
"""Bytes that a compressed file may unpack to."""
ALLOWED = "csv, tsv, txt, json, jsonl, arff, LIBSVM, npy, npz, safetensors, Parquet, idx, raw bytes, pictures, sound"
_ARRAYS = frozenset({".npy", ".npz", ".safetensors", ".parquet"})
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"})
_SOUND: Mapping[str, bytes] = {".wav": b"RIFF", ".flac": b"fLaC", ".ogg": b"OggS", ".aif": b"FORM"}
_MORE_PICTURES: Mapping[str, tuple[bytes, ...]] = {
    ".bmp": (b"BM",),
    ".tif": (b"II*\0", b"MM\0*"),
    ".tiff": (b"II*\0", b"MM\0*"),
    ".ppm": (b"P3", b"P6"),
    ".pgm": (b"P2", b"P5"),
}
_PROGRAMS = frozenset({
    ".py", ".pyc", ".pyw", ".so", ".dll", ".dylib", ".exe", ".sh", ".bat", ".ps1", ".js", ".jar", ".class", ".whl",
    ".egg", ".pth",
})  # fmt: skip
_OPAQUE = frozenset({
    ".pkl", ".pickle", ".pt", ".joblib", ".dill", ".ckpt", ".h5", ".hdf5", ".keras", ".mat", ".rds", ".rdata",
})  # fmt: skip
_EXECUTABLE = (b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe", b"PK\x03\x04")
_PICKLED = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
_RAW = frozenset({".bin", ".dat", ".raw"})
_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)
_OPENERS: Mapping[str, Callable[[Path], BinaryIO]] = {
    ".gz": lambda path: cast("BinaryIO", gzip.GzipFile(path, "rb")),
    ".bz2": lambda path: cast("BinaryIO", bz2.BZ2File(path, "rb")),
    ".xz": lambda path: cast("BinaryIO", lzma.LZMAFile(path, "rb")),  # noqa: SIM115
}


def why_not_data(path: Path, name: str) -> str:
    """Return why a file is not taken as data, or an empty text.

    Args:
        name: what the file is called; `path` may be called otherwise.
    """
    try:
        inner, opener = _compressed(name)
        with opener(path) as file:
            why = _why_not(inner, file, compressed=inner != name)
            if inner != name and not why:
                why = _endless(file)
            return why
    except _DAMAGE:
        return "damaged"


def _why_not(name: str, file: BinaryIO, *, compressed: bool) -> str:
    suffix, head = _suffix(name), file.read(HEAD)
    if suffix in _OPAQUE:
        return f"a file that can hold a program, or that cannot be looked into; what is taken: {ALLOWED}"
    if suffix in _PROGRAMS or (head.startswith(b"#!") and suffix in ("", ".txt")):
        return "a program"
    if suffix in _ARRAYS:
        return "arrays within a compressed file" if compressed else why_not_plain(suffix, file)
    if head.startswith(_PICKLED):
        return "a pickle, which may run a program when it is loaded"
    if head.startswith(_EXECUTABLE):
        return "a program, or an archive within an archive"
    if suffix in _PICTURES:
        right = is_picture(suffix, head) or head.startswith(_MORE_PICTURES.get(suffix, (b"\0none",)))
        return "" if right else "not the picture that its name says"
    if suffix in _SOUND:
        return "" if head.startswith(_SOUND[suffix]) else "not the sound that its name says"
    if suffix in _RAW or _idx(head):
        return ""
    return "" if _is_text(head) else f"neither text nor a kind that is known; what is taken: {ALLOWED}"


def _endless(file: BinaryIO) -> str:
    """Read a compressed file to its end, to see that it has one."""
    size = 0
    while chunk := file.read(CHUNK):
        size += len(chunk)
        if size > MAX_UNPACKED:
            return f"it unpacks to more than {MAX_UNPACKED / 1e9:.3g} GB"
    return ""


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8-sig")
    except UnicodeDecodeError:  # old collections of text are Latin-1: no control characters, then
        return not any(byte < 32 and byte not in b"\t\n\r\f" for byte in head)
    return True


def _idx(head: bytes) -> tuple[int, ...]:
    """Return the dimensions of an idx file (MNIST's format); empty where it is none."""
    if len(head) < 8 or head[:2] != b"\0\0" or head[2] not in (8, 9, 11, 12, 13, 14) or not 0 < head[3] < 8:
        return ()
    sizes = head[4 : 4 + 4 * head[3]]
    return tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))


def counts(path: Path, name: str) -> tuple[int, ...]:
    """Return how much a file holds: rows, examples, pictures. Several numbers where it can be read so or so.

    A table may have a line of names or not, an npz several arrays. Nothing where there is nothing to count.
    """
    inner, opener = _compressed(name)
    suffix = _suffix(inner)
    try:
        if suffix in _ARRAYS and inner == name:
            with path.open("rb") as file:
                return tuple(dict.fromkeys(row_counts(suffix, file)))
        with opener(path) as file:
            return _count(suffix, file)
    except (NotPlain, csv.Error, *_DAMAGE):
        return ()


def _count(suffix: str, file: BinaryIO) -> tuple[int, ...]:
    if suffix in _PICTURES or suffix in _SOUND:
        return (1,)
    head = file.read(HEAD)
    if suffix in (".csv", ".tsv"):
        rows = _records(_lines(head, file), "\t" if suffix == ".tsv" else ",")
        return tuple(dict.fromkeys((rows, max(rows - 1, 0))))
    if dimensions := _idx(head):
        return dimensions[:1]
    if suffix in _RAW or suffix in _ARRAYS or not _is_text(head):
        return ()
    lines = _lines(head, file)
    if suffix == ".arff":
        found = iter(lines)
        _ = any(line.strip().lower() == b"@data" for line in found)
        return (sum(1 for line in found if line.strip() and not line.startswith(b"%")),)
    return (sum(1 for line in lines if line.strip()),)


def _records(lines: Iterator[bytes], delimiter: str) -> int:
    csv.field_size_limit(1 << 30)
    text = (f"{line.decode('utf-8', 'replace')}\n" for line in lines)
    return sum(1 for row in csv.reader(text, delimiter=delimiter) if any(row))


def _lines(head: bytes, file: BinaryIO) -> Iterator[bytes]:
    rest, read = head, len(head)
    while chunk := file.read(CHUNK):
        read += len(chunk)
        if read > MAX_UNPACKED:
            raise EOFError("there is no end to it")
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    yield from rest.split(b"\n")


def words(path: Path, name: str) -> str:
    """Say in a few words what is in a file."""
    size = path.stat().st_size
    shown = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size} bytes"
    numbers = counts(path, name)
    first = _first_line(path, name) if _suffix(_compressed(name)[0]) in (".csv", ".tsv") else ""
    counted = f"{numbers[0]} {'pictures' if _suffix(name) in _PICTURES else 'rows'}" if numbers else ""
    counted += ", with the first line" if len(numbers) == 2 and first else ""
    return ", ".join(part for part in (counted, shown, f"begins `{first}`" if first else "") if part)


def _first_line(path: Path, name: str) -> str:
    with _compressed(name)[1](path) as file:
        line = file.readline(200).decode("utf-8", "replace").strip()
    return "".join(char if char.isprintable() and char != "`" else " " for char in line)[:120]


def _compressed(name: str) -> tuple[str, Callable[[Path], BinaryIO]]:
    """Return the name of what is compressed in a file, and what opens it."""
    suffix = _suffix(name)
    if suffix in _OPENERS:
        return name[: -len(suffix)], _OPENERS[suffix]
    return name, _plain


def _plain(path: Path) -> BinaryIO:
    return path.open("rb")  # the caller closes it


def _suffix(name: str) -> str:
    low = name.rpartition("/")[2].lower()
    return f".{low.rpartition('.')[2]}" if "." in low else ""
