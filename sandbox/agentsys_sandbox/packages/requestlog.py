"""What a sandbox asked the package index for, and what it was answered."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass

_LONGEST_PATH = 300
MOST_REQUESTS = 50_000
"""Requests that one installation is answered; a large one makes some thousands."""


@dataclass(frozen=True)
class Entry:
    """One request. `decision` is `served`, or the reason in plain words."""

    method: str
    path: str
    status: int
    decision: str
    package: str = ""
    version: str = ""
    sha256: str = ""
    bytes: int = 0


class RequestLog:
    """Collects entries from all threads, counts bytes against the quota, and keeps the faults apart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._faults: list[str] = []
        self._bytes = 0
        self._asked = 0

    def admit(self) -> bool:
        """Count a request; False for one too many, or a hostile build could fill the memory with entries."""
        with self._lock:
            self._asked += 1
            return self._asked <= MOST_REQUESTS

    def add(self, entry: Entry) -> None:
        """Write a request down."""
        with self._lock:
            if len(self._entries) <= MOST_REQUESTS:
                self._entries.append(entry)

    def fault(self, text: str) -> None:
        """Write a failure of the infrastructure down, once."""
        with self._lock:
            if text not in self._faults:
                self._faults.append(text)

    def claim(self, size: int, quota: int) -> bool:
        """Count bytes before they are sent; False where they would go over the quota."""
        with self._lock:
            if self._bytes + size > quota:
                return False
            self._bytes += size
            return True

    def entries(self) -> list[dict[str, object]]:
        """A copy of all requests so far, as plain data."""
        with self._lock:
            return [asdict(entry) for entry in self._entries]

    def faults(self) -> list[str]:
        """A copy of the faults so far."""
        with self._lock:
            return list(self._faults)


def printable(text: str) -> str:
    """Text of a request, safe for a log: it comes from untrusted code."""
    return text[:_LONGEST_PATH].encode("ascii", "backslashreplace").decode().encode("unicode_escape").decode()
