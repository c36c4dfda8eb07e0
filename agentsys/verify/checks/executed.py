"""Code that was executed although the type checker has not seen it, as the probes wrote it down."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from agentsys.core.artifacts import Diagnostic
from agentsys.verify.checks.base import read_lines


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")
    unseen: str
    """Path in the repository."""
    line: int
    what: str
    """`exec`, `compile`, the file that was loaded, or `changed`."""


def unseen_code(check: str, data: bytes | None) -> list[Diagnostic]:
    """Return a finding for each place in the repository that executed something else than its checked files.

    Args:
        check: that ran the probe.
        data: what the probe wrote.
    """
    found: list[Diagnostic] = []
    for row in read_lines(data, _Line):
        message = f"code is executed that the type checker did not see ({row.what}): write it as a module and import it"
        if row.what == "changed":
            message = "the file is not what was handed in when it is imported: something rewrites it"
        found.append(Diagnostic(kind="type", check=check, message=message, path=row.unseen, line=row.line))
    return found
