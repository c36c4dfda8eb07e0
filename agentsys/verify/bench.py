"""One verification under way: the sandbox, the files, the logs, and what was found so far."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files as resource_files
from pathlib import Path, PurePosixPath

from agentsys.core.artifacts import Check, CheckName, CheckState, Diagnostic, Plan
from agentsys.core.events import EventLog, Stage
from agentsys.core.files import write_atomic
from agentsys.core.text import clean_text, cut
from agentsys.plan.repo_facts import RepoFacts
from agentsys_sandbox.base import REPO, WORK, OnOutput, Sandbox
from agentsys_sandbox.spec import ExecResult, Outcome, Package

PROBES = f"{WORK}/agentsys-probe"
"""Where the probe scripts lie in the sandbox: outside the repository."""
MAX_LOG = 4 << 20
"""Characters of a stored log; longer ones are cut in the middle."""


class Infrastructure(Exception):
    """The sandbox or the index failed, not the code under test; worth another try in a new sandbox."""


@dataclass
class Found:
    """Result of one check."""

    check: Check
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass
class Bench:
    """Everything that a check needs."""

    sandbox: Sandbox
    files: Mapping[str, bytes]
    out: Path
    """Folder of the logs."""
    log_base: Path
    """Folder that log paths in the verdict are relative to: the run directory."""
    plan: Plan
    facts: RepoFacts
    events: EventLog
    round: int
    timeout: float
    constraints: tuple[str, ...] = ()
    profile: str = "smoke"
    stage: Stage = "verify"
    secret: str = field(default_factory=lambda: secrets.token_hex(12))
    """Part of the names of output files in the sandbox: code under test is not told it."""
    packages: tuple[Package, ...] = ()
    exported: Path | None = None
    """Where the results of the smoke run were exported to."""
    on_output: OnOutput | None = None
    """Told what programs print, as they print it."""
    furnish: Callable[[Sandbox], Awaitable[None]] | None = None
    """Puts more into the fresh repository than its own files: data that a larger run needs."""

    @property
    def inside(self) -> str:
        """Folder in the sandbox for what the probes write."""
        return f"{WORK}/agentsys-{self.secret}"

    def text(self, path: str) -> str:
        """Return a file of the repository as text, or `` if there is none."""
        return self.files.get(path, b"").decode("utf-8", "replace")

    async def place_repo(self) -> None:
        """Put the repository back as it was handed in: what an earlier check changed or left behind is gone."""
        await self.sandbox.remove([PurePosixPath(REPO).name], root=WORK)
        await self.sandbox.write_files(self.files)
        if self.furnish is not None:
            await self.furnish(self.sandbox)

    async def place_probe(self, name: str, extra: Mapping[str, bytes] | None = None) -> None:
        """Put one probe script into the sandbox, and `extra` files beside the outputs."""
        script = resource_files("agentsys.verify").joinpath("probes", name).read_bytes()
        await self.sandbox.write_files({name: script}, root=PROBES)
        await self.sandbox.write_files({".keep": b"", **(extra or {})}, root=self.inside)

    async def run(
        self,
        check: CheckName,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        tool: bool = False,
    ) -> ExecResult:
        """Execute in the run phase and report it as an event.

        Args:
            tool: the program is ours; if it cannot be started, the sandbox is broken, not the repository.

        Raises: Infrastructure.
        """
        result = await self.sandbox.exec(argv, env=env, timeout=timeout or self.timeout, on_output=self.on_output)
        self.report(check, argv, result)
        if result.outcome.is_infrastructure or (tool and result.outcome is Outcome.START_FAILED):
            raise Infrastructure(f"{check}: {result.message or result.outcome.value}")
        return result

    def report(self, check: CheckName, argv: Sequence[str], result: ExecResult) -> None:
        """Emit the event of one execution."""
        shown = cut(" ".join(argv), 300)
        self.events.emit(
            "sandbox.exec",
            stage=self.stage,
            round=self.round,
            check=check,
            command=shown,
            outcome=result.outcome.value,
            exit_code=result.exit_code,
            seconds=round(result.seconds, 3),
        )

    def log(self, name: str, text: str | bytes) -> str:
        """Store a log and return its path for the verdict."""
        path = self.out / name
        data = clean_text(cut(text, MAX_LOG)) if isinstance(text, str) else text
        write_atomic(path, data)
        return path.relative_to(self.log_base).as_posix() if path.is_relative_to(self.log_base) else str(path)

    def check(
        self, name: CheckName, state: CheckState, note: str, *, result: ExecResult | None = None, log: str = ""
    ) -> Check:
        """Build the record of one check."""
        return Check(
            name=name,
            state=state,
            exit_code=result.exit_code if result else None,
            outcome=result.outcome.value if result else "",
            seconds=round(result.seconds, 3) if result else 0.0,
            log=log,
            note=note,
        )


def log_text(result: ExecResult) -> str:
    """Return an execution's output with a last line on how it ended."""
    ended = f"[{result.outcome.value}, exit code {result.exit_code}, {result.seconds:.1f} s"
    cut_note = f", {result.cut} bytes left out" if result.cut else ""
    said = f": {result.message}" if result.message else ""
    body = result.text()
    return f"{body}{'' if body.endswith(chr(10)) or not body else chr(10)}{ended}{cut_note}]{said}\n"


def outcome_diagnostic(check: CheckName, result: ExecResult, what: str, *, path: str = "") -> Diagnostic | None:
    """Return the diagnostic of an execution that did not end by itself; None for ok and nonzero."""
    limits = {
        Outcome.TIMEOUT: ("timeout", f"{what} did not end within {result.seconds:.0f} s"),
        Outcome.OOM: ("oom", f"{what} used more memory than the sandbox has"),
        Outcome.OUTPUT_LIMIT: ("output", f"{what} printed more than is allowed"),
        Outcome.DISK_LIMIT: ("runtime", f"{what} filled the sandbox's disk"),
        Outcome.PIDS_LIMIT: ("runtime", f"{what} started too many processes or threads"),
        Outcome.KILLED: ("runtime", f"{what} was killed by a signal"),
        Outcome.START_FAILED: ("runtime", f"{what} could not be started"),
        Outcome.DENIED_BY_POLICY: ("install" if check == "install" else "audit", f"{what} was refused"),
    }
    if result.outcome not in limits:
        return None
    kind, message = limits[result.outcome]
    message += f": {result.message}" if result.outcome is Outcome.DENIED_BY_POLICY and result.message else ""
    detail = cut(result.text().strip(), 3000)
    return Diagnostic.model_validate(
        {"kind": kind, "check": check, "message": message, "path": path, "symbol": what, "detail": detail}
    )
