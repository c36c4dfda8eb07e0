"""A sandbox without a sandbox, for tests: files in memory, answers from a script, and an error when that runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.box import Box, HelperEnd, Job, OnOutput
from agentsys_sandbox.environment import IMAGE_PATH, run_environment
from agentsys_sandbox.errors import SandboxGone
from agentsys_sandbox.packages.lock import Lock, Row, Wheel
from agentsys_sandbox.packages.resolve import Resolution, refused
from agentsys_sandbox.packages.wish import BadRequirement, checked, project_source
from agentsys_sandbox.paths import INSTRUMENTS, REPO, WORK, inside, relative
from agentsys_sandbox.spec import Description, ExecResult, ExportReport, InstallResult, Outcome, Package, SandboxSpec


class ScriptRanOut(AssertionError):
    """More was asked of the fake than its script holds: the test, or the code under test, is wrong."""


@dataclass(frozen=True)
class Call:
    """One `exec`, or one `resolve` (kind `install`), that was made."""

    kind: str
    argv: tuple[str, ...]
    cwd: str = REPO
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    stdin: bytes = b""


Files = dict[str, bytes]
"""Absolute path -> content."""
Answer = ExecResult | InstallResult | Callable[[Call, Files], ExecResult]
"""A fixed result, or a function that may look at the call and change the files."""


@dataclass
class Script:
    """Answers in order. `default`, where given, answers everything after the last one."""

    answers: list[Answer] = field(default_factory=list[Answer])
    default: Answer | None = None

    def take(self, call: Call) -> Answer:
        """The next answer. Raises: ScriptRanOut."""
        if self.answers:
            return self.answers.pop(0)
        if self.default is None:
            raise ScriptRanOut(f"no answer left for {call.kind} {' '.join(call.argv)}")
        return self.default


def passed(stdout: bytes = b"", seconds: float = 0.1) -> ExecResult:
    """A program that returned 0."""
    return ExecResult(Outcome.OK, 0, stdout, b"", seconds)


def failed(stderr: bytes = b"", code: int = 1, outcome: Outcome = Outcome.NONZERO, seconds: float = 0.1) -> ExecResult:
    """A program that ended badly."""
    return ExecResult(outcome, code if outcome is Outcome.NONZERO else None, b"", stderr, seconds)


class _Script:
    """The box of a fake: the next answer of the script for every program."""

    cpus = 1.0
    path = IMAGE_PATH

    def __init__(self, answer: Callable[[Call], ExecResult | InstallResult]) -> None:
        self._answer = answer

    async def run(self, job: Job) -> ExecResult:
        extra = dict(job.environment.items() - run_environment(self.cpus).items())
        answer = self._answer(Call("exec", tuple(job.argv), job.cwd, extra, job.stdin))
        result = answer.result if isinstance(answer, InstallResult) else answer
        if job.on_output is not None:
            job.on_output("stdout", result.stdout)
            job.on_output("stderr", result.stderr)
        return result

    async def helper(self, argv: Sequence[str], **options: object) -> HelperEnd:
        """Only asked whether it lives."""
        return HelperEnd(0, b"alive\n", b"", 0)


class FakeSandbox(Sandbox):
    """Files are kept and checked like real ones; nothing is ever run.

    Args:
        script: what `exec` and `resolve` answer, in the order of the calls; `install` then takes what was resolved.
    """

    def __init__(self, script: Script | Iterable[Answer] = ()) -> None:
        super().__init__(SandboxSpec(run="fake"))
        self.script = script if isinstance(script, Script) else Script(list(script))
        self.files: Files = {}
        self.calls: list[Call] = []
        self.open = False
        self.installed: tuple[Package, ...] = ()

    async def _open(self) -> None:
        self.open = True

    async def _close(self) -> None:
        self.open = False
        self.files.clear()

    def _answer(self, call: Call) -> ExecResult | InstallResult:
        self.calls.append(call)
        answer = self.script.take(call)
        return answer(call, self.files) if callable(answer) else answer

    async def _ready(self) -> Box:
        self._check_open()
        return _Script(self._answer)

    def _check_open(self) -> None:
        if not self.open:
            raise SandboxGone("the sandbox is not open")

    async def resolve(
        self,
        requirements: Sequence[str] = (),
        *,
        constraints: Sequence[str] = (),
        project: Mapping[str, bytes] | None = None,
        locked: Lock | None = None,
        timeout: float = 600.0,
        on_output: OnOutput | None = None,
    ) -> Resolution:
        """The script's next answer, except for requirements that every backend refuses."""
        self._check_open()
        try:
            checked((*requirements, *constraints))
        except BadRequirement as error:
            return refused(error)
        argv = (*requirements, *(["-e", REPO] if project_source(project or {}) else []))
        answer = self._answer(Call("install", argv))
        installed = answer if isinstance(answer, InstallResult) else InstallResult(answer)
        if not installed.result.ok:
            return Resolution(installed.result)
        rows = (Row(each.name, each.version, (each.sha256,)) for each in installed.packages)
        return Resolution(installed.result, Lock(tuple(rows)))

    async def install(
        self,
        lock: Lock,
        *,
        project: Wheel | None = None,
        timeout: float = 600.0,
        on_output: OnOutput | None = None,
    ) -> InstallResult:
        """What was resolved is installed, without another answer of the script."""
        self._check_open()
        self.installed = lock.packages
        return InstallResult(passed(), lock.packages)

    async def _show(self, environment: Path) -> None:
        raise NotImplementedError("a fake links nothing")

    def _box_with(self, environment: Path) -> AbstractAsyncContextManager[Box]:
        raise NotImplementedError("a fake builds nothing")

    async def show_data(self, folder: Path) -> None:
        """Remember which folder was shown."""
        self._check_open()
        self._data = folder

    async def _place(self, files: Mapping[str, bytes]) -> None:
        self.files |= {f"{INSTRUMENTS}/{name}": data for name, data in files.items()}

    async def intact(self) -> bool:
        """True if nothing changed the files that were provided."""
        self._check_open()
        found = {name: data for name, data in self.files.items() if _at_or_below(name, INSTRUMENTS)}
        return found == {f"{INSTRUMENTS}/{name}": data for name, data in self._provided.items()}

    async def clear(self) -> None:
        """Forget all files but those that were provided."""
        self._check_open()
        self.files = {name: data for name, data in self.files.items() if _at_or_below(name, INSTRUMENTS)}

    async def write_files(self, files: Mapping[str, bytes], *, root: str = REPO) -> None:
        """Keep files below `root`."""
        self._check_open()
        self.files |= {inside(relative(name), inside(root)): data for name, data in files.items()}

    async def remove(self, paths: Sequence[str], *, root: str = REPO) -> None:
        """Forget files and folders below `root`."""
        self._check_open()
        for path in paths:
            target = inside(relative(path), inside(root))
            for name in [name for name in self.files if _at_or_below(name, target)]:
                del self.files[name]

    async def read_file(self, path: str, *, max_bytes: int = 1 << 20) -> bytes | None:
        """The first `max_bytes` bytes of a file that was written."""
        self._check_open()
        data = self.files.get(inside(path))
        return None if data is None else data[:max_bytes]

    async def export(
        self, paths: Sequence[str], dest: Path, *, max_files: int = 2000, max_bytes: int = 200 << 20
    ) -> ExportReport:
        """Write files to `dest`, each at its path relative to `WORK`."""
        self._check_open()
        written: list[str] = []
        dropped: list[tuple[str, str]] = []
        for target in (inside(path) for path in paths):
            found = sorted(name for name in self.files if _at_or_below(name, target))
            if not found:
                dropped.append((target.removeprefix(f"{WORK}/"), "not there"))
            for name in found:
                short = name.removeprefix(f"{WORK}/")
                if len(written) >= max_files or len(self.files[name]) > max_bytes:
                    dropped.append((short, "over the limit"))
                    continue
                max_bytes -= len(self.files[name])
                place = dest / short
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(self.files[name])
                written.append(short)
        return ExportReport(tuple(written), tuple(dropped))

    def describe(self) -> Description:
        """A fake confines nothing and says so."""
        return Description("fake", "0", weak=True)


def _at_or_below(name: str, folder: str) -> bool:
    return name == folder or name.startswith(f"{folder}/")
