"""The Docker backend: named volumes for work and environment, one container to install in, another one to run in."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agentsys_sandbox import transfer
from agentsys_sandbox.base import REPO, VENV, WORK, OnOutput, SandboxGone, Unavailable, WeakSandbox
from agentsys_sandbox.blocking import Threads
from agentsys_sandbox.docker.box import Box
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.docker.execution import Job
from agentsys_sandbox.docker.hardening import KEEPER, check_runtime, cpus, host_config, ulimits
from agentsys_sandbox.docker.records import ContainerPlan, NameTaken
from agentsys_sandbox.docker.seccomp_profile import option
from agentsys_sandbox.environment import IMAGE_PATH, install_environment, run_environment
from agentsys_sandbox.image.engine_image import ensure_image
from agentsys_sandbox.image.rootfs import SOCKET_DIR
from agentsys_sandbox.labels import CPUS, GPU, MEMORY, RUN, SANDBOX, labels
from agentsys_sandbox.packages.install import GatewayUnreachable, Installation, Wish
from agentsys_sandbox.packages.requirements import denied
from agentsys_sandbox.packages.sidecar import needed as sidecar_needed
from agentsys_sandbox.paths import inside
from agentsys_sandbox.reap import on_engine
from agentsys_sandbox.selfcheck import Checked, Expected, check
from agentsys_sandbox.spec import Control, Description, ExecResult, ExportReport, InstallResult, Outcome, SandboxSpec
from agentsys_sandbox.transfer import HelperEnd

_NO_CARD = "install phase without a network card"
_NOT_SHARED = ("bind source path", "mounts denied", "not shared from the host", "invalid mount config")
"""What engines say of a folder that they do not see."""
_PODMAN_TASKS = 4096  # podman sets a limit of its own on tasks, which it may not be allowed to set
_HARD_NOFILE = 1024  # what an engine that may not raise limits itself has at least


class DockerSandbox:
    """A sandbox on a Docker engine or podman's compatible socket; the methods are those of `base.Sandbox`.

    Args:
        engine: taken over: closed when the sandbox is.
        name: of its container and volumes; empty makes one up.
    """

    def __init__(self, spec: SandboxSpec, engine: Engine, name: str = "") -> None:
        self._spec = spec
        self._engine = engine
        self._threads = Threads()
        self._lock = asyncio.Lock()
        self._name = name or f"agentsys-{spec.run}-{secrets.token_hex(4)}"
        self._volumes = {WORK: self._name, VENV: f"{self._name}-venv"}
        self._labels = {
            **labels(spec.run, spec.limits.ttl),
            SANDBOX: self._name,
            CPUS: f"{self._cpus:g}",
            MEMORY: str(spec.limits.memory),
            GPU: str(int(spec.gpu)),
        }
        self._image = ""
        self._path = IMAGE_PATH
        self._known: frozenset[str] = frozenset()
        self._ulimits = ulimits(spec.limits)
        self._seccomp = option(engine.info)
        self._box: Box | None = None
        self._boxes = 0
        self._open = False
        self._controls: tuple[Control, ...] = ()
        self._weak = True
        elsewhere = spec.gateway == "sidecar" or (spec.gateway == "auto" and sidecar_needed(engine.info))
        self._gateway = "sidecar" if elsewhere else "socket"
        how = "the package index is reached by a neighbour container" if elsewhere else "the package index is a socket"
        self._install_control = Control(_NO_CARD, not elsewhere, how, "use an engine on this machine")

    # Life cycle

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            with contextlib.suppress(Unavailable):  # where the engine is gone, the first error says so
                await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _start(self) -> None:
        check_runtime(self._spec.runtime, self._engine.info)
        self._image = await self._threads.call(ensure_image, self._engine, self._spec.image)
        environment = await self._threads.call(self._engine.image_environment, self._image)
        self._path = environment.get("PATH") or IMAGE_PATH
        self._known = frozenset(environment) | frozenset(run_environment(1.0))
        await self._threads.call(self._sweep)
        for volume in self._volumes.values():
            await self._threads.call(self._engine.create_volume, volume, self._labels)
        self._open = True
        # A fault of the engine that passes is no reason for a weaker filter.
        found = await self._look() or await self._look()
        if found is None or (found.missing and self._seccomp):
            # An engine that cannot use our filter is asked again with its own, and that is what gets judged.
            self._seccomp = None
            found = await self._look()
        self._judge(found)
        await (await self._ready()).helper(("mkdir", "-p", REPO))

    def _sweep(self) -> None:
        """Remove what killed runs left here: it holds memory and disk that this one may need."""
        for leftover in on_engine(self._engine):
            leftover.remove()

    async def _look(self) -> Checked | None:
        """Start the container of the run phase and look at its confinement; None if it fails with our own filter."""
        limits, info = self._spec.limits, self._engine.info
        if self._box is not None:
            await self._box.remove()
        try:
            box = await self._ready()
            most = {name: value for name, value in self._ulimits.items() if name != "nproc"}
            expected = Expected(
                limits.memory,
                limits.pids,
                cpus(limits, info),
                limits.tmp,
                limits.shm,
                most,
                self._known,
                own_kernel=self._spec.runtime.startswith("runsc"),
            )
            return await check(box.helper, expected)
        except (SandboxGone, Unavailable) as error:
            if self._seccomp is None or isinstance(error, NameTaken):
                raise
            return None

    def _judge(self, found: Checked | None) -> None:
        """Keep what was seen, and refuse what is not enough. Raises: WeakSandbox."""
        assert found is not None
        own = Control("own system call filter", self._seccomp is not None, "", "update the Docker engine")
        gpu = Control(
            "no GPU", False, "a GPU is passed on: its driver in the kernel is open to the code", "run without `gpu`"
        )
        self._controls = (*found.controls, own, *([gpu] if self._spec.gpu else []))
        self._weak = bool(found.missing) or self._spec.gpu
        if found.missing and not self._spec.allow_weak:
            names = ", ".join(f"`{each.name}`" for each in found.missing)
            remedies = "; ".join(dict.fromkeys(each.remedy for each in found.missing if each.remedy))
            raise WeakSandbox(f"the sandbox is weaker than demanded, not effective: {names}", remedies)

    async def _close(self) -> None:
        """Remove every trace, also where one step fails."""
        self._open = False
        try:
            if self._box is not None:
                await self._box.remove()
        finally:
            self._box = None
            try:
                await self._remove_volumes()
            finally:
                self._threads.close()
                self._engine.close()

    async def _remove_volumes(self) -> None:
        """Remove all of them, also where one refuses or the caller is cancelled. Raises: Unavailable."""
        failure: BaseException | None = None
        for volume in self._volumes.values():
            try:
                await self._threads.call(self._engine.remove_volume, volume)
            except (Unavailable, asyncio.CancelledError) as error:
                failure = error
        if failure is not None:
            raise failure

    def _check_open(self) -> None:
        if not self._open:
            raise SandboxGone("the sandbox is not open")

    async def _ready(self) -> Box:
        """The container of the run phase: a new one where there is none, or the last one is not to be used again."""
        self._check_open()
        if self._box is not None and self._box.usable:
            return self._box
        if self._box is not None:
            await self._box.remove()
            self._box = None  # only now: where the engine failed, closing tries again
        environment = run_environment(self._cpus, self._path)
        # The code under test imports from the environment, and cannot change what later programs import.
        box = await self._started(environment, {}, frozenset({VENV}))
        self._box = box
        return box

    async def _started(
        self,
        environment: Mapping[str, str],
        binds: Mapping[str, str],
        read_only: frozenset[str] = frozenset(),
        network: str = "none",
    ) -> Box:
        """A new container on the volumes. Raises: SandboxGone, Unavailable."""
        volumes = await self._threads.call(self._engine.volumes, f"{RUN}={self._spec.run}")
        if not {*self._volumes.values()} <= {volume.name for volume in volumes}:
            # The engine would make an empty one without a word, and the work would seem to be gone.
            raise SandboxGone("the work folder of the sandbox was removed from outside", "open a new sandbox")
        try:
            return await self._attempt(environment, binds, read_only, network)
        except Unavailable as error:
            lower = {**self._ulimits, "nofile": min(_HARD_NOFILE, self._ulimits["nofile"])}
            if self._engine.info.name == "podman":
                lower["nproc"] = _PODMAN_TASKS
            if "rlimit" not in error.message or lower == self._ulimits:
                raise
            # An engine without the right to raise limits refuses more than its own.
            self._ulimits = lower
            return await self._attempt(environment, binds, read_only, network)

    async def _attempt(
        self, environment: Mapping[str, str], binds: Mapping[str, str], read_only: frozenset[str], network: str
    ) -> Box:
        self._boxes += 1
        limits = self._spec.limits
        plan = ContainerPlan(
            name=f"{self._name}-{self._boxes}",
            image=self._image,
            command=("sleep", str(math.ceil(limits.ttl))),
            user=KEEPER,
            labels=self._labels,
            environment=environment,
            host=self._host(network, run=bool(read_only)),
            volumes=self._volumes,
            read_only=read_only,
            binds=binds,
            ulimits=self._ulimits,
        )
        box = Box(self._engine, self._threads, plan, limits.disk)
        await box.start()
        return box

    def _host(self, network: str, *, run: bool) -> dict[str, Any]:
        """What the engine is asked for; the runtime is for the run phase alone, since gVisor passes no socket on."""
        spec = self._spec
        runtime = spec.runtime if run else ""
        host = host_config(
            spec.limits, self._engine.info, gpu=spec.gpu, seccomp=self._seccomp, network=network, runtime=runtime
        )
        # With a network the engine answers names inside and asks others for what it does not know: let it ask nobody.
        return host if network == "none" else {**host, "dns": ["127.0.0.1"]}

    @property
    def _cpus(self) -> float:
        return cpus(self._spec.limits, self._engine.info)

    # Programs

    async def exec(
        self,
        argv: Sequence[str],
        *,
        cwd: str = REPO,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        timeout: float = 600.0,
        max_output: int = 8 << 20,
        on_output: OnOutput | None = None,
    ) -> ExecResult:
        """Run a program in the run phase."""
        environment = run_environment(self._cpus, self._path, env)
        job = Job(tuple(argv), inside(cwd), environment, stdin, timeout, max_output, on_output)
        async with self._lock:
            box = await self._ready()
            return await box.run(job)

    async def install(
        self,
        requirements: Sequence[str] = (),
        *,
        constraints: Sequence[str] = (),
        project: bool = False,
        timeout: float = 600.0,
        on_output: OnOutput | None = None,
    ) -> InstallResult:
        """Make the environment afresh, in a container that only the package index can be reached from."""
        reason = denied([*requirements, *constraints])
        if reason:
            return InstallResult(ExecResult(Outcome.DENIED_BY_POLICY, None, b"", b"", 0.0, message=reason))
        async with self._lock:
            self._check_open()
            has_project = project and await transfer.read_file(self._helper, f"{REPO}/pyproject.toml", 1) is not None
            wish = Wish(tuple(requirements), tuple(constraints), has_project, timeout, on_output)
            if self._gateway == "socket":
                try:
                    return await self._install_by_socket(wish)
                except GatewayUnreachable:
                    if self._spec.gateway != "auto":
                        raise
                    self._gateway = "sidecar"
            return await self._install_by_sidecar(wish)

    async def _install_by_socket(self, wish: Wish) -> InstallResult:
        """Raises: GatewayUnreachable where the engine does not share this machine's files."""
        from agentsys_sandbox.packages.gateway import Gateway, GatewayOptions

        async with Gateway(self._spec.cache_dir, GatewayOptions.of(self._spec.index)) as gateway:
            environment = install_environment(self._cpus, self._path)
            try:
                box = await self._started(environment, {str(gateway.socket_dir): SOCKET_DIR})
            except Unavailable as error:
                if any(words in error.message for words in _NOT_SHARED):
                    raise GatewayUnreachable(error.message, error.hint) from error
                raise
            try:
                return await Installation(box, gateway, environment).run(wish)
            finally:
                await box.remove()

    async def _install_by_sidecar(self, wish: Wish) -> InstallResult:
        """Raises: WeakSandbox where the network leads further than to the sidecar."""
        from agentsys_sandbox.packages.gateway import GatewayOptions
        from agentsys_sandbox.packages.sidecar import Sidecar

        ttl, rules = self._spec.limits.ttl, GatewayOptions.of(self._spec.index)
        name = f"{self._name}-{self._boxes}"
        sidecar = Sidecar(self._engine, self._threads, name, self._labels, self._image, self._seccomp, ttl, rules)
        async with sidecar:
            environment = install_environment(self._cpus, self._path)
            box = await self._started(environment, {}, network=sidecar.network)
            try:
                out = await sidecar.ways_out(box)
                detail = f"a neighbour container on a network of their own; in reach besides: {out or 'nothing'}"
                self._install_control = Control(_NO_CARD, False, detail, "use an engine on this machine")
                if out and not self._spec.allow_weak:
                    raise WeakSandbox(
                        f"the network of the install phase leads further than to the package index: {out}",
                        "update the engine: Docker 20.10 or newer keeps the host off such a network",
                    )
                return await Installation(box, sidecar, environment).run(wish)
            finally:
                await box.remove()

    # Files

    async def _helper(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        max_output: int = 1 << 20,
        flood: int | None = None,
        on_output: OnOutput | None = None,
    ) -> HelperEnd:
        box = await self._ready()
        return await box.helper(argv, stdin=stdin, max_output=max_output, flood=flood, on_output=on_output)

    async def write_files(self, files: Mapping[str, bytes], *, root: str = REPO) -> None:
        """Write files below `root`, making folders; `.sh` files become executable."""
        async with self._lock:
            await transfer.write_files(self._helper, files, root)

    async def remove(self, paths: Sequence[str], *, root: str = REPO) -> None:
        """Remove files or folders below `root`; absent ones are no error."""
        async with self._lock:
            await transfer.remove(self._helper, paths, root)

    async def read_file(self, path: str, *, max_bytes: int = 1 << 20) -> bytes | None:
        """The first `max_bytes` bytes of a regular file below `WORK`; None where there is none."""
        async with self._lock:
            return await transfer.read_file(self._helper, path, max_bytes)

    async def export(
        self, paths: Sequence[str], dest: Path, *, max_files: int = 2000, max_bytes: int = 200 << 20
    ) -> ExportReport:
        """Copy regular files and folders to `dest`, each at its path relative to `WORK`."""
        async with self._lock:
            return await transfer.export(self._helper, paths, dest, max_files, max_bytes)

    # Looking at it

    async def health(self) -> bool:
        """True if the container of the run phase still starts a program."""
        try:
            async with self._lock:
                end = await self._helper(("/bin/sh", "-c", "echo alive"))
        except (SandboxGone, Unavailable):
            return False
        return end.exit_code == 0 and end.stdout == b"alive\n"

    def describe(self) -> Description:
        """What this is, with the controls seen when it was opened."""
        info = self._engine.info
        return Description(info.name, info.version, self._weak, (*self._controls, self._install_control))
