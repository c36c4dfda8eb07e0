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


class Override(Record):
    """A person let something go on: who, why, and for how much of the run."""

    rule: str
    who: str = Field(min_length=1)
    reason: str = Field(min_length=10)
    ts: str
    scope: Literal["finding", "run"] = "finding"
    evidence: Evidence = Field(default_factory=Evidence)


class HiddenText(Record):
    """A run of text in a document that a reader of the page does not see."""

    page: int
    reason: str = Field(description="`noink`, `tiny`, `off_page`, `covered`, ...")
    text: str
    removed: bool = Field(description="True only if the text went into nothing that an agent reads")


class IntakeFacts(Record):
    """What the reader of a document found out about it, for the intake gate."""

    path: str
    sha256: str
    format: str = Field(description="`pdf`, `tex`, `md` or `txt`")
    size: int = Field(ge=0, description="bytes")
    pages: int = Field(default=1, ge=0)
    pages_examined: int = Field(default=0, ge=0, description="pages rendered and searched for hidden text; 0 = none")
    encrypted: bool = False
    active_content: tuple[str, ...] = Field(default=(), description="`javascript`, `launch`, `open_action`, ...")
    attachments: int = Field(default=0, ge=0)
    annotations_given: bool = Field(default=False, description="True if annotations or metadata reach an agent")
    hidden: tuple[HiddenText, ...] = ()
    invisible_characters: int = Field(default=0, ge=0, description="zero-width, tag and direction characters removed")


class JudgePrompt(Record):
    """One call of a judge model: the policy in `system`, the material, quoted and marked, in `user`."""

    system: str
    user: str


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
    overrides: tuple[Override, ...] = Field(default=(), description="persons' permissions that changed the outcome")
    loosened: tuple[str, ...] = Field(
        default=(), description="what this policy lets pass that the shipped one does not"
    )
    note: str = Field(default="", description="one sentence for a reader, e.g. why the status is not `ok`")

    @property
    def allows(self) -> bool:
        """True only for a complete, faultless allow."""
        return self.decision == "allow" and self.status == "ok"
