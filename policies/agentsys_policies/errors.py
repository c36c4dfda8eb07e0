"""The one expected failure of this package: a policy, a judge's answer or an audit that cannot be used."""

from __future__ import annotations


class PolicyError(ValueError):
    """Something the policy needs is missing or wrong; nothing may go on that depends on it.

    Args:
        message: one sentence, lower case, no full stop; names in backticks.
        hint: what the user can do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
