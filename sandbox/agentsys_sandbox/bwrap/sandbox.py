"""The embedded backend: bubblewrap on a root file system of host files. Weaker than Docker, and labelled so."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Self

from agentsys_sandbox.base import Backend, refuse_weakness
from agentsys_sandbox.blocking import Threads
from agentsys_sandbox.box import Box
from agentsys_sandbox.bwrap import cgroup as bwrap_cgroup
from agentsys_sandbox.bwrap import reap
from agentsys_sandbox.bwrap.box import BwrapBox
from agentsys_sandbox.bwrap.cgroup import Cgroup
from agentsys_sandbox.bwrap.check import check
from agentsys_sandbox.bwrap.command import Bubblewrap, Layout, try_out
from agentsys_sandbox.bwrap.identity import Identity, identity
from agentsys_sandbox.bwrap.reap import remove_tree, sandboxes_dir, write_owner
from agentsys_sandbox.cachedir import shared_dir
from agentsys_sandbox.errors import SandboxGone, Unavailable
from agentsys_sandbox.image.rootfs import ensure_rootfs
from agentsys_sandbox.labels import Leftover, labels
from agentsys_sandbox.paths import DATA, INSTRUMENTS, REPO, VENV, WORK
from agentsys_sandbox.seccomp import compile_filter
from agentsys_sandbox.spec import Control, Description, SandboxSpec, Source

_NAMESPACES = (
    "allow unprivileged user namespaces: on Ubuntu 24.04 or newer load the AppArmor profile `bwrap-userns-restrict`, "
    "on Debian set `kernel.unprivileged_userns_clone=1`; or use Docker"
)


class BwrapSandbox(Backend):
    """A work folder, and programs on it in namespaces of their own.

    Each program gets its own process, network and mount namespaces: what it leaves running ends with it.
    """

    weakness = "bubblewrap: WEAK, it isolates less than Docker does"

    def __init__(self, spec: SandboxSpec) -> None:
        super().__init__(spec)
        self._name = f"agentsys-{spec.run[:40]}-{secrets.token_hex(4)}"
        self._stack = ExitStack()
        self._threads = Threads(2)
        self._bubblewrap: Bubblewrap | None = None
        self._layout: Layout | None = None
        self._cgroup: Cgroup | None = None
        self._folder: Path | None = None
        self._controls: tuple[Control, ...] = ()

    @classmethod
    def available(cls) -> None:
        """See that bubblewrap works here, by running a program in it. Raises: Unavailable with the remedy."""
        bubblewrap = Bubblewrap.find()
        with identity(shared_dir() / "uids") as who:
            said = try_out(bubblewrap, who)
        if said:
            raise Unavailable(f"bubblewrap does not work here: {said}", _NAMESPACES)

    @classmethod
    def create(cls, spec: SandboxSpec) -> Self:
        """A sandbox, not yet entered."""
        return cls(spec)

    @classmethod
    def build_base(cls, source: Source = "auto") -> str:
        """Build the base file system where it is missing, and return its folder."""
        return str(ensure_rootfs())

    @classmethod
    def leftovers(cls, *, everything: bool = False) -> AbstractContextManager[list[Leftover]]:
        """Folders whose owner is gone, and base file systems of earlier recipes."""
        return nullcontext([*reap.leftovers(), *reap.outdated()])

    async def _open(self) -> None:
        await self._threads.call(self._prepare)
        await self._check()

    def _prepare(self) -> None:
        _refuse_what_it_cannot(self._spec)
        self._bubblewrap = Bubblewrap.find()
        rootfs = ensure_rootfs()
        who = self._stack.enter_context(identity(shared_dir() / "uids"))
        self._folder = _make_folder(self._name)
        write_owner(self._folder, labels(self._spec.run, self._spec.limits.ttl))
        self._cgroup = bwrap_cgroup.create(self._name, self._spec.limits)
        work = _make_owned(self._folder / "work", who)
        for inner in (REPO, VENV, INSTRUMENTS):  # the last two are mounted on
            _make_owned(work / inner.removeprefix(f"{WORK}/"), who)
        venv, instruments = self._folder / "venv", self._folder / "instruments"
        for folder in (venv, instruments):
            folder.mkdir()
            folder.chmod(0o755)
        self._layout = Layout(rootfs, work, venv, instruments, self._spec.limits, who)

    async def _check(self) -> None:
        layout = self._opened()
        try:
            self._controls, missing = await check(
                self._box(layout).helper, layout.work, layout.identity, layout.limits, self._cgroup
            )
        except SandboxGone as error:
            raise Unavailable(f"bubblewrap does not work here: {error.message}", _NAMESPACES) from error
        refuse_weakness(missing, allowed=self._spec.allow_weak)

    async def _close(self) -> None:
        self._layout = None
        try:
            await self._threads.call(self._remove)
        finally:
            self._stack.close()
            self._threads.close()

    def _remove(self) -> None:
        cgroup, self._cgroup = self._cgroup, None
        folder, self._folder = self._folder, None
        if cgroup is not None and not cgroup.remove():
            raise Unavailable(f"the control group of `{self._name}` cannot be removed", "run `agentsys sandbox clean`")
        if folder is not None:
            remove_tree(folder)

    def _opened(self) -> Layout:
        if self._layout is None:
            raise SandboxGone("the sandbox is not open")
        return self._layout

    async def _ready(self) -> BwrapBox:
        return self._box(self._opened())

    def _box(self, layout: Layout) -> BwrapBox:
        assert self._bubblewrap is not None
        return BwrapBox(self._bubblewrap, layout, self._cgroup, compile_filter())

    async def _show(self, environment: Path) -> None:
        self._layout = replace(self._opened(), venv=environment)

    async def _show_data(self, folder: Path) -> None:
        layout = self._opened()
        place = layout.work / DATA.removeprefix(f"{WORK}/")
        await self._threads.call(_make_owned, place, layout.identity)  # it is mounted on
        self._layout = replace(layout, data=folder)

    async def _place(self, files: Mapping[str, bytes]) -> None:
        await self._threads.call(_write, self._opened().instruments, files)

    @asynccontextmanager
    async def _box_with(self, environment: Path) -> AsyncGenerator[Box]:
        yield self._box(replace(self._opened(), venv=environment, data=None))

    def describe(self) -> Description:
        """What this is, with the controls seen when it was opened; always marked as weak."""
        version = self._bubblewrap.version if self._bubblewrap else ""
        return Description("bubblewrap", version, True, self._controls)


def _refuse_what_it_cannot(spec: SandboxSpec) -> None:
    if spec.image:
        raise Unavailable("bubblewrap cannot use a container image", "leave `image` empty, or use Docker")
    if spec.gpu:
        raise Unavailable("bubblewrap cannot hand on GPUs", "use Docker, or run without `gpu`")
    if spec.runtime:
        raise Unavailable("bubblewrap cannot use a container runtime", "use Docker, or leave `runtime` empty")


def _make_folder(name: str) -> Path:
    """The sandbox's folder. Another uid passes through it by name, but cannot list it."""
    parent = sandboxes_dir()
    parent.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        parent.chmod(0o711)
    folder = parent / name
    folder.mkdir(mode=0o711)
    folder.chmod(0o711)
    return folder


def _write(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files that everyone may read."""
    for name, data in files.items():
        place = root / name
        for folder in (*reversed(place.relative_to(root).parents),):
            (root / folder).mkdir(exist_ok=True)
            (root / folder).chmod(0o755)
        place.write_bytes(data)
        place.chmod(0o444)


def _make_owned(folder: Path, who: Identity) -> Path:
    folder.mkdir(mode=0o700)
    if who.dropped:
        os.chown(folder, who.uid, who.gid)
    return folder
