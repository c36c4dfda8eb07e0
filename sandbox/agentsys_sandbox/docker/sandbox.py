"""The Docker backend: named volumes for work and environment, one container to install in, another one to run in."""

from __future__ import annotations

import asyncio
import io
import math
import os
import secrets
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Self

from agentsys_sandbox import transfer
from agentsys_sandbox.base import Backend, refuse_weakness
from agentsys_sandbox.blocking import Threads
from agentsys_sandbox.box import Box
from agentsys_sandbox.cachedir import cache_dir
from agentsys_sandbox.docker import endpoints, leftovers
from agentsys_sandbox.docker.box import DockerBox
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.docker.hardening import KEEPER, check_runtime, cpus, host_config, ulimits
from agentsys_sandbox.docker.records import ContainerPlan, NameTaken
from agentsys_sandbox.docker.seccomp_profile import option
from agentsys_sandbox.environment import IMAGE_PATH, run_environment
from agentsys_sandbox.errors import SandboxGone, Unavailable
from agentsys_sandbox.image import engine_image
from agentsys_sandbox.image.engine_image import ensure_image
from agentsys_sandbox.labels import CPUS, GPU, MEMORY, RUN, SANDBOX, Leftover, labels
from agentsys_sandbox.packages.environment import pack
from agentsys_sandbox.packages.mounted import MountedCopy
from agentsys_sandbox.packages.scratch import scratch
from agentsys_sandbox.paths import DATA, INSTRUMENTS, REPO, VENV, WORK
from agentsys_sandbox.selfcheck import Checked, Expected, check
from agentsys_sandbox.spec import Control, Description, SandboxSpec, Source

_MARK = ".agentsys"
"""A file in the shared folder: an engine in a virtual machine may show another folder of the same name."""
_NOT_SHARED = ("bind source path", "mounts denied", "not shared from the host", "invalid mount config")
"""What engines say of a folder that they do not see."""
_PODMAN_TASKS = 4096  # podman sets a limit of its own on tasks, which it may not be allowed to set
_HARD_NOFILE = 1024  # what an engine that may not raise limits itself has at least


@dataclass(frozen=True)
class _Mounts:
    """Where a container has its environment and data from: a named volume, or a folder of this machine."""

    volumes: Mapping[str, str] = field(default_factory=dict[str, str])
    binds: Mapping[str, str] = field(default_factory=dict[str, str])


class DockerSandbox(Backend):
    """A sandbox on a Docker engine or podman's compatible socket.

    Args:
        engine: taken over: closed when the sandbox is.
        name: of its container and volumes; empty makes one up.
    """

    def __init__(self, spec: SandboxSpec, engine: Engine, name: str = "") -> None:
        super().__init__(spec)
        self._engine = engine
        self._threads = Threads()
        self._name = name or f"agentsys-{spec.run}-{secrets.token_hex(4)}"
        self._volumes = {WORK: self._name, INSTRUMENTS: f"{self._name}-instruments"}
        self._stack = ExitStack()
        self._mounted: MountedCopy | None = None
        """Folder of this machine that the containers have as environment; None where the engine sees none of ours."""
        self._environments = 0
        self._data_mounts = _Mounts()
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
        self._box: DockerBox | None = None
        self._boxes = 0
        self._is_open = False
        self._controls: tuple[Control, ...] = ()
        self._weak = True

    @classmethod
    def connect(cls) -> Engine:
        """The engine of this machine. Raises: Unavailable."""
        return endpoints.docker()

    @classmethod
    def named(cls) -> bool:
        return bool(endpoints.chosen())

    @classmethod
    def available(cls) -> None:
        """See that an engine answers. Raises: Unavailable."""
        cls.connect().close()

    @classmethod
    def create(cls, spec: SandboxSpec) -> Self:
        """A sandbox on the engine of this machine, not yet entered. Raises: Unavailable."""
        return cls(spec, cls.connect())

    @classmethod
    def build_base(cls, source: Source = "auto") -> str:
        """Build the base image anew and return its reference. Raises: ImageMissing, Unavailable."""
        engine = cls.connect()
        try:
            return engine_image.build(engine, source)
        finally:
            engine.close()

    @classmethod
    def leftovers(cls, *, everything: bool = False) -> AbstractContextManager[list[Leftover]]:
        """Containers, volumes and images of this machine's engine that may go."""
        return leftovers.leftovers(cls.connect, everything=everything)

    async def _open(self) -> None:
        check_runtime(self._spec.runtime, self._engine.info)
        self._image = await self._threads.call(ensure_image, self._engine, self._spec.image)
        environment = await self._threads.call(self._engine.image_environment, self._image)
        self._path = environment.get("PATH") or IMAGE_PATH
        self._known = frozenset(environment) | frozenset(run_environment(1.0))
        await self._threads.call(self._sweep)
        for volume in self._volumes.values():
            await self._threads.call(self._engine.create_volume, volume, self._labels)
        self._is_open = True
        await self._share()
        # A fault of the engine that passes is no reason for a weaker filter.
        found = await self._look() or await self._look()
        if found is None or (found.missing and self._seccomp):
            # An engine that cannot use our filter is asked again with its own, and that is what gets judged.
            self._seccomp = None
            found = await self._look()
        if self._mounted is not None and not await self._sees_folder(await self._ready()):
            await self._share_nothing()
            found = await self._look()
        self._judge(found)
        await (await self._ready()).helper(("mkdir", "-p", REPO))

    def _sweep(self) -> None:
        """Remove what killed runs left here: it holds memory and disk that this one may need."""
        for leftover in leftovers.on_engine(self._engine):
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
            if self._mounted is not None and any(words in error.message for words in _NOT_SHARED):
                await self._share_nothing()
                return await self._look()
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
        refuse_weakness(found.missing, allowed=self._spec.allow_weak)

    async def _close(self) -> None:
        self._is_open = False
        try:
            if self._box is not None:
                await self._box.remove()
        finally:
            self._box = None
            try:
                await self._remove_volumes()
            finally:
                await self._threads.call(self._stack.close)
                self._threads.close()
                self._engine.close()

    async def _remove_volumes(self) -> None:
        """Remove all of them, also where one refuses or the caller is cancelled. Raises: Unavailable."""
        failure: BaseException | None = None
        copies = (f"{self._name}-venv{number + 1}" for number in range(self._environments))
        for volume in (self._name, f"{self._name}-instruments", *copies):
            try:
                await self._threads.call(self._engine.remove_volume, volume)
            except (Unavailable, asyncio.CancelledError) as error:
                failure = error
        if failure is not None:
            raise failure

    def _check_open(self) -> None:
        if not self._is_open:
            raise SandboxGone("the sandbox is not open")

    async def _ready(self) -> DockerBox:
        """The container of the run phase: a new one where there is none, or the last one is not to be used again."""
        self._check_open()
        if self._box is not None and self._box.usable:
            return self._box
        if self._box is not None:
            await self._box.remove()
            self._box = None  # only now: where the engine failed, closing tries again
        self._box = await self._started(self._mounts())
        return self._box

    async def _started(self, environment: _Mounts) -> DockerBox:
        """A new container on the volumes. Raises: SandboxGone, Unavailable."""
        volumes = await self._threads.call(self._engine.volumes, f"{RUN}={self._spec.run}")
        if not {*self._volumes.values()} <= {volume.name for volume in volumes}:
            # The engine would make an empty one without a word, and the work would seem to be gone.
            raise SandboxGone("the work folder of the sandbox was removed from outside", "open a new sandbox")
        try:
            return await self._attempt(environment)
        except Unavailable as error:
            lower = {**self._ulimits, "nofile": min(_HARD_NOFILE, self._ulimits["nofile"])}
            if self._engine.info.name == "podman":
                lower["nproc"] = _PODMAN_TASKS
            if "rlimit" not in error.message or lower == self._ulimits:
                raise
            # An engine without the right to raise limits refuses more than its own.
            self._ulimits = lower
            return await self._attempt(environment)

    async def _attempt(self, environment: _Mounts) -> DockerBox:
        plan = self._plan(environment)
        box = DockerBox(self._engine, self._threads, plan, self._spec.limits.disk, self._cpus, self._path)
        await box.start()
        return box

    def _plan(self, environment: _Mounts) -> ContainerPlan:
        self._boxes += 1
        spec = self._spec
        return ContainerPlan(
            name=f"{self._name}-{self._boxes}",
            image=self._image,
            command=("sleep", str(math.ceil(spec.limits.ttl))),
            user=KEEPER,
            labels=self._labels,
            environment=run_environment(self._cpus, self._path),
            host=host_config(spec.limits, self._engine.info, gpu=spec.gpu, seccomp=self._seccomp, runtime=spec.runtime),
            volumes={**self._volumes, **environment.volumes},
            # The code imports from the environment, and cannot change what later programs import.
            read_only=frozenset({VENV, INSTRUMENTS, DATA}),
            binds=environment.binds,
            ulimits=self._ulimits,
        )

    @property
    def _cpus(self) -> float:
        return cpus(self._spec.limits, self._engine.info)

    # The environment: a folder of this machine where the engine sees it, otherwise a copy in a volume

    def _packages_root(self) -> Path:
        try:
            return super()._packages_root()
        except Unavailable:  # a folder that another uid cannot enter does for an engine
            return cache_dir()

    async def _share(self) -> None:
        """Offer the engine a folder of this machine, if it may see one at all."""
        if not self._engine.info.local:
            await self._share_nothing()
            return
        place = self._packages().mounts
        folder = await self._threads.call(self._stack.enter_context, scratch(place))
        self._mounted = MountedCopy(folder)
        self._stack.callback(self._mounted.hand_on)
        (folder / _MARK).touch()

    async def _sees_folder(self, box: DockerBox) -> bool:
        return (await box.helper(("/bin/sh", "-c", f"test -f {VENV}/{_MARK}"))).exit_code == 0

    async def _share_nothing(self) -> None:
        if self._box is not None:
            await self._box.remove()
            self._box = None
        self._mounted = None
        self._volumes[VENV] = await self._new_volume()

    async def _new_volume(self) -> str:
        self._environments += 1
        name = f"{self._name}-venv{self._environments}"
        await self._threads.call(self._engine.create_volume, name, self._labels)
        return name

    def _mounts(self) -> _Mounts:
        environment = {} if self._mounted is None else {str(self._mounted.folder): VENV}
        return replace(self._data_mounts, binds={**self._data_mounts.binds, **environment})

    async def _show_data(self, folder: Path) -> None:
        self._check_open()
        if self._mounted is not None:
            self._data_mounts = _Mounts(binds={str(folder): DATA})
        else:
            self._data_mounts = _Mounts(volumes={DATA: await self._copied(folder, DATA)})
        if self._box is not None:
            await self._box.remove()
            self._box = None

    async def _show(self, environment: Path) -> None:
        if self._mounted is not None:
            await self._threads.call(self._mounted.hold, environment)
            return
        old, self._volumes[VENV] = self._volumes[VENV], await self._copied(environment)
        if self._box is not None:
            await self._box.remove()
            self._box = None
        await self._threads.call(self._engine.remove_volume, old)

    def _complete(self, environment: Path) -> None:
        if self._mounted is not None:
            self._mounted.complete(environment)

    @asynccontextmanager
    async def _box_with(self, environment: Path) -> AsyncGenerator[Box]:
        self._check_open()
        volume = "" if self._mounted is not None else await self._copied(environment)
        mounts = _Mounts(volumes={VENV: volume}) if volume else _Mounts(binds={str(environment): VENV})
        box = await self._started(mounts)
        try:
            yield box
        finally:
            await box.remove()
            if volume:
                await self._threads.call(self._engine.remove_volume, volume)

    async def _copied(self, folder: Path, inside: str = VENV) -> str:
        """A volume with a copy. The container that it is written through never runs."""
        volume = await self._new_volume()
        with tempfile.TemporaryFile(dir=folder.parent) as packed:
            await self._threads.call(pack, folder, packed)
            packed.seek(0)
            await self._fill(_Mounts(volumes={inside: volume}), inside, packed)
        return volume

    async def _fill(self, environment: _Mounts, folder: str, packed: BinaryIO) -> None:
        """Unpack a tar in a folder that the code cannot write, as files of the engine's own user."""
        plan = replace(self._plan(environment), read_only=frozenset[str]())
        call, engine = self._threads.call, self._engine
        try:
            container = await call(engine.create, plan)
            await call(engine.put_archive, container, folder, packed)
        finally:
            await call(engine.remove, plan.name)

    async def _place(self, files: Mapping[str, bytes]) -> None:
        await self._fill(self._mounts(), INSTRUMENTS, io.BytesIO(transfer.archive(files)))

    def describe(self) -> Description:
        """What this is, with the controls seen when it was opened."""
        info = self._engine.info
        return Description(info.name, info.version, self._weak, self._controls)


class PodmanSandbox(DockerSandbox):
    """The same on podman's socket."""

    @classmethod
    def named(cls) -> bool:
        return bool(os.environ.get("CONTAINER_HOST"))

    @classmethod
    def connect(cls) -> Engine:
        """Podman on this machine. Raises: Unavailable."""
        return endpoints.podman()
