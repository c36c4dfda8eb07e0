"""Programs in bubblewrap: each in namespaces of its own on the same work folder; nothing of one outlives it."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from agentsys_sandbox.box import HELPER_SECONDS, HelperEnd, Job, OnOutput
from agentsys_sandbox.budget import Meter
from agentsys_sandbox.bwrap.cgroup import Cgroup
from agentsys_sandbox.bwrap.command import Bubblewrap, Layout, launch
from agentsys_sandbox.bwrap.memory import used_by
from agentsys_sandbox.bwrap.process import Stopped, TooLong, Watch, attend, start
from agentsys_sandbox.bwrap.watch import until_exceeded
from agentsys_sandbox.capture import Capture, flood_limit
from agentsys_sandbox.counters import Counters
from agentsys_sandbox.environment import IMAGE_PATH, base_environment
from agentsys_sandbox.errors import SandboxGone
from agentsys_sandbox.outcome import Observation, decide
from agentsys_sandbox.spec import ExecResult, Outcome
from agentsys_sandbox.text import clean


@dataclass(frozen=True)
class _Ended:
    """What was seen of one program."""

    exit_code: int | None
    """None where the sandbox itself did not come up or was killed."""
    stopped: Stopped
    start_failed: bool
    stdout: bytes
    stderr: bytes
    cut: int
    seconds: float
    meter: Meter | None


class BwrapBox:
    """Runs programs one after the other.

    Args:
        cgroup: the group that bounds them; None where none could be made.
        seccomp: compiled system call filter; empty for none.
    """

    def __init__(self, bubblewrap: Bubblewrap, layout: Layout, cgroup: Cgroup | None, seccomp: bytes = b"") -> None:
        self._bubblewrap = bubblewrap
        self._layout = layout
        self._cgroup = cgroup
        self._seccomp = seccomp
        self.cpus = min(layout.limits.cpus, float(os.cpu_count() or 1))
        self.path = IMAGE_PATH

    async def run(self, job: Job) -> ExecResult:
        """Run a program and name its outcome. Raises: SandboxGone where the work folder is gone, Unavailable."""
        before = self._counters()
        try:
            ended = await self._execute(job, watch=True)
        except TooLong:
            message = "the program could not be started: its arguments are longer than the kernel allows"
            return ExecResult(Outcome.START_FAILED, None, b"", b"", 0.0, message=message)
        added = self._counters().since(before)
        used = added.cpu if added.cpu is not None else ended.meter.used if ended.meter else None
        if ended.stopped == "memory":
            return self._out_of_memory(ended)
        if ended.exit_code is None and not ended.stopped and not added.oom_kills:
            return self._broken(ended)
        seen = Observation(
            ended.exit_code,
            ended.stopped,
            oom_kills=added.oom_kills,
            pids_refused=added.pids_refused,
            start_failed=ended.start_failed,
            timeout=job.limit,
            meter=ended.meter,
        )
        outcome, message = decide(seen)
        return ExecResult(
            outcome,
            None if ended.stopped else ended.exit_code,
            ended.stdout,
            ended.stderr,
            ended.seconds,
            cut=ended.cut,
            oom_kills=added.oom_kills,
            cpu_seconds=used,
            message=message,
        )

    async def helper(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        max_output: int = 1 << 20,
        flood: int | None = None,
        on_output: OnOutput | None = None,
        limit: float = HELPER_SECONDS,
    ) -> HelperEnd:
        """Run a small trusted program of the base. Raises: SandboxGone where the sandbox does not come up."""
        job = Job(argv, "/", base_environment(1), stdin, limit, max_output, on_output, flood)
        ended = await self._execute(job, watch=False)
        if ended.exit_code is None and not ended.stopped:
            raise SandboxGone(self._broken(ended).message, "open a new sandbox")
        return HelperEnd(None if ended.stopped else ended.exit_code, ended.stdout, ended.stderr, ended.cut)

    def _counters(self) -> Counters:
        return self._cgroup.counters() if self._cgroup else Counters()

    def _out_of_memory(self, ended: _Ended) -> ExecResult:
        message = f"stopped because its processes held more than {self._layout.limits.memory} bytes together"
        return ExecResult(
            Outcome.OOM, None, ended.stdout, ended.stderr, ended.seconds, ended.cut, oom_kills=1, message=message
        )

    def _broken(self, ended: _Ended) -> ExecResult:
        said = " ".join(clean(ended.stderr).split())[-300:]
        message = f"the sandbox ended or did not come up: {said or 'bubblewrap was killed from outside'}"
        return ExecResult(Outcome.SANDBOX_DIED, None, b"", b"", ended.seconds, message=message)

    async def _execute(self, job: Job, *, watch: bool) -> _Ended:
        if not self._layout.work.is_dir():
            raise SandboxGone("the work folder of the sandbox was removed from outside", "open a new sandbox")
        with _pipe() as (read, write), self._filter() as seccomp:
            command = launch(
                self._bubblewrap,
                self._layout,
                job.argv,
                job.cwd,
                job.environment,
                enter=self._cgroup.enter() if self._cgroup else (),
                status_fd=write,
                seccomp_fd=seccomp,
            )
            started = time.monotonic()
            process = await start(command.argv, [write, *([] if seccomp is None else [seccomp])])
            os.set_blocking(read, False)
            capture = Capture(job.max_output, flood_limit(job.max_output) if job.flood is None else job.flood)
            stdin = command.mark_line + job.stdin
            meter = job.budget.meter() if job.budget else None
            watched = self._watch(process.pid, meter) if watch else None
            try:
                stopped = await attend(process, stdin, job.limit, capture, job.on_output, watched)
            finally:
                if self._cgroup:
                    self._cgroup.kill()
            code = _exit_code(read)
        stderr = capture.value("stderr")
        return _Ended(
            code,
            stopped,
            stderr.endswith(command.mark),
            capture.value("stdout"),
            stderr.removesuffix(command.mark),
            capture.cut,
            time.monotonic() - started,
            meter,
        )

    def _watch(self, pid: int, meter: Meter | None) -> Watch:
        before = self._counters().cpu

        def spent() -> bool:
            now = self._counters().cpu
            return meter is not None and meter.over(used_by(pid) if now is None else now - (before or 0.0))

        grouped = self._cgroup is not None and "memory" in self._cgroup.folders
        return until_exceeded(
            pid, self._layout.work, self._layout.limits, memory=not grouped, spent=spent if meter else None
        )

    @contextmanager
    def _filter(self) -> Generator[int | None]:
        if not self._seccomp:
            yield None
            return
        handle = os.memfd_create("agentsys-seccomp", os.MFD_CLOEXEC)
        try:
            os.write(handle, self._seccomp)
            os.lseek(handle, 0, os.SEEK_SET)
            yield handle
        finally:
            os.close(handle)


@contextmanager
def _pipe() -> Generator[tuple[int, int]]:
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        yield read, write
    finally:
        os.close(read)
        os.close(write)


def _exit_code(status: int) -> int | None:
    """The exit code as bubblewrap reports it: only after its own set-up had succeeded, so never its own failure."""
    try:
        text = os.read(status, 1 << 16)
    except BlockingIOError:
        return None
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            code = json.loads(line).get("exit-code")
            if isinstance(code, int):
                return code
    return None
