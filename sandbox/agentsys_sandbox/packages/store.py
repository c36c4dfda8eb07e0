"""The package store of a machine: resolutions, built wheels and environments, with uv's cache behind them."""

from __future__ import annotations

import shutil
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from agentsys_sandbox.box import OnOutput
from agentsys_sandbox.cachedir import shared_dir
from agentsys_sandbox.image import hostfiles
from agentsys_sandbox.packages import hostconfig, kept
from agentsys_sandbox.packages.build import BuildFailed, Builds, LocalWheel, source_only
from agentsys_sandbox.packages.bytecode import Bytecode
from agentsys_sandbox.packages.environment import RECIPE, Environment, make_environment
from agentsys_sandbox.packages.hostconfig import HostConfig
from agentsys_sandbox.packages.key import key_of
from agentsys_sandbox.packages.lock import Lock, NotLocked, Row, Wheel
from agentsys_sandbox.packages.resolve import Resolution, compile_wish, refused
from agentsys_sandbox.packages.scratch import abandoned, scratch
from agentsys_sandbox.packages.sdist import Sources
from agentsys_sandbox.packages.target import Target
from agentsys_sandbox.packages.uv import Uv
from agentsys_sandbox.packages.wish import BadRequirement, Builder, Wish, checked, hashes_of
from agentsys_sandbox.spec import ExecResult, IndexRules, Outcome

_MEMO = 64
_BUILDS = 8
"""Distributions that one resolution may have to build."""
_DEPTH = 3
"""Build requirements of build requirements."""
_KEEP_SECONDS = 30 * 86400


class PackageStore:
    """Resolves and links packages; safe for many sandboxes of many processes at once.

    Args:
        cache_dir: where everything is kept; None takes the folder that every sandbox may enter.
        host: package sources; None reads the configuration of uv and pip.
    """

    def __init__(self, cache_dir: Path | None = None, host: HostConfig | None = None) -> None:
        self._root = cache_dir or shared_dir()
        self._host = host or hostconfig.read()
        python = hostfiles.host_python().executable
        self._uv = Uv(hostfiles.uv(), python, self._root / "uv", self._host.environment)
        self._python = python
        self._memo: OrderedDict[str, Resolution] = OrderedDict()
        self._tidied = False

    async def resolve(
        self,
        wish: Wish,
        target: Target,
        rules: IndexRules,
        builder: Builder | None = None,
        *,
        locked: Lock | None = None,
    ) -> Resolution:
        """The exact set of wheels for a wish. Nothing is installed, and nothing of any distribution runs here.

        Outcomes: ok; nonzero (no such package or version, a conflict, a build that failed: the output says it in uv's
        words); denied_by_policy; timeout; infra_error (index, network, this machine).

        Args:
            builder: builds what exists as source only, and the project; without it these are failures.
            locked: the set has to be exactly this one, each file with one of its hashes.
        """
        self._tidy()
        if locked is not None and not any("+" in row.version for row in locked.rows):
            rules = replace(rules, driver="")  # no build of PyTorch's own indexes is among them
        try:
            hashes = hashes_of([*wish.requirements, *wish.constraints])
            asked, limits = checked(wish.requirements), checked(wish.constraints)
            plain = replace(wish, requirements=asked, constraints=limits, hashes=hashes)
        except BadRequirement as error:
            return refused(error)
        key = key_of(
            plain.requirements, plain.constraints, plain.hashes, plain.project, target, rules, locked and locked.text
        )
        known = self._memo.get(key)
        if known is None and kept.offline(self._host.environment):
            known = kept.known(self._root / "resolved", key)
        if known is None:
            known = await self._resolve(plain, target, rules, builder, 0, locked)
            if known.lock is not None:
                self._memo[key] = known
                kept.keep(self._root / "resolved", key, known)
                while len(self._memo) > _MEMO:
                    self._memo.popitem(last=False)
        return known

    async def link(
        self,
        lock: Lock,
        target: Target,
        *,
        project: Wheel | None = None,
        limit: float = 600.0,
        on_output: OnOutput | None = None,
    ) -> Environment:
        """The environment of a locked set: a folder to mount read-only at `/work/venv`, shared by all who ask for it.

        Args:
            lock: of `resolve`.
            project: `Resolution.project`.
        """
        if lock.rows and not lock.wheels:
            raise ValueError("the lock names no files: `resolve` finds them")
        wheels = [*lock.wheels, *([project] if project else [])]
        parts = sorted((wheel.filename, wheel.sha256) for wheel in wheels)
        key = key_of(RECIPE, parts, target)
        return await make_environment(self._uv, self._environments, key, wheels, target, limit, on_output)

    def bytecode(self) -> Bytecode:
        """For one sandbox, to be closed with it."""
        return Bytecode(self._python)

    @property
    def mounts(self) -> Path:
        """For folders of single sandboxes that hold an environment by hard links."""
        return self._root / "mounts"

    @property
    def _environments(self) -> Path:
        return self._root / "environments"

    @property
    def _work(self) -> Path:
        return self._root / "resolving"

    async def _resolve(
        self,
        wish: Wish,
        target: Target,
        rules: IndexRules,
        builder: Builder | None,
        depth: int,
        locked: Lock | None = None,
    ) -> Resolution:
        deadline = time.monotonic() + wish.limit
        built: dict[str, LocalWheel] = {}
        project: LocalWheel | None = None
        builds = self._builds(target, rules, builder, depth) if builder is not None and depth < _DEPTH else None
        try:
            if wish.project is not None:
                if builds is None:
                    raise BuildFailed(_no_builder("the repository itself"))
                project = await builds.project(wish.project, wish, wish.limit)
                wish = replace(wish, requirements=(*wish.requirements, *checked(project.requires)))
            if locked is not None:
                wish = replace(wish, requirements=(*wish.requirements, *locked.pins))
            while True:
                left = replace(wish, limit=deadline - time.monotonic())
                with scratch(self._work) as offered:
                    for each in built.values():
                        (offered / each.path.name).hardlink_to(each.path)
                    narrowed = partial(_narrowed, locked=locked, asked=dict(wish.hashes), built=built)
                    found = await compile_wish(self._uv, self._host, left, target, rules, self._work, offered, narrowed)
                if found.lock is not None and project is not None and _names(found.lock, project):
                    raise BuildFailed(_taken(project))
                if found.lock is not None:
                    return Resolution(found.result, _with_built(found.lock, built), project.wheel if project else None)
                new = [name for name in source_only(found.result.text()) if name not in built]
                if found.result.outcome is not Outcome.NONZERO or not new or len(built) >= _BUILDS:
                    return found
                if builds is None:
                    return Resolution(_unbuildable(found.result, new))
                said = found.result.text()
                built[new[0]] = await builds.distribution(new[0], wish, said, rules, deadline - time.monotonic())
        except BuildFailed as error:
            return Resolution(error.result)
        except BadRequirement as error:
            return refused(error)

    def _builds(self, target: Target, rules: IndexRules, builder: Builder, depth: int) -> Builds:
        async def environment(needs: Wish) -> Path | ExecResult:
            found = await self._resolve(needs, target, rules, builder, depth + 1)
            if found.lock is None:
                return found.result
            made = await self.link(found.lock, target, limit=needs.limit, on_output=needs.on_output)
            return made.folder or made.result

        return Builds(self._root / "built", Sources(self._host), builder, environment, target)

    def _tidy(self) -> None:
        """Remove what killed owners left, and what nobody asked for in weeks: far longer than any sandbox lives."""
        if self._tidied:
            return
        self._tidied = True
        oldest = time.time() - _KEEP_SECONDS
        for folder in abandoned_folders(self._root):
            shutil.rmtree(folder, ignore_errors=True)
        kept_ones = [*(self._root / "built").glob("*"), *(self._root / "resolved").glob("*")]
        for folder in (*self._environments.glob("*"), *kept_ones):
            if not folder.name.startswith(".") and folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True) if folder.is_dir() else folder.unlink(missing_ok=True)


def _narrowed(
    lock: Lock, locked: Lock | None, asked: Mapping[str, Sequence[str]], built: dict[str, LocalWheel]
) -> Lock:
    """Only the hashes that the lock and the requirements allow; what was built here may differ, its source may not.

    Raises: NotLocked where the lock's set differs, or no file has a hash that a requirement names.
    """
    found = {(row.name, row.version) for row in lock.rows}
    hashes = {(row.name, row.version): row.hashes for row in locked.rows} if locked is not None else {}
    if locked is not None and (strange := found ^ hashes.keys()):
        names = ", ".join(f"`{name}=={version}`" for name, version in sorted(strange))
        raise NotLocked(f"the lock does not fit what is asked for: {names[:500]}")

    def row(each: Row) -> Row:
        for allowed in (hashes.get((each.name, each.version)), asked.get(each.name)):
            local = built.get(each.name)
            if allowed is None or (local is not None and local.source in allowed):
                continue
            left = tuple(one for one in each.hashes if one in allowed)
            if allowed is asked.get(each.name) and not left:
                name = f"{each.name}=={each.version}"
                raise NotLocked(f"Hash mismatch: no file of `{name}` has a hash that its requirement names")
            each = replace(each, hashes=left)
        return each

    return Lock(tuple(map(row, lock.rows)))


def _with_built(lock: Lock, built: dict[str, LocalWheel]) -> Lock:
    """Files that were built lie in the store; beside their hash stands that of their source, which others can have."""

    def row(each: Row) -> Row:
        local = built.get(each.name)
        if local is None or local.wheel.sha256 not in each.hashes:
            return each
        return replace(each, hashes=(*each.hashes, local.source))

    chosen = {local.wheel.sha256: local.wheel for local in built.values()}
    return Lock(tuple(map(row, lock.rows)), tuple(chosen.get(wheel.sha256, wheel) for wheel in lock.wheels))


def _names(lock: Lock, project: LocalWheel) -> bool:
    return any(row.name == project.wheel.name for row in lock.rows)


def _taken(project: LocalWheel) -> ExecResult:
    """Its files would take the place of those that were judged."""
    message = f"the repository calls itself `{project.wheel.name}`, as a distribution that it needs"
    return ExecResult(
        Outcome.NONZERO, 1, b"", f"Failed to build `the repository itself`: {message}\n".encode(), 0.0, message=message
    )


def _no_builder(name: str) -> ExecResult:
    said = f"Failed to build `{name}`: no sandbox is at hand to build it in\n".encode()
    return ExecResult(Outcome.NONZERO, 1, b"", said, 0.0, message=f"`{name}` could not be built: no sandbox at hand")


def _unbuildable(result: ExecResult, names: list[str]) -> ExecResult:
    listed = ", ".join(f"`{name}`" for name in names)
    return replace(result, message=f"{listed}: only a source distribution fits, and it cannot be built here")


def abandoned_folders(root: Path) -> list[Path]:
    """What killed owners left in a store."""
    return [each for name in ("environments", "resolving", "mounts") for each in abandoned(root / name)]


def shared(root: Path) -> PackageStore:
    """The store of this process for a folder, made anew where the host's package sources have changed."""
    host = hostconfig.read()
    key = (root, key_of(asdict(host)))
    if key not in _STORES:
        _STORES[key] = PackageStore(root, host)
    return _STORES[key]


_STORES: dict[tuple[Path, str], PackageStore] = {}
