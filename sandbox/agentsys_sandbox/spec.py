"""What a sandbox is asked for, and what an execution in it comes back with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

Source = Literal["auto", "registry", "host"]
"""What a base image is built from: a registry's Python image, this machine's files, or whichever works."""


class Outcome(StrEnum):
    """How an execution ended. Decided by own clock, counters and container state, never by the exit code alone."""

    OK = "ok"
    NONZERO = "nonzero"
    TIMEOUT = "timeout"
    OOM = "oom"
    OUTPUT_LIMIT = "output_limit"
    DISK_LIMIT = "disk_limit"
    PIDS_LIMIT = "pids_limit"
    KILLED = "killed"
    START_FAILED = "start_failed"
    SANDBOX_DIED = "sandbox_died"
    INFRA_ERROR = "infra_error"
    DENIED_BY_POLICY = "denied_by_policy"

    @property
    def is_infrastructure(self) -> bool:
        """True where the code under test is not to blame."""
        return self in (Outcome.SANDBOX_DIED, Outcome.INFRA_ERROR)


@dataclass(frozen=True)
class Limits:
    """Limits of one sandbox. Sizes in bytes, times in seconds."""

    memory: int = 4 << 30
    cpus: float = 2.0
    pids: int = 512
    disk: int = 8 << 30
    open_files: int = 4096
    tmp: int = 512 << 20
    shm: int = 1 << 30
    ttl: float = 4 * 3600.0


@dataclass(frozen=True)
class IndexRules:
    """What may be installed."""

    denied: Mapping[str, str] = field(default_factory=dict[str, str])
    """Normalised package name -> why it is refused."""
    cooldown: float = 0.0
    """Seconds that a file must have been on its index: what is newer or of unknown age is not offered. 0: no limit."""
    quota: int = 20 << 30
    """Bytes of files that one installation may consist of."""
    driver: str = ""
    """NVIDIA driver for which builds of PyTorch are chosen, such as `535.54.03`; empty: as indexes offer them."""


@dataclass(frozen=True)
class SandboxSpec:
    """Everything that a backend needs to open a sandbox."""

    run: str
    """Id of the run, for labels and names; letters, digits and hyphens."""
    image: str = ""
    """Base image; empty takes the backend's own."""
    limits: Limits = field(default_factory=Limits)
    gpu: bool = False
    allow_weak: bool = False
    index: IndexRules = field(default_factory=IndexRules)
    runtime: str = ""
    """Container runtime that programs run under, such as `runsc` (gVisor); empty takes the engine's own."""
    cache_dir: Path | None = None
    """Where packages and environments are kept between runs; None takes the user's cache directory."""


@dataclass(frozen=True)
class ExecResult:
    """What one execution did. `stdout` and `stderr` keep head and tail; `cut` says what is missing between."""

    outcome: Outcome
    exit_code: int | None
    stdout: bytes
    stderr: bytes
    seconds: float
    cut: int = 0
    """Bytes of output that were left out."""
    oom_kills: int = 0
    cpu_seconds: float | None = None
    """Of all processes together; None where they were not counted."""
    message: str = ""
    """Plain words for outcomes other than ok and nonzero."""

    @property
    def ok(self) -> bool:
        """True if it ran, ended by itself and returned 0."""
        return self.outcome is Outcome.OK

    def text(self) -> str:
        """Both streams as text: invalid UTF-8 replaced, control sequences removed."""
        from agentsys_sandbox.text import clean

        return clean(self.stdout) + clean(self.stderr)


@dataclass(frozen=True)
class Package:
    """One installed distribution."""

    name: str
    version: str
    sha256: str = ""


@dataclass(frozen=True)
class InstallResult:
    """An installation: how it went, and what is installed now."""

    result: ExecResult
    packages: tuple[Package, ...] = ()


@dataclass(frozen=True)
class ExportReport:
    """What came out of a sandbox: relative paths written, and what was dropped with the reason."""

    written: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Control:
    """One control of the isolation: asked for, and effective or not."""

    name: str
    effective: bool
    detail: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Description:
    """Where code runs and how well it is contained, as far as it was looked at."""

    backend: str
    version: str
    weak: bool
    controls: tuple[Control, ...] = ()
