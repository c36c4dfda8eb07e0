"""Fingerprints of prompts: one hash for each named section, blind to what differs without meaning."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from agentsys.llm.types import Prompt

_NOISE: tuple[tuple[re.Pattern[str], str], ...] = (
    # Folders of temporary files: /tmp/abc123, /var/folders/x/y/T/abc.
    (re.compile(r"(?:/private)?(?:/var/folders/[^\s/]+/[^\s/]+/T|/var/tmp|/tmp)/[^\s/'\"`:,;)\]}>]+"), "<tmp>"),
    # Dates with a time, and clock times.
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    # Durations as test and build tools print them.
    (re.compile(r"\bin \d+(?:\.\d+)? ?m?s\b"), "in <time>"),
    # Addresses of objects.
    (re.compile(r"\b0x[0-9a-fA-F]{6,16}\b"), "<address>"),
    # White space at line ends and runs of empty lines; indentation means something in code and stays.
    (re.compile(r"[ \t\r\f\v]+$", re.MULTILINE), ""),
    (re.compile(r"\n{2,}"), "\n"),
)


@lru_cache(maxsize=16)
def _fingerprint(text: str) -> str:
    """Return the hash of a section. The same few texts (rules, paper, plan) stand at the head of every prompt."""
    return _digest(normalise(text).encode("utf-8", "replace"))


def normalise(text: str) -> str:
    """Replace temporary paths, times and addresses by names, and drop white space that carries no meaning."""
    for pattern, replacement in _NOISE:
        text = pattern.sub(replacement, text)
    return text.strip()


def section_hashes(prompt: Prompt) -> dict[str, str]:
    """Return the hash of each section by its name; a name that comes again gets its number: `file`, `file#2`.

    Pictures are sections named `image:<name>`, hashed as they are; their captions `caption:<name>`.
    """
    hashes: dict[str, str] = {}
    for part in (*prompt.prefix, *prompt.body):
        _add(hashes, part.name, _fingerprint(part.text))
    for image in prompt.images:
        _add(hashes, f"image:{image.name}", _digest(image.data))
        if image.caption:
            _add(hashes, f"caption:{image.name}", _fingerprint(image.caption))
    return hashes


def section_texts(prompt: Prompt, hashes: dict[str, str]) -> dict[str, str]:
    """Return the words of each section by its hash.

    Args:
        hashes: `section_hashes` of this prompt; the sections of words come first there, in the prompt's order.
    """
    parts = (*prompt.prefix, *prompt.body)
    return {digest: part.text for digest, part in zip(hashes.values(), parts, strict=False)}


def changed_sections(recorded: dict[str, str], current: dict[str, str]) -> list[str]:
    """Return the names of sections that differ, came or went, in the order of the current prompt.

    A recording without hashes (written by hand, for a test) says nothing about its prompt: nothing has changed.
    """
    if not recorded:
        return []
    names = [*current, *(name for name in recorded if name not in current)]
    return [name for name in names if recorded.get(name) != current.get(name)]


def _add(hashes: dict[str, str], name: str, value: str) -> None:
    number = 2
    unique = name
    while unique in hashes:
        unique = f"{name}#{number}"
        number += 1
    hashes[unique] = value


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
