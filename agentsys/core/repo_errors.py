"""Faults of a model's answer to a repair: sent back to the model as feedback, never shown as a crash."""

from __future__ import annotations

from typing import ClassVar

from agentsys.core.errors import AgentsysError, Status


class EditError(AgentsysError):
    """An answer cannot be applied. `message` tells the model what to change; nothing was written."""

    status: ClassVar[Status] = "unverified"
    exit_code = 5


class UnsafePath(EditError):
    """A path that may not be written."""


class GuardRefused(EditError):
    """A patch that weakens the method or its tests.

    Args:
        reasons: one sentence for each weakening.
    """

    def __init__(self, reasons: tuple[str, ...]) -> None:
        listed = "; ".join(reasons)
        super().__init__(f"the patch weakens the repository: {listed}", "repair the cause, not the check")
        self.reasons = reasons


class GitError(AgentsysError):
    """git on the deliverable failed."""

    exit_code = 1
