"""Files that hold numbers or pictures and nothing else: told by what is in them, never by the name alone.

Formats: npy (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), npz (a zip archive of npy files),
safetensors (https://github.com/huggingface/safetensors), Parquet (https://parquet.apache.org/docs/file-format/).
"""

from __future__ import annotations

import ast
import io
import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO, cast

from agentsys_policies.scan.parquet import parquet_rows

_MAX_HEADER = 1 << 16
_MAX_MEMBERS = 10_000
_MAX_TABLE = 64 << 20
"""Bytes of a table of contents."""
_DESCR = re.compile(r"[<>|=]?([?biufcSUVmM])(\d*)(\[\w+\])?")
_SAFE_BYTES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2} | {
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8
}  # fmt: skip
_DAMAGE = (
    *(ArithmeticError, EOFError, LookupError, MemoryError, RuntimeError, SyntaxError, TypeError, ValueError),
    *(struct.error, zipfile.BadZipFile, zlib.error),
)
_HEADS: dict[str, tuple[bytes, ...]] = {
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".gif": (b"GIF87a", b"GIF89a"),
    ".pdf": (b"%PDF-",),
}


class NotPlain(Exception):
    """The file is not what its name says, or it holds more than numbers."""


def is_picture(suffix: str, raw: bytes) -> bool:
    """True for a picture of the kind that its name says. A text may begin like a GIF: the name must say so too."""
    if suffix == ".webp":
        return raw.startswith(b"RIFF") and raw[8:12] == b"WEBP"
    return raw.startswith(_HEADS.get(suffix, ())) if suffix in _HEADS else False


def is_arrays(suffix: str, raw: bytes) -> bool:
    """True for a file of arrays or columns that can be read without running anything."""
    return suffix in _READERS and not why_not_plain(suffix, raw)


def why_not_plain(suffix: str, raw: bytes | BinaryIO) -> str:
    """Return why a file of arrays holds more than numbers; empty where it does not, or for other kinds of files."""
    try:
        row_counts(suffix, raw)
    except NotPlain as error:
        return str(error)
    return ""


def row_counts(suffix: str, raw: bytes | BinaryIO) -> tuple[int, ...]:
    """Return the first dimension of each array of npy and npz, the rows of Parquet; nothing for other kinds of files.

    Only headers are read, whatever the size. Raises: NotPlain where the file holds more than numbers, or is damaged.
    """
    reader = _READERS.get(suffix)
    if reader is None:
        return ()
    file = io.BytesIO(raw) if isinstance(raw, bytes) else raw
    try:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        return reader(file, size)
    except _DAMAGE as error:
        raise NotPlain("damaged") from error


def _npy(file: BinaryIO, size: int) -> tuple[int, ...]:
    return _array(file, size)[:1]


def _array(file: BinaryIO, size: int) -> tuple[int, ...]:
    """Read the header of one array and see that its numbers fill the rest of the file exactly; return its shape."""
    start = file.read(8)
    if start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
        raise NotPlain("not an array")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > _MAX_HEADER:
        raise NotPlain("an array with an endless header")
    header = cast("dict[str, object]", ast.literal_eval(file.read(length).decode("utf-8").strip()))
    shape = cast("tuple[int, ...]", header["shape"])
    if size != 8 + width + length + math.prod(shape) * _item_bytes(header["descr"]):
        raise NotPlain("more or less in it than its array")
    return shape


def _item_bytes(descr: object) -> int:
    """Return the bytes of one item. Raises: NotPlain for Python objects, which are stored as a pickle."""
    if isinstance(descr, list):
        total = 0
        for _, inner, *shape in cast("list[tuple[object, ...]]", descr):
            repeats = cast("tuple[int, ...]", shape[0]) if shape else ()
            total += math.prod(repeats) * _item_bytes(inner)
        return total
    found = _DESCR.fullmatch(str(descr))
    if found is None:
        raise NotPlain("an array of Python objects, which is a pickle and may run a program when it is loaded")
    return int(found[2] or 1) * (4 if found[1] == "U" else 1)


def _npz(file: BinaryIO, _: int) -> tuple[int, ...]:
    if file.read(4) != b"PK\x03\x04":
        raise NotPlain("something stands before its arrays")
    lengths: list[int] = []
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if archive.comment or len(members) > _MAX_MEMBERS:
            raise NotPlain("more in it than arrays")
        for member in members:
            if not member.filename.endswith(".npy"):
                raise NotPlain(f"`{member.filename[:60]}` in it is no array")
            with archive.open(member) as inner:
                lengths += _array(cast("BinaryIO", inner), member.file_size)[:1]
    return tuple(lengths)


def _safetensors(file: BinaryIO, size: int) -> tuple[int, ...]:
    length = int.from_bytes(file.read(8), "little")
    if length > min(size - 8, _MAX_TABLE):
        raise NotPlain("damaged")
    header = cast("dict[str, dict[str, object]]", json.loads(file.read(length)))
    end = 0
    for name, row in header.items():
        if name == "__metadata__":
            continue
        first, last = cast("list[int]", row["data_offsets"])
        if last - first != math.prod(cast("list[int]", row["shape"])) * _SAFE_BYTES[str(row["dtype"])]:
            raise NotPlain("damaged")
        end = max(end, last)
    if 8 + length + end != size:
        raise NotPlain("more or less in it than its tensors")
    return ()


def _parquet(file: BinaryIO, size: int) -> tuple[int, ...]:
    head = file.read(4)
    file.seek(max(0, size - 8))
    footer, tail = int.from_bytes(file.read(4), "little"), file.read(4)
    if not (head == tail == b"PAR1" and 0 < footer <= size - 12):
        raise NotPlain("not Parquet")
    file.seek(size - 8 - footer)
    try:
        return (parquet_rows(file.read(min(footer, _MAX_TABLE))),)
    except (ValueError, IndexError):  # no program, whatever else it is
        return ()


_READERS: dict[str, Callable[[BinaryIO, int], tuple[int, ...]]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".parquet": _parquet,
}
