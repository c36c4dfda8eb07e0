"""The embedded backend: bubblewrap on a root file system of host files. Weaker than Docker, and labelled so."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from agentsys_sandbox import transfer
from agentsys_sandbox.base import REPO, VENV, WORK, OnOutput, SandboxGone, Unavailable, WeakSandbox
from agentsys_sandbox.blocking import Threads
from agentsys_sandbox.bwrap import cgroup as bwrap_cgroup
from agentsys_sandbox.bwrap.box import BwrapBox
from agentsys_sandbox.bwrap.cgroup import Cgroup
from agentsys_sandbox.bwrap.check import check
from agentsys_sandbox.bwrap.command import Bubblewrap, Layout, try_out
from agentsys_sandbox.bwrap.identity import Identity, identity
from agentsys_sandbox.bwrap.reap import remove_tree, sandboxes_dir, write_owner
from agentsys_sandbox.cachedir import shared_dir
from agentsys_sandbox.docker.execution import Job
from agentsys_sandbox.environment import install_environment, run_environment
from agentsys_sandbox.image.rootfs import SOCKET_DIR, ensure_rootfs
from agentsys_sandbox.labels import labels
from agentsys_sandbox.packages.install import Installation, Wish
from agentsys_sandbox.packages.requirements import denied
from agentsys_sandbox.paths import inside
from agentsys_sandbox.seccomp import compile_filter
from agentsys_sandbox.spec import Control, Description, ExecResult, ExportReport, InstallResult, Outcome, SandboxSpec

_NAMESPACES = (
    "allow unprivileged user namespaces: on Ubuntu 24.04 or newer load the AppArmor profile `bwrap-userns-restrict`, "
    "on Debian set `kernel.unprivileged_userns_clone=1`; or use Docker"
)


class BwrapSandbox:
    """A work folder, and programs on it in namespaces of their own. See `base.Sandbox`.

    Each program gets its own process, network and mount namespaces: what it leaves running ends with it.
    """

    def __init__(self, spec: SandboxSpec) -> None:
        self._spec = spec
        self._name = f"agentsys-{spec.run[:40]}-{secrets.token_hex(4)}"
        self._stack = ExitStack()
        self._threads = Threads(2)
        self._lock = asyncio.Lock()
        self._bubblewrap: Bubblewrap | None = None
        self._layout: Layout | None = None
        self._cgroup: Cgroup | None = None
        self._folder: Path | None = None
        self._controls: tuple[Control, ...] = ()

    # Life cycle

    async def __aenter__(self) -> Self:
        """Open it. Raises: Unavailable, ImageMissing, WeakSandbox."""
        try:
            await self._threads.call(self._prepare)
            await self._check()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    def _prepare(self) -> None:
        _refuse_what_it_cannot(self._spec)
        self._bubblewrap = Bubblewrap.find()
        rootfs = ensure_rootfs()
        who = self._stack.enter_context(identity(shared_dir() / "uids"))
        self._folder = _make_folder(self._name)
        write_owner(self._folder, labels(self._spec.run, self._spec.limits.ttl))
        self._cgroup = bwrap_cgroup.create(self._name, self._spec.limits)
        work = _make_owned(self._folder / "work", who)
        for inner in (REPO, VENV):  # the second is what the environment is mounted on
            _make_owned(work / inner.removeprefix(f"{WORK}/"), who)
        venv = _make_owned(self._folder / "venv", who)
        (self._folder / "phase").mkdir(mode=0o711)
        self._layout = Layout(rootfs, work, venv, self._spec.limits, who)

    async def _check(self) -> None:
        layout = self._ready()
        try:
            self._controls, missing = await check(
                self._helper, layout.work, layout.identity, layout.limits, self._cgroup
            )
        except SandboxGone as error:
            raise Unavailable(f"bubblewrap does not work here: {error.message}", _NAMESPACES) from error
        if missing and not self._spec.allow_weak:
            names = ", ".join(f"`{each.name}`" for each in missing)
            remedies = "; ".join(dict.fromkeys(each.remedy for each in missing if each.remedy))
            raise WeakSandbox(f"the sandbox is weaker than demanded, not effective: {names}", remedies)

    async def _close(self) -> None:
        """Remove every trace, also where one step fails."""
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

    def _ready(self) -> Layout:
        if self._layout is None:
            raise SandboxGone("the sandbox is not open")
        return self._layout

    def _box(self, tmp: Path | None = None, binds: Mapping[str, str] | None = None) -> BwrapBox:
        layout = self._ready()
        assert self._bubblewrap is not None
        used = Layout(layout.rootfs, layout.work, layout.venv, layout.limits, layout.identity, tmp, binds or {})
        return BwrapBox(self._bubblewrap, used, self._cgroup, compile_filter())

    @property
    def _cpus(self) -> float:
        return min(self._spec.limits.cpus, float(os.cpu_count() or 1))

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
        environment = run_environment(self._cpus, extra=env)
        job = Job(tuple(argv), inside(cwd), environment, stdin, timeout, max_output, on_output)
        async with self._lock:
            return await self._box().run(job)

    async def install(
        self,
        requirements: Sequence[str] = (),
        *,
        constraints: Sequence[str] = (),
        project: bool = False,
        timeout: float = 600.0,
        on_output: OnOutput | None = None,
    ) -> InstallResult:
        """Make the environment afresh; only these programs see the package index."""
        reason = denied([*requirements, *constraints])
        if reason:
            return InstallResult(ExecResult(Outcome.DENIED_BY_POLICY, None, b"", b"", 0.0, message=reason))
        from agentsys_sandbox.packages.gateway import Gateway, GatewayOptions

        async with self._lock:
            layout = self._ready()
            has_project = project and await transfer.read_file(self._helper, f"{REPO}/pyproject.toml", 1) is not None
            wish = Wish(tuple(requirements), tuple(constraints), has_project, timeout, on_output)
            options = GatewayOptions.of(self._spec.index, layout.identity.gid if layout.identity.dropped else None)
            async with Gateway(self._spec.cache_dir, options) as gateway:
                tmp = await self._threads.call(self._make_tmp, layout.identity)
                try:
                    box = self._box(tmp, {str(gateway.socket_dir): SOCKET_DIR})
                    # A box of this backend offers the same `run` and `helper`.
                    installation = Installation(cast(Any, box), gateway, install_environment(self._cpus))
                    return await installation.run(wish)
                finally:
                    await self._threads.call(remove_tree, tmp)

    def _make_tmp(self, who: Identity) -> Path:
        """A /tmp that lasts over the steps of an installation, on disk because builds are large."""
        assert self._folder is not None
        outer = Path(tempfile.mkdtemp(dir=self._folder / "phase"))
        outer.chmod(0o711)
        return _make_owned(outer / "tmp", who)

    # Files

    async def _helper(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        max_output: int = 1 << 20,
        flood: int | None = None,
        on_output: OnOutput | None = None,
    ) -> transfer.HelperEnd:
        return await self._box().helper(argv, stdin=stdin, max_output=max_output, flood=flood, on_output=on_output)

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
        """True if a program can still be started on the work folder."""
        try:
            async with self._lock:
                end = await self._helper(("echo", "alive"))
        except (SandboxGone, Unavailable):
            return False
        return end.exit_code == 0 and end.stdout == b"alive\n"

    def describe(self) -> Description:
        """What this is, with the controls seen when it was opened; always marked as weak."""
        version = self._bubblewrap.version if self._bubblewrap else ""
        return Description("bubblewrap", version, True, self._controls)


def probe() -> None:
    """See that bubblewrap works here, by running a program in it. Blocks.

    Raises: Unavailable with the remedy.
    """
    bubblewrap = Bubblewrap.find()
    with identity(shared_dir() / "uids") as who:
        said = try_out(bubblewrap, who)
    if said:
        raise Unavailable(f"bubblewrap does not work here: {said}", _NAMESPACES)


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


def _make_owned(folder: Path, who: Identity) -> Path:
    folder.mkdir(mode=0o700)
    if who.dropped:
        os.chown(folder, who.uid, who.gid)
    return folder
