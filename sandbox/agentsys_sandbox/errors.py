"""What goes wrong with a sandbox itself, never with the code in it."""

from __future__ import annotations


class SandboxError(Exception):
    """Base of the errors below; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Unavailable(SandboxError):
    """This backend cannot be used here (absent, not answering, too old, no permission: the message says which)."""


class NamedUnavailable(Unavailable):
    """The same of an engine that the user has named: no other place is taken for it."""


class ImageMissing(Unavailable):
    """The base image is not there and could not be made."""


class WeakSandbox(SandboxError):
    """A demanded control is not effective, and running without it was not allowed."""


class SandboxGone(SandboxError):
    """The sandbox died or was removed from outside; open a new one."""
