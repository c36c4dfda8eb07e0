"""When two diagnostics are the same fault."""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

from agentsys.core.tree import is_test_path


class Fault(Protocol):
    """What of a diagnostic tells it from others."""

    @property
    def kind(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def symbol(self) -> str: ...


_BY_SYMBOL = frozenset({"missing_dependency", "bad_pin", "missing_file", "oom", "timeout"})
"""Kinds whose symbol alone names the fault, whichever file or check it shows in."""

_VOLATILE = (
    (re.compile(r"0x[0-9a-fA-F]+"), "0x#"),
    (re.compile(r"(/tmp|/var/tmp|/work)/[^\s'\"`:,)]+"), "PATH"),
    (re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?"), "#"),
    (re.compile(r"\s+"), " "),
)
_LONGEST = 3000
_COUNT = re.compile(r"\s*\[[^\[\]]*\]\s*$")


def fingerprint_of(diagnostic: Fault) -> str:
    """Return 16 hexadecimal digits that stay the same when line numbers, addresses, values or counts change."""
    parts: list[str] = [_kind(diagnostic)]
    if diagnostic.kind in _BY_SYMBOL and diagnostic.symbol:
        parts.append(diagnostic.symbol.lower())
    elif diagnostic.kind == "wrong_import" and diagnostic.symbol:
        parts += [diagnostic.path, diagnostic.symbol.rpartition(".")[2]]
    elif diagnostic.kind == "syntax" and diagnostic.path:
        parts.append(diagnostic.path)
    else:
        parts += [diagnostic.path, diagnostic.symbol, stable_text(diagnostic.message)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _kind(diagnostic: Fault) -> str:
    """A fault inside the method is one, whichever check runs into it: an import, a test or the smoke run."""
    inside = diagnostic.path and not is_test_path(diagnostic.path)
    return "fault" if inside and diagnostic.kind in ("import", "test", "runtime") else diagnostic.kind


def stable_text(message: str) -> str:
    """Return the first line of a message without numbers, addresses, temporary paths and a trailing `[count]`."""
    text = _COUNT.sub("", message[:_LONGEST].strip().split("\n", 1)[0])
    for pattern, replacement in _VOLATILE:
        text = pattern.sub(replacement, text)
    return text[:300]
