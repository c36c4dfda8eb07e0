"""One container of a sandbox: started, used for programs one after the other, removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from agentsys_sandbox import counters
from agentsys_sandbox.blocking import Threads
from agentsys_sandbox.box import HELPER_SECONDS, HelperEnd, Job, OnOutput
from agentsys_sandbox.budget import Meter
from agentsys_sandbox.counters import Counters
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.docker.execution import Ended, Execution
from agentsys_sandbox.docker.frames import FrameError
from agentsys_sandbox.docker.hardening import KEEPER, USER
from agentsys_sandbox.docker.records import ContainerPlan, NameTaken
from agentsys_sandbox.environment import IMAGE_PATH, base_environment
from agentsys_sandbox.errors import SandboxGone, Unavailable
from agentsys_sandbox.outcome import Observation, decide
from agentsys_sandbox.paths import DATA, WORK
from agentsys_sandbox.spec import ExecResult, Outcome

_PROBE_SECONDS = 15.0
_END_SECONDS = 5.0
_DU = "du -s -B1 {0}; du -s --inodes {0}"
_MOST_FILES = 2_000_000
"""Files and folders in the work folder: empty ones take no bytes, but the host's file system runs out of entries."""


class DockerBox:
    """A container with the keeper as first process. Not for concurrent use.

    Args:
        plan: the container.
        disk: bytes that the work folder may hold.
        cpus: processors that a program may use.
        path: the image's search path.
    """

    def __init__(
        self,
        engine: Engine,
        threads: Threads,
        plan: ContainerPlan,
        disk: int,
        cpus: float = 1.0,
        path: str = IMAGE_PATH,
    ) -> None:
        self.cpus = cpus
        self.path = path
        self._engine = engine
        self._threads = threads
        self._plan = plan
        self._disk = disk
        shown = DATA in (*plan.binds.values(), *plan.volumes)
        measured = f"--exclude={DATA} {WORK}" if shown else WORK
        self._du = ("/bin/sh", "-c", _DU.format(measured))
        self._id = ""
        self._counters = Counters()
        self.usable = False
        """False before `start`, and after anything that may have left the container in a state of its own."""

    async def start(self) -> None:
        """Create and start it; on failure nothing stays behind. Raises: ImageMissing, Unavailable."""
        self._id = self._plan.name  # removable by its name even where the answer to `create` was lost
        try:
            self._id = await self._threads.call(self._engine.create, self._plan)
            await self._threads.call(self._engine.start, self._id)
        except NameTaken:
            self._id = ""
            raise
        except BaseException:
            await self.remove()
            raise
        self.usable = True

    async def remove(self) -> None:
        """Remove it with every process in it."""
        self.usable = False
        if self._id:
            await self._threads.call(self._engine.remove, self._id)
        self._id = ""

    async def kill(self) -> None:
        """End every process at once, the first one too.

        The container and not only the program's processes: it works even where no further process can start inside.
        """
        self.usable = False
        await self._threads.call(self._engine.kill, self._id)

    async def alive(self) -> bool:
        """True if the engine says that the first process runs."""
        state = await self._threads.call(self._engine.state, self._id)
        return state is not None and state.running

    async def _ended(self) -> bool:
        """Whether the first process is dead: the engine learns of it a moment later than of the program's end."""
        return await self._threads.call(self._engine.ended, self._id, _END_SECONDS)

    async def run(self, job: Job) -> ExecResult:
        """Run a program and name its outcome; afterwards nothing of it runs any more. Raises: Unavailable."""
        meter = job.budget.meter() if job.budget else None
        try:
            ended = await self._execution(meter=meter).run(job)
        except (SandboxGone, FrameError) as error:
            self.usable = False
            return ExecResult(Outcome.SANDBOX_DIED, None, b"", b"", 0.0, message=f"the sandbox ended: {error}")
        except Unavailable:
            self.usable = False  # nobody stopped the program: it ends with the container
            raise
        before = self._counters.cpu or 0.0
        seen = await self._observe(ended, job.limit, meter)
        after = self._counters.cpu
        used = after - before if after is not None and not ended.stopped else meter.used if meter else None
        outcome, message = decide(seen)
        if outcome not in (Outcome.OK, Outcome.NONZERO, Outcome.START_FAILED):
            self.usable = False
        return ExecResult(
            outcome,
            ended.exit_code if not ended.stopped and seen.alive else None,
            ended.stdout,
            ended.stderr,
            ended.seconds,
            cut=ended.cut,
            oom_kills=seen.oom_kills,
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
        user: str = USER,
        limit: float = HELPER_SECONDS,
        beside: bool = False,
    ) -> HelperEnd:
        """Run a small program of the image.

        Args:
            beside: it runs beside the program under test; if it takes too long, it alone is given up.

        Raises: SandboxGone where the container does not answer, Unavailable.
        """
        job = Job(argv, "/", base_environment(1), stdin, limit, max_output, on_output, flood)
        try:
            ended = await self._execution(user, helper=True, beside=beside).run(job)
        except FrameError as error:
            self.usable = False
            raise SandboxGone(f"the sandbox does not answer: {error}") from error
        except (SandboxGone, Unavailable):
            self.usable = False
            raise
        if ended.exit_code is None and not await self.alive():
            self.usable = False
            raise SandboxGone("the sandbox was removed or stopped from outside")
        code = None if ended.stopped else ended.exit_code
        return HelperEnd(code, ended.stdout, ended.stderr, ended.cut)

    def _execution(
        self, user: str = USER, *, helper: bool = False, beside: bool = False, meter: Meter | None = None
    ) -> Execution:
        return Execution(
            self._engine,
            self._threads,
            self._id,
            user=user,
            kill=_leave if beside else self.kill,
            sweep=_leave if helper else self._sweep,
            over_disk=None if helper else self._over_disk,
            spent=partial(self._over_budget, meter) if meter else None,
        )

    async def _observe(self, ended: Ended, limit: float, meter: Meter | None) -> Observation:
        if ended.stopped:
            return Observation(ended.exit_code, ended.stopped, timeout=limit, meter=meter)
        now = await self._tidy()
        if now is None and await self._ended():
            return Observation(ended.exit_code, alive=False)
        if now is None:
            return Observation(ended.exit_code, counters_read=False)
        added, self._counters = now.since(self._counters), now
        return Observation(
            ended.exit_code,
            oom_kills=added.oom_kills,
            pids_refused=added.pids_refused,
            start_failed=ended.start_failed,
        )

    async def _tidy(self) -> Counters | None:
        """End what the program left running, and read the counters; None where the container does not let us."""
        try:
            end = await self.helper(counters.SWEEP, limit=_PROBE_SECONDS)
            found = counters.parse(end.stdout) if end.exit_code == 0 else None
            if found is not None:
                return found
            self.usable = False
            # As the keeper, whose processes the code cannot kill: if that is killed too, memory is what is short.
            end = await self.helper(counters.READ, user=KEEPER, limit=_PROBE_SECONDS)
        except SandboxGone:
            return None
        if end.exit_code == 137 and not await self._ended():
            return replace(self._counters, oom_kills=self._counters.oom_kills + 1)
        return counters.parse(end.stdout) if end.exit_code == 0 else None

    async def _sweep(self) -> None:
        await self.helper(counters.SWEEP, limit=_PROBE_SECONDS)

    async def _over_budget(self, meter: Meter) -> bool:
        """Ask how much processor time was used; where the container does not answer, its other limits stand."""
        try:
            end = await self.helper(counters.READ, limit=_PROBE_SECONDS, beside=True)
        except SandboxGone:
            return False
        found = counters.parse(end.stdout) if end.exit_code == 0 else None
        if found is None:
            return False
        return meter.over(None if found.cpu is None else found.cpu - (self._counters.cpu or 0.0))

    async def _over_disk(self) -> bool:
        """Ask for the size of the work folder; the limit is a soft one, since plain volumes have no quota."""
        try:
            end = await self.helper(self._du, limit=_PROBE_SECONDS, beside=True)
        except SandboxGone:
            return False
        found = [int(line.split(b"\t")[0]) for line in end.stdout.splitlines() if line.split(b"\t")[0].isdigit()]
        return any(size > most for size, most in zip(found, (self._disk, _MOST_FILES), strict=False))


async def _leave() -> None:
    """Leave processes alone: the sweep after the program under test ends them."""
