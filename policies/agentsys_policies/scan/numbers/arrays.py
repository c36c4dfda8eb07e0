"""Numbers in files of arrays: npy and npz members that hold plain integers and floats."""

from __future__ import annotations

import ast
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, cast

MAGIC = b"\x93NUMPY"
MOST_BYTES = 2_000_000
"""Bytes of one array that are looked at."""
MOST_MEMBERS = 200
_LETTERS = {"f8": "d", "f4": "f", "f2": "e", "i8": "q", "i4": "i", "i2": "h", "u8": "Q", "u4": "I", "u2": "H"}


def arrays(raw: bytes) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Yield (name, numbers) of an npy file or of the members of an npz file; what is neither yields nothing."""
    if raw.startswith(MAGIC):
        yield "", _numbers(raw)
    elif raw.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                for member in archive.infolist()[:MOST_MEMBERS]:
                    with archive.open(member) as file:
                        yield member.filename.removesuffix(".npy"), _numbers(file.read(MOST_BYTES))
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
            return


def _numbers(raw: bytes) -> tuple[float, ...]:
    """Numbers of one array; an array of objects or of texts has none here."""
    if not raw.startswith(MAGIC) or len(raw) < 12:
        return ()
    wide = raw[6] > 1
    size = struct.unpack_from("<I" if wide else "<H", raw, 8)[0]
    begin = 12 if wide else 10
    try:
        header = ast.literal_eval(raw[begin : begin + min(size, 10_000)].decode("latin-1").strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    kind = cast("dict[str, Any]", header).get("descr") if isinstance(header, dict) else None
    letter = _LETTERS.get(kind[1:]) if isinstance(kind, str) and re.match(r"[<>|=]", kind) else None
    if letter is None:
        return ()
    order = ">" if cast("str", kind).startswith(">") else "<"
    body = raw[begin + size : MOST_BYTES]
    width = struct.calcsize(letter)
    return tuple(float(value) for (value,) in struct.iter_unpack(order + letter, body[: len(body) // width * width]))
