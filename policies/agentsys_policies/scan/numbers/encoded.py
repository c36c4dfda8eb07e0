"""Texts and numbers within encoded words: hexadecimal, base 64, 32 and 85, also compressed or as packed floats."""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Callable, Iterator

MOST_WORDS = 4000
"""Words of one text that are decoded."""
LONGEST = 100_000
"""Characters of a word, and bytes of what is decompressed."""
_WORD = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,6}|[!-&(-\[\]-~]{10,}")
_NUMBER = re.compile(r"\d")
_DEPTH = 2


def decoded(text: str, depth: int = _DEPTH) -> Iterator[tuple[int, str]]:
    """Yield (line from 1, readable text) of the words that are encoded texts, at most two encodings deep."""
    line, at = 1, 0
    for count, match in enumerate(_WORD.finditer(text)):
        if count >= MOST_WORDS:
            return
        word = match[0]
        if len(word) > LONGEST or (word.isalpha() and (word.islower() or word.isupper() or word[1:].islower())):
            continue
        line, at = line + text.count("\n", at, match.start()), match.start()
        for raw in _bytes(word):
            for inner in _readable(raw):
                yield line, inner
                if depth > 1:
                    yield from ((line, deeper) for _, deeper in decoded(inner, depth - 1))


def unpack(raw: bytes) -> bytes:
    """Return what was compressed, at most `LONGEST` bytes of it; the same bytes where nothing was."""
    for bits in (15 + 32, -15) if raw[:1] in b"\x1f\x78" else ():
        try:
            return zlib.decompressobj(bits).decompress(raw, LONGEST)
        except zlib.error:
            continue
    return raw


def _bytes(word: str) -> Iterator[bytes]:
    bare = word.rstrip("=")
    if len(bare) % 2 == 0 and re.fullmatch(r"[0-9a-fA-F]+", bare):
        yield bytes.fromhex(bare)
    if re.fullmatch(r"[A-Za-z0-9+/_-]+", bare):
        with_pad = bare.replace("-", "+").replace("_", "/") + "=" * (-len(bare) % 4)
        yield from _tried(base64.b64decode, with_pad)
        if re.fullmatch(r"[A-Z2-7]+", bare):
            yield from _tried(base64.b32decode, bare + "=" * (-len(bare) % 8))
    else:
        yield from _tried(base64.b85decode, word)
        yield from _tried(base64.a85decode, word)


def _tried(decode: Callable[[str], bytes], word: str) -> Iterator[bytes]:
    try:
        yield decode(word)
    except (binascii.Error, ValueError, struct.error, OverflowError):
        return


def _readable(raw: bytes) -> Iterator[str]:
    raw = unpack(raw)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text and _NUMBER.search(text) and all(letter.isprintable() or letter.isspace() for letter in text):
        yield text
        return
    yield from _packed(raw)


def _packed(raw: bytes) -> Iterator[str]:
    """Floats that somebody wrote down: few digits, and packed one after the other."""
    if not 8 <= len(raw) <= LONGEST:
        return
    for order in "<>":
        for letter, size, digits in (("d", 8, 7), ("f", 4, 5)):
            if len(raw) % size:
                continue
            values = struct.unpack(f"{order}{len(raw) // size}{letter}", raw)
            words = [f"{value:.{digits}g}" for value in values]
            pairs = zip(words, values, strict=True)
            if all(value and abs(float(word) - value) <= abs(value) * 1e-6 for word, value in pairs):
                yield " ".join(words)
