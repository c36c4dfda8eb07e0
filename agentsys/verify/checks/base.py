"""What every check works with: the job, its bench (an open sandbox and the logs), and what a check hands back."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files as resource_files
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from agentsys.core.artifacts import Check, CheckState, Diagnostic, Plan
from agentsys.core.events import EventLog, Stage
from agentsys.core.files import write_atomic
from agentsys.core.text import clean_text, cut
from agentsys.plan.repo_facts import RepoFacts
from agentsys.plan.requirements import FILES
from agentsys.verify.withheld import shown
from agentsys_sandbox.base import REPO, VENV, WORK, OnOutput, Sandbox
from agentsys_sandbox.spec import ExecResult, Outcome, Package

MAX_LOG = 4 << 20
"""Characters of a stored log; longer ones are cut in the middle."""
LOADED = 8
"""Times the seconds of a command that the clock may show: what an idle machine does in time a busy one does too."""


class Infrastructure(Exception):
    """The sandbox or the index failed, not the code under test; worth another try in a new sandbox."""


@dataclass
class Found:
    """Result of one check."""

    check: Check
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class CheckSpec:
    """A check: what it is called, what it needs, and what it runs. `agentsys.verify.checks.table` lists them."""

    name: str
    run: Callable[[Bench], Awaitable[Found]] | None = None
    """Runs in the sandbox and turns what was printed into diagnostics; None where the result is handed in."""
    needs: tuple[str, ...] = ()
    """Checks that must have passed before it is run."""
    after: tuple[str, ...] = ()
    """Checks that may have failed, but not by a limit of time or memory: this one would run into the same."""
    beside: str = ""
    """The check that follows it and may run at the same time, where there is a second sandbox."""
    demanded: bool = True
    """False for what comes on top once every demanded check has passed."""
    leaves: tuple[str, ...] = ()
    """Evidence in the round's folder with which a later round takes the check over, where it reads no test and
    nothing that it reads has changed; see `agentsys.verify.checks.takeover`."""


@dataclass(frozen=True)
class Screened:
    """What the policy says about a resolved set of packages, before anything of it is installed."""

    note: str
    refused: bool
    """The audit check fails."""
    may_run: bool
    """False where nothing may be installed or executed."""
    found: tuple[Diagnostic, ...] = ()
    installed: Callable[[Bench], Awaitable[None]] | None = None
    """Called once the set is installed: what only the files themselves tell, such as licences, is added."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is verified, and where the evidence goes."""

    files: Mapping[str, bytes]
    """The repository: POSIX path to content."""
    out: Path
    """Folder of the logs, `rounds/NN`; log paths in the verdict are relative to the folder two above it."""
    plan: Plan
    events: EventLog
    timeout: float
    """Seconds for each command: of processor time, on each processor; the clock allows `LOADED` times as many."""
    round: int = 0
    """Number of the verification, from 1; 0 where it is none of a run's."""
    constraints: tuple[str, ...] = ()
    """Pins for versions that the repository leaves open."""
    lock: str = ""
    """The repository's requirements.lock: exactly that set is installed. Without hashes its rows are only pins."""
    profile: str = "smoke"
    stage: Stage = "verify"
    mutants: int = 0
    """Planted faults beyond those that the check `faults` needs."""
    tree: str = ""
    """Name of the tree for the verdict; empty takes the hash of `files`."""
    earlier: Path | None = None
    """Folder of the verification of this very tree that passed before: the numbers of a replay must be its numbers."""
    keep_in: Path | None = None
    """Repository whose `results/` takes the measured results where they were accepted."""
    screen: Callable[[Bench], Awaitable[Screened]] | None = None
    """The policy's look at what was resolved; what it refuses fails the audit, or is not installed at all."""
    two_sandboxes: bool = False
    """This machine has room for a second one: some checks run at the same time."""
    on_output: OnOutput | None = None
    """Told what programs print, as they print it."""
    doubt: float = 0.0
    """Seconds after which a failure is believed: who ends this process may have ended the program a moment before."""


@dataclass
class Bench:
    """An open sandbox with a job in it."""

    sandbox: Sandbox
    job: Job
    facts: RepoFacts = field(init=False)
    secret: str = field(default_factory=lambda: secrets.token_hex(12))
    """Part of the names of output files in the sandbox: code under test is not told it."""
    packages: tuple[Package, ...] = ()
    """What was resolved, and installed unless `screened` stands against it."""
    screened: Screened | None = None
    exported: Path | None = None
    """Where the results of the smoke run were exported to."""
    run_seconds: float = 0.0
    """How long the smoke run took."""
    add_files: Callable[[Sandbox], Awaitable[None]] | None = None
    """Puts more into the fresh repository than its own files: data that a larger run needs."""
    data: str = ""
    """Identity of the data that `add_files` shows (`DataFolder.identity`); empty for none."""
    second: Callable[[], Awaitable[Bench | None]] | None = None
    """Waits until the second sandbox is free, and returns its bench; None where there is no such sandbox, or none that
    works."""

    def __post_init__(self) -> None:
        files = self.job.files
        texts = {name: self.text(name) for name in (*FILES, "pyproject.toml") if name in files}
        self.facts = RepoFacts(files=frozenset(files), plan=self.job.plan, texts=texts)

    @property
    def inside(self) -> str:
        """Folder in the sandbox for what the probes write."""
        return f"{WORK}/agentsys-{self.secret}"

    def earlier(self, name: str) -> list[Path]:
        """Return what earlier rounds of the run left under that name, the latest first; none for a replay.

        Nor after a replay that failed: what was taken over may be what hid the fault.
        """
        out = self.job.out
        if self.job.stage != "verify" or (out.parent / "replay").exists() or not out.name.isdecimal():
            return []
        found = [file for file in out.parent.glob(f"*/{name}") if file.parent.name.isdecimal()]
        past = [file for file in found if int(file.parent.name) < int(out.name)]
        return sorted(past, key=lambda file: -int(file.parent.name))

    def text(self, path: str) -> str:
        """Return a file of the repository as text, or `` if there is none."""
        return self.job.files.get(path, b"").decode("utf-8", "replace")

    def touching(self, item: Diagnostic) -> Diagnostic:
        """Add the requirements of the ledger that the diagnostic's file touches."""
        return item.model_copy(update={"requirements": self.facts.requirements(item.path)})

    async def place_repo(self, files: Mapping[str, bytes] | None = None) -> None:
        """Put the repository back as it was handed in: what an earlier check changed or left anywhere is gone.

        Documentation is not shown, see `agentsys.verify.withheld`.

        Args:
            files: a variant of the repository that is put there instead.
        """
        await self.sandbox.clear()
        await self.sandbox.write_files(shown(self.job.files if files is None else files))
        if self.add_files is not None:
            await self.add_files(self.sandbox)

    async def run_probe(
        self,
        check: str,
        name: str,
        job: Mapping[str, object] | None = None,
        options: Sequence[str] = (),
        flags: Sequence[str] = ("-s",),
        timeout: float | None = None,
        on_output: OnOutput | None = None,
    ) -> ExecResult:
        """Run one of our own programs, which the code cannot change; it writes to the folder `inside`.

        Args:
            name: of the file.
            job: given as JSON on the standard input, where nothing of it is left to be read.
            options: of the program.
            flags: of Python.
            on_output: told what it prints, as it prints it.

        Raises: Infrastructure where the sandbox failed, or the programs are not what they were afterwards.
        """
        await self.sandbox.write_files({".keep": b""}, root=self.inside)
        folder = await self.sandbox.provide(probes())
        argv = [f"{VENV}/bin/python", *flags, f"{folder}/{name}", *options]
        result = await self.run(check, argv, stdin=json.dumps(job or {}).encode(), timeout=timeout, on_output=on_output)
        if not await self.sandbox.intact():
            raise Infrastructure(f"{check}: our own programs in the sandbox were changed while it ran")
        return result

    def checked(self) -> dict[str, str]:
        """Return the SHA-256 of each Python file, by its path in the sandbox: what the type checker sees."""
        python = {path: data for path, data in self.job.files.items() if path.endswith(".py")}
        return {f"{REPO}/{path}": hashlib.sha256(data).hexdigest() for path, data in python.items()}

    @property
    def root(self) -> str:
        """Folder in the sandbox in which the profile is run: in a replay not the one of the run before.

        A project that is installed from its folder has to stay there.
        """
        elsewhere = self.job.earlier is not None and "pyproject.toml" not in self.job.files
        return f"{WORK}/run-{self.secret[:8]}/copy" if elsewhere else REPO

    async def place_run(self) -> None:
        """Put a fresh repository where the profile is to be run."""
        await self.place_repo()
        if self.root != REPO:
            await self.sandbox.write_files(shown(self.job.files), root=self.root)

    async def run(
        self,
        check: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = REPO,
        stdin: bytes = b"",
        timeout: float | None = None,
        on_output: OnOutput | None = None,
    ) -> ExecResult:
        """Execute one of our programs in the run phase and report it as an event.

        Raises: Infrastructure where the sandbox failed, or lacks the program.
        """
        limit = timeout or self.job.timeout
        result = await self.sandbox.exec(
            argv,
            cwd=cwd,
            env=env,
            stdin=stdin,
            timeout=LOADED * limit,
            budget=limit,
            on_output=on_output or self.job.on_output,
        )
        if not result.ok and self.job.doubt:
            await asyncio.sleep(self.job.doubt)
        self.report(check, argv, result)
        if result.outcome is Outcome.TIMEOUT and result.seconds >= LOADED * limit and busy():
            raise Infrastructure(f"{check}: {result.message}: this machine is too busy; `resume` where it is quieter")
        if result.outcome.is_infrastructure or result.outcome is Outcome.START_FAILED:
            raise Infrastructure(f"{check}: {result.message or result.outcome.value}")
        return result

    def progress(self, check: str, text: str) -> None:
        """Emit the event that says how far a check has come."""
        self.job.events.emit("check.progress", stage=self.job.stage, round=self.job.round, check=check, text=text)

    def report(self, check: str, argv: Sequence[str], result: ExecResult) -> None:
        """Emit the event of one execution."""
        shown = cut(" ".join(argv), 300)
        self.job.events.emit(
            "sandbox.exec",
            stage=self.job.stage,
            round=self.job.round,
            check=check,
            command=shown,
            outcome=result.outcome.value,
            exit_code=result.exit_code,
            seconds=round(result.seconds, 3),
        )

    def log(self, name: str, text: str | bytes) -> str:
        """Store a log and return its path for the verdict."""
        path, base = self.job.out / name, self.job.out.parent.parent
        data = clean_text(cut(text, MAX_LOG)) if isinstance(text, str) else text
        write_atomic(path, data)
        return path.relative_to(base).as_posix()

    def check(
        self,
        name: str,
        state: CheckState,
        note: str,
        *,
        result: ExecResult | None = None,
        log: str = "",
        counts: Mapping[str, int] | None = None,
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
            counts=dict(counts or {}),
        )

    def failed(self, found: Diagnostic, note: str = "", *, result: ExecResult | None = None, log: str = "") -> Found:
        """Build the result of a check that ends with one diagnostic; the note says the same unless told otherwise."""
        return Found(self.check(found.check, "failed", note or found.message, result=result, log=log), (found,))


def busy() -> bool:
    """True where more processes ask for a processor than this machine has."""
    return os.getloadavg()[0] > (os.cpu_count() or 1) + 1


def probes() -> dict[str, bytes]:
    """Return our own programs that run in the sandbox, by name."""
    folder = resource_files("agentsys.verify").joinpath("probes")
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith((".py", ".ini"))}


Line = TypeVar("Line", bound=BaseModel)


def read_lines(data: bytes | None, model: type[Line]) -> list[Line]:
    """Read the JSON lines that a probe wrote; one that was cut off while being written is left out."""
    lines: list[Line] = []
    for raw in (data or b"").splitlines():
        with suppress(ValidationError):
            lines.append(model.model_validate_json(raw))
    return lines


def log_text(result: ExecResult) -> str:
    """Return an execution's output with a last line on how it ended."""
    ended = f"[{result.outcome.value}, exit code {result.exit_code}, {result.seconds:.1f} s"
    cut_note = f", {result.cut} bytes left out" if result.cut else ""
    said = f": {result.message}" if result.message else ""
    body = result.text()
    return f"{body}{'' if body.endswith(chr(10)) or not body else chr(10)}{ended}{cut_note}]{said}\n"


def outcome_diagnostic(check: str, result: ExecResult, what: str, *, path: str = "") -> Diagnostic | None:
    """Return the diagnostic of an execution that did not end by itself; None for ok and nonzero."""
    limits = {
        Outcome.TIMEOUT: ("timeout", f"{what} did not end in time: {result.message}"),
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
