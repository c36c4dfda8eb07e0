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

_MAX_HEADER = 1 << 16
_MAX_MEMBERS = 10_000
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


def why_not_plain(suffix: str, raw: bytes) -> str:
    """Return why a file of arrays holds more than numbers; empty where it does not, or for other kinds of files."""
    reader = _READERS.get(suffix)
    try:
        if reader is not None:
            reader(raw)
    except NotPlain as error:
        return str(error)
    except _DAMAGE:
        return "damaged"
    return ""


def _npy(raw: bytes) -> None:
    _array(io.BytesIO(raw), len(raw))


def _array(file: BinaryIO, size: int) -> None:
    """Read the header of one array and see that its numbers fill the rest of the file exactly."""
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


def _npz(raw: bytes) -> None:
    if not raw.startswith(b"PK\x03\x04"):
        raise NotPlain("something stands before its arrays")
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = archive.infolist()
        if archive.comment or len(members) > _MAX_MEMBERS:
            raise NotPlain("more in it than arrays")
        for member in members:
            if not member.filename.endswith(".npy"):
                raise NotPlain(f"`{member.filename[:60]}` in it is no array")
            with archive.open(member) as file:
                _array(cast("BinaryIO", file), member.file_size)


def _safetensors(raw: bytes) -> None:
    length = int.from_bytes(raw[:8], "little")
    if length > len(raw) - 8:
        raise NotPlain("damaged")
    header = cast("dict[str, dict[str, object]]", json.loads(raw[8 : 8 + length]))
    end = 0
    for name, row in header.items():
        if name == "__metadata__":
            continue
        first, last = cast("list[int]", row["data_offsets"])
        if last - first != math.prod(cast("list[int]", row["shape"])) * _SAFE_BYTES[str(row["dtype"])]:
            raise NotPlain("damaged")
        end = max(end, last)
    if 8 + length + end != len(raw):
        raise NotPlain("more or less in it than its tensors")


def _parquet(raw: bytes) -> None:
    footer = int.from_bytes(raw[-8:-4], "little")
    if not (raw.startswith(b"PAR1") and raw.endswith(b"PAR1") and 0 < footer <= len(raw) - 12):
        raise NotPlain("not Parquet")


_READERS: dict[str, Callable[[bytes], None]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".parquet": _parquet,
}
