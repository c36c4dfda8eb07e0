"""What can go wrong between us and a provider, told apart by what to do about it."""

from __future__ import annotations


class ProviderFault(Exception):
    """Base.

    Args:
        message: plain words, without secrets.
        status: HTTP status where there is one.
        retry_after: seconds that the provider asks to wait.
        hint: what the user can do about it.
    """

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None, hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.hint = hint


class Transient(ProviderFault):
    """Try again: 408, 409, 429 without quota words, 5xx, connection, time-out, a stream that broke."""


class WrongPage(Transient):
    """A web page, or something else that is not the protocol, where JSON was expected: a second one is final."""


class Fatal(ProviderFault):
    """Trying again is useless: 400, 401, 403, 404, quota used up, an HTML page where JSON was expected twice."""
