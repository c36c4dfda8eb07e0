"""What can go wrong between us and a provider, told apart by what to do about it."""

from __future__ import annotations


class ProviderFault(Exception):
    """Base. `status` is the HTTP status where there is one."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class Transient(ProviderFault):
    """Try again: 408, 409, 429 without quota words, 5xx, connection, time-out, a stream that broke."""


class Fatal(ProviderFault):
    """Trying again is useless: 400, 401, 403, 404, quota used up, an HTML page where JSON was expected twice."""
