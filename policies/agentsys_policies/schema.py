"""Decisions and findings: what a gate says, and on which words."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Gate = Literal["intake", "purpose", "plan", "code", "command", "dependency", "artifact", "release"]
Outcome = Literal["allow", "review", "block"]
State = Literal["ok", "error", "incomplete"]
Severity = Literal["info", "low", "medium", "high", "critical"]
Provenance = Literal["user", "paper", "model", "tool"]


class Record(BaseModel):
    """Base of every stored object."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Evidence(Record):
    """Where it stands. `quote` is at most 200 characters, control characters removed."""

    path: str = ""
    line: int | None = None
    column: int | None = None
    quote: str = ""
    provenance: Provenance = "model"


class Finding(Record):
    """One rule that matched."""

    rule: str
    category: str
    severity: Severity
    message: str
    remedy: str = ""
    evidence: Evidence = Field(default_factory=Evidence)


class Scanner(Record):
    """Receipt: what a scanner looked at. Nothing is clean that is not in `examined`."""

    name: str
    version: str
    inputs: int
    examined: int
    skipped: tuple[str, ...] = ()
    ms: float = 0.0


class PolicyRef(Record):
    """Which rules decided."""

    file: str
    version: str
    sha256: str


class Decision(Record):
    """The answer of one gate."""

    schema_version: Literal[1] = 1
    id: str
    ts: str
    gate: Gate
    subject: str = Field(description="what was judged: a path, a command, a requirement, the paper's hash")
    sha256: str = ""
    decision: Outcome
    status: State = "ok"
    screened_by: str = Field(default="", description="`rules`, `judge`, or both; empty where no choice exists")
    policy: PolicyRef
    findings: tuple[Finding, ...] = ()
    scanners: tuple[Scanner, ...] = ()

    @property
    def allows(self) -> bool:
        """True only for a complete, faultless allow."""
        return self.decision == "allow" and self.status == "ok"
