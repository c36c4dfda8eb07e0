"""`run.json`: what a run is, where it stands, and what it used. Written atomically at every change."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from agentsys.core.errors import Status


class SettingValue(BaseModel):
    """One setting and the layer it came from (`flag`, `--set`, `env`, a file's path, `default`)."""

    model_config = ConfigDict(extra="forbid")

    value: object = None
    source: str = "default"


class UsageRecord(BaseModel):
    """What the models used so far."""

    model_config = ConfigDict(extra="forbid")

    calls: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    cost: float | None = 0.0
    """US dollars; None where a price is unknown."""


class RunRecord(BaseModel):
    """The content of run.json."""

    model_config = ConfigDict(extra="ignore")

    schema_version: int = 1
    id: str
    status: Status = "running"
    exit_code: int | None = None
    reason: str = ""
    """Why the run ended as it did, in one sentence."""
    reason_code: str = ""
    """The same for programs (`core.errors.ReasonCode`); empty in runs from before it was stored."""
    hint: str = ""
    stage: str = "read"
    pid: int | None = None
    pid_started: float | None = None
    """Start time of that process in clock ticks since boot: a pid alone may have been given to another process."""
    started: str = ""
    finished: str = ""
    paper_path: str = ""
    paper_sha256: str = ""
    title: str = ""
    request: str = ""
    settings: dict[str, SettingValue] = Field(default_factory=dict)
    owner: str = ""
    """Mark of the user who chose these settings (`core.ownership`)."""
    versions: dict[str, str] = Field(default_factory=dict)
    hashes: dict[str, str] = Field(default_factory=dict)
    """`prompts`, `policy`, `image`, and others."""
    usage: UsageRecord = Field(default_factory=UsageRecord)
    seconds: dict[str, float] = Field(default_factory=dict)
    """Wall time of each stage."""
    rounds: int = 0
    """Verifications done."""
    backend: str = ""
    weak_sandbox: bool = False
    replayed: bool = False
    """True if the repository passed the replay in a fresh sandbox."""
    release: str = ""
    """`yes` where a verified run can be released, else why not; empty where it was not asked."""
    recording: str = ""
    """Where the model's answers came from, when they were replayed."""
    reworded: int = 0
    """How many of these answers were recorded for a prompt in other words."""
