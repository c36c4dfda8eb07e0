"""Distributions that exist as source only: fetched here, built inside the sandbox, offered to the next resolution."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import time
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from agentsys_sandbox.packages.key import key_of
from agentsys_sandbox.packages.lock import Wheel
from agentsys_sandbox.packages.sdist import Source, SourceError, Sources, requires
from agentsys_sandbox.packages.target import Target
from agentsys_sandbox.packages.wish import BadRequirement, Builder, BuildJob, Built, ProjectSource, Wish, checked
from agentsys_sandbox.spec import ExecResult, IndexRules, Outcome

_SOURCE_ONLY = re.compile(
    r"Wheels are required for `([A-Za-z0-9][\w.-]{0,100})` because building from source is disabled"
)
_UNUSABLE = r"\b{name}(==[^\s,]+)? has no usable wheels"
_DEPENDS = r"depends on {name}((?:[<>=!~]=?[^\s,]+,?)+)"
_MAX_METADATA = 4 << 20
_MAX_UNPACKED = 4 << 30
ITSELF = "the repository itself"
_ROUNDS = 3
"""How often a build backend may ask for more before it builds."""

MakeEnvironment = Callable[[Wish], Awaitable[Path | ExecResult]]
"""Resolves build requirements and makes an environment of them."""


class BuildFailed(Exception):
    """No wheel came of it."""

    def __init__(self, result: ExecResult) -> None:
        super().__init__(result.message)
        self.result = result


@dataclass(frozen=True)
class LocalWheel:
    """A wheel that was built in a sandbox. `source` is the SHA-256 of what it was built from, empty for the project."""

    wheel: Wheel
    path: Path
    requires: tuple[str, ...]
    source: str = ""


class Builds:
    """Builds for one resolution.

    Args:
        store: folder of built wheels.
        environment: see `MakeEnvironment`.
    """

    def __init__(
        self, store: Path, sources: Sources, builder: Builder, environment: MakeEnvironment, target: Target
    ) -> None:
        self._store = store
        self._sources = sources
        self._builder = builder
        self._environment = environment
        self._target = target

    async def distribution(self, name: str, wish: Wish, said: str, rules: IndexRules, limit: float) -> LocalWheel:
        """Build the newest source distribution that the wish and uv's words allow. Raises: BuildFailed."""
        specifier = _specifier(name, wish, said)
        try:
            find, fetch = self._sources.newest, self._sources.content
            source = await asyncio.to_thread(find, name, specifier, self._target.python, rules.cooldown)
            data = await asyncio.to_thread(fetch, source)
            asked = requires(source.filename, data)
        except (SourceError, OSError) as error:
            raise _failed(name, str(error), world=isinstance(error, SourceError) and error.world) from error
        digest = hashlib.sha256(data).hexdigest()
        kept = self._store / key_of(digest, self._target)
        found = _read_kept(kept, self._target, source)
        if found is None:
            wheel = await self._build(name, (source.filename, data), asked, wish, limit)
            found = _keep(kept, wheel, self._target, source)
        return replace(found, source=digest)

    async def project(self, project: ProjectSource, wish: Wish, limit: float) -> LocalWheel:
        """Build the editable wheel of the repository. Raises: BuildFailed."""
        kept = self._store / key_of("project", project.key, project.requires, self._target)
        found = _read_kept(kept, self._target, None)
        if found is None:
            wheel = await self._build(ITSELF, None, project.requires, wish, limit)
            found = _keep(kept, wheel, self._target, None)
        return found

    async def _build(
        self, name: str, source: tuple[str, bytes] | None, asked: tuple[str, ...], wish: Wish, limit: float
    ) -> tuple[str, bytes]:
        deadline = time.monotonic() + limit
        given: tuple[str, ...] = ()
        for _ in range(_ROUNDS):
            given = tuple(dict.fromkeys([*given, *asked]))
            try:
                needs = Wish(checked(given), (), None, deadline - time.monotonic(), wish.on_output)
            except BadRequirement as error:
                raise _failed(name, f"its build requirements cannot be installed: {error}") from error
            made = await self._environment(needs)
            if isinstance(made, ExecResult):
                said = made.message or made.text().strip()[:2000]
                raise _failed(name, f"its build requirements cannot be installed: {said}", like=made)
            built = await self._builder.build(BuildJob(source, made, given, deadline - time.monotonic()))
            if built.wheel is not None:
                return built.wheel
            if not built.requires or set(built.requires) <= set(given):
                raise _unbuilt(name, built)
            asked = built.requires
        raise _failed(name, f"its build backend still asks for more: {', '.join(asked)[:500]}")


def source_only(said: str) -> list[str]:
    """Names of which uv says that only a build could give a wheel."""
    return list(dict.fromkeys(canonicalize_name(name) for name in _SOURCE_ONLY.findall(said)))


def _specifier(name: str, wish: Wish, said: str) -> SpecifierSet:
    """Everything that is known of the version: what is asked for, and what uv tells of the others' demands."""
    found = SpecifierSet()
    for line in (*wish.requirements, *wish.constraints):
        asked = Requirement(line)
        if canonicalize_name(asked.name) == name and (asked.marker is None or asked.marker.evaluate()):
            found &= asked.specifier
    flat = " ".join(said.split())
    for text in re.findall(_DEPENDS.format(name=re.escape(name)), flat):
        found &= _specifiers(text.rstrip(","))
    exact = {text for text in re.findall(_UNUSABLE.format(name=re.escape(name)), flat) if text}
    return found if len(exact) != 1 or str(found) else found & _specifiers(exact.pop())


def _specifiers(text: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except ValueError:
        return SpecifierSet()


def _failed(name: str, why: str, *, world: bool = False, like: ExecResult | None = None) -> BuildFailed:
    said = f"Failed to build `{name}`: {why}\n".encode()
    outcome = Outcome.INFRA_ERROR if world or (like and like.outcome.is_infrastructure) else Outcome.NONZERO
    outcome = like.outcome if like and like.outcome in (Outcome.TIMEOUT, Outcome.DENIED_BY_POLICY) else outcome
    return BuildFailed(ExecResult(outcome, 1, b"", said, 0.0, message=f"`{name}` has no wheel, and {why}"[:1000]))


def _unbuilt(name: str, built: Built) -> BuildFailed:
    result = built.result
    outcome = Outcome.NONZERO if result.ok else result.outcome
    why = "" if name == ITSELF else " has no wheel and"
    message = f"`{name}`{why} could not be built in the sandbox: {result.message or outcome.value}"
    stderr = result.stderr + f"\nFailed to build `{name}`\n".encode()
    return BuildFailed(
        replace(result, outcome=outcome, exit_code=result.exit_code or 1, stderr=stderr, message=message)
    )


def _keep(folder: Path, wheel: tuple[str, bytes], target: Target, source: Source | None) -> LocalWheel:
    """Check a wheel that came out of a sandbox, and store it. Raises: BuildFailed."""
    name = source.name if source else ITSELF
    try:
        found = _checked(wheel[0], wheel[1], target, source, folder)
    except ValueError as error:
        raise _failed(name, f"the wheel that was built is not usable: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f".{hashlib.sha256(wheel[1]).hexdigest()[:16]}.new"
    new.write_bytes(wheel[1])
    new.replace(found.path)
    return found


def _read_kept(folder: Path, target: Target, source: Source | None) -> LocalWheel | None:
    for file in sorted(folder.glob("*.whl")):
        try:
            return _checked(file.name, file.read_bytes(), target, source, folder)
        except (ValueError, OSError):
            continue
    return None


def _checked(filename: str, data: bytes, target: Target, source: Source | None, folder: Path) -> LocalWheel:
    """Raises: ValueError where this is not a wheel of the distribution that fits the target."""
    if "/" in filename or not filename.isascii():
        raise ValueError(f"its file name is {filename[:100]!r}")
    try:
        name, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise ValueError(str(error)) from error
    if tags.isdisjoint(target.tags):
        raise ValueError(f"`{filename}` does not fit the sandbox")
    if source is not None and (name, version) != (source.name, source.version):
        raise ValueError(f"`{filename}` is not `{source.name}=={source.version}`")
    metadata = _metadata(data)
    if canonicalize_name(str(metadata["Name"])) != name or str(metadata["Version"]) != str(version):
        raise ValueError(f"its metadata says `{metadata['Name']}=={metadata['Version']}`"[:200])
    needed = tuple(str(each) for each in metadata.get_all("Requires-Dist", []))
    path = folder / filename
    digest = hashlib.sha256(data).hexdigest()
    return LocalWheel(
        Wheel(name, str(version), filename, path.as_uri(), digest, len(data)), path, _without_extras(needed)
    )


def _metadata(data: bytes) -> Message:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            rows = zipped.infolist()
            if sum(row.file_size for row in rows) > _MAX_UNPACKED:
                raise ValueError("it unpacks to more than is allowed")
            named = [row for row in rows if re.fullmatch(r"[^/]+\.dist-info/METADATA", row.filename)]
            if len(named) != 1 or named[0].file_size > _MAX_METADATA:
                raise ValueError("it has no metadata, or too much of it")
            return BytesParser().parsebytes(zipped.read(named[0]))
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise ValueError(f"it is no archive: {error}") from error


def _without_extras(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Requirements that hold without any extra."""
    found: list[str] = []
    for line in lines:
        try:
            asked = Requirement(line)
        except InvalidRequirement:
            found.append(line)  # refused with its name where requirements are checked
            continue
        if asked.marker is None or "extra" not in str(asked.marker):
            found.append(line)
    return tuple(found)
