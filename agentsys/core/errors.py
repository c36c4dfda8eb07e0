"""Expected failures: what went wrong, in plain words, and how to put it right.

    AgentsysError                     exit code  status
    ├── InternalError                 1          internal_error
    ├── UsageError (ValueError)       2          config_error
    │   ├── RunInUse
    │   └── PaperError                2 or 3
    │       └── DoubtfulPaper
    ├── PrerequisiteError             3          config_error
    │   └── SandboxUnavailable
    ├── ProviderError                 4          provider_error
    ├── BlockedError                  6          blocked
    ├── LimitReached                  7          limit
    ├── EditError                     5          unverified
    │   └── UnsafePath
    ├── GitError                      1          internal_error
    └── Interrupted                   130, 143   interrupted

Everything that is not an AgentsysError is a bug and keeps its traceback.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Status = Literal[
    "running",
    "verified",
    "internal_error",
    "config_error",
    "provider_error",
    "unverified",
    "blocked",
    "limit",
    "interrupted",
]

ReasonCode = Literal[
    "",
    "passed",
    "stopped",
    "not_verified",
    "replay_failed",
    "central_method",
    "refused",
    "rounds_used",
    "same_cause",
    "no_change",
    "given_up",
    "budget",
    "tokens",
    "time",
]
"""Why a run ended, for programs; `agentsys.report.ending` has the words and what to do next."""

EXIT_CODES: dict[Status, int] = {
    "verified": 0,
    "internal_error": 1,
    "config_error": 3,
    "provider_error": 4,
    "unverified": 5,
    "blocked": 6,
    "limit": 7,
    "interrupted": 130,
}
"""Exit code of each final status. Usage errors end with 2 before a run exists; SIGTERM ends with 143."""


class AgentsysError(Exception):
    """An expected failure.

    Args:
        message: one sentence, lower case, no full stop; names in backticks.
        hint: what the user can do about it; empty where nothing can be done.
    """

    status: ClassVar[Status] = "internal_error"
    exit_code: int = 1
    code: ReasonCode = ""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InternalError(AgentsysError):
    """An invariant of agentsys itself is broken; please report it."""


class UsageError(AgentsysError, ValueError):
    """The command line or an argument is wrong."""

    status = "config_error"
    exit_code = 2


class RunInUse(UsageError):
    """Another process has the run."""


class PaperError(UsageError):
    """The paper cannot be read: missing, empty, not a paper, encrypted (exit code 2); or unsupported here (3)."""

    def __init__(self, message: str, hint: str = "", *, exit_code: int = 2) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


class DoubtfulPaper(PaperError):
    """What was read does not look like a paper, and nobody has said that it is one."""


class PrerequisiteError(AgentsysError):
    """Configuration or something on the machine is missing."""

    status = "config_error"
    exit_code = 3


class SandboxUnavailable(PrerequisiteError):
    """No place to run untrusted code safely, or the one in use failed after retries."""


class ProviderError(AgentsysError):
    """The model provider failed, after retries where they make sense."""

    status = "provider_error"
    exit_code = 4


class KeyRefused(ProviderError):
    """The endpoint does not take the key."""


class NoUsableAnswer(ProviderError):
    """The model answered, but never in a form that could be used."""


class BlockedError(AgentsysError):
    """The safety policy refused."""

    status = "blocked"
    exit_code = 6
    code = "refused"


class LimitReached(AgentsysError):
    """A limit on money, tokens or time is used up; the run can be resumed with a larger one."""

    status = "limit"
    exit_code = 7

    def __init__(self, message: str, hint: str = "", code: ReasonCode = "") -> None:
        super().__init__(message, hint)
        self.code = code


class Interrupted(AgentsysError):
    """A signal ended the run; it can be resumed."""

    status = "interrupted"
    exit_code = 130

    def __init__(self, message: str = "interrupted", hint: str = "", *, exit_code: int = 130) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


class EditError(AgentsysError):
    """A model's answer cannot be applied. The message tells the model what to change; nothing was written."""

    status = "unverified"
    exit_code = 5

    @property
    def feedback(self) -> str:
        """What the model is told."""
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UnsafePath(EditError):
    """A path that may not be written."""


class GitError(AgentsysError):
    """git on the deliverable failed."""
