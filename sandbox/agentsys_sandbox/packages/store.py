"""The package store of a machine: resolutions, built wheels and environments, with uv's cache behind them."""

from __future__ import annotations

import shutil
import time
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from agentsys_sandbox.base import OnOutput
from agentsys_sandbox.cachedir import shared_dir
from agentsys_sandbox.image import hostfiles
from agentsys_sandbox.packages import hostconfig
from agentsys_sandbox.packages.build import BuildFailed, Builds, LocalWheel, source_only
from agentsys_sandbox.packages.bytecode import Bytecode
from agentsys_sandbox.packages.environment import RECIPE, Environment, make_environment
from agentsys_sandbox.packages.hostconfig import HostConfig
from agentsys_sandbox.packages.key import key_of
from agentsys_sandbox.packages.lock import Lock, Row, Wheel
from agentsys_sandbox.packages.resolve import Resolution, choose_files, compile_wish
from agentsys_sandbox.packages.scratch import scratch, sweep
from agentsys_sandbox.packages.sdist import Sources
from agentsys_sandbox.packages.target import Target
from agentsys_sandbox.packages.uv import Uv
from agentsys_sandbox.packages.wish import BadRequirement, Builder, Wish, checked
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
        self._uv = Uv(hostfiles.tools().uv, python, self._root / "uv", self._host.environment)
        self._python = python
        self._memo: OrderedDict[str, Resolution] = OrderedDict()
        self._tidied = False

    async def resolve(
        self, wish: Wish, target: Target, rules: IndexRules, builder: Builder | None = None
    ) -> Resolution:
        """The exact set of wheels for a wish. Nothing is installed, and nothing of any distribution runs here.

        Outcomes: ok; nonzero (no such package or version, a conflict, a build that failed: the output says it in uv's
        words); denied_by_policy; timeout; infra_error (index, network, this machine).

        Args:
            builder: builds what exists as source only, and the project; without it these are failures.
        """
        self._tidy()
        try:
            plain = replace(wish, requirements=checked(wish.requirements), constraints=checked(wish.constraints))
        except BadRequirement as error:
            return _refused(error)
        key = key_of(plain.requirements, plain.constraints, plain.project, target, rules)
        known = self._memo.get(key)
        if known is None:
            known = await self._resolve(plain, target, rules, builder, 0)
            if known.lock is not None:
                self._memo[key] = known
                while len(self._memo) > _MEMO:
                    self._memo.popitem(last=False)
        return known

    async def complete(self, lock: Lock, target: Target, rules: IndexRules, limit: float) -> Resolution:
        """Find the files of a lock that was read, for this target; each must have one of the lock's hashes."""
        if lock.wheels or not lock.rows:
            return Resolution(ExecResult(Outcome.OK, 0, b"", b"", 0.0), lock)
        return await choose_files(self._uv, self._host, lock, target, rules, self._work, limit)

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
            lock: of `resolve` or `complete`.
            project: `Resolution.project`.
        """
        if lock.rows and not lock.wheels:
            raise ValueError("the lock names no files: use `complete` first")
        wheels = [*lock.wheels, *([project] if project else [])]
        parts = sorted((wheel.filename, wheel.sha256) for wheel in wheels)
        key = key_of(RECIPE, parts, target)
        return await make_environment(self._uv, self._environments, key, wheels, target, limit, on_output)

    def bytecode(self) -> Bytecode:
        """For one sandbox, to be closed with it."""
        return Bytecode(self._python)

    @property
    def _environments(self) -> Path:
        return self._root / "environments"

    @property
    def _work(self) -> Path:
        return self._root / "resolving"

    async def _resolve(
        self, wish: Wish, target: Target, rules: IndexRules, builder: Builder | None, depth: int
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
            while True:
                left = replace(wish, limit=deadline - time.monotonic())
                with scratch(self._work) as offered:
                    for each in built.values():
                        (offered / each.path.name).hardlink_to(each.path)
                    found = await compile_wish(self._uv, self._host, left, target, rules, self._work, offered)
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
            return _refused(error)

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
        for store in (self._environments, self._work):
            sweep(store)
        for folder in (*self._environments.glob("*"), *(self._root / "built").glob("*")):
            if not folder.name.startswith(".") and folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True) if folder.is_dir() else folder.unlink(missing_ok=True)


def _with_built(lock: Lock, built: dict[str, LocalWheel]) -> Lock:
    """Files that were built lie in the store; beside their hash stands that of their source, which others can have."""

    def row(each: Row) -> Row:
        local = built.get(each.name)
        if local is None or local.wheel.sha256 not in each.hashes:
            return each
        return replace(each, hashes=(*each.hashes, local.source))

    chosen = {local.wheel.sha256: local.wheel for local in built.values()}
    return Lock(tuple(map(row, lock.rows)), tuple(chosen.get(wheel.sha256, wheel) for wheel in lock.wheels))


def _refused(error: BadRequirement) -> Resolution:
    outcome = Outcome.DENIED_BY_POLICY if error.denied else Outcome.NONZERO
    said = f"error: {error}\n".encode()
    message = str(error) if error.denied else ""
    return Resolution(ExecResult(outcome, None if error.denied else 2, b"", said, 0.0, message=message))


def _no_builder(name: str) -> ExecResult:
    said = f"Failed to build `{name}`: no sandbox is at hand to build it in\n".encode()
    return ExecResult(Outcome.NONZERO, 1, b"", said, 0.0, message=f"`{name}` could not be built: no sandbox at hand")


def _unbuildable(result: ExecResult, names: list[str]) -> ExecResult:
    listed = ", ".join(f"`{name}`" for name in names)
    return replace(result, message=f"{listed}: only a source distribution fits, and it cannot be built here")
