"""One resolution by uv: wheels only, for the sandbox's Python and platform, from the user's own sources."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from agentsys_sandbox.packages.hostconfig import HostConfig, local_path
from agentsys_sandbox.packages.lock import Lock, LockError, NotLocked, Row, Wheel, parse_lock, read_wheels
from agentsys_sandbox.packages.scratch import scratch
from agentsys_sandbox.packages.target import Target
from agentsys_sandbox.packages.uv import Uv
from agentsys_sandbox.packages.wish import BadRequirement, Wish
from agentsys_sandbox.spec import ExecResult, IndexRules, Outcome

_WHEELS_ONLY = ("--only-binary", ":all:", "--no-sources")


@dataclass(frozen=True)
class Resolution:
    """How a resolution ended, and the locked set where it succeeded."""

    result: ExecResult
    lock: Lock | None = None
    project: Wheel | None = None
    """The editable wheel of the repository itself, for `PackageStore.link`."""


def refused(error: BadRequirement) -> Resolution:
    """The answer to a line that no installer may see."""
    outcome = Outcome.DENIED_BY_POLICY if error.denied else Outcome.NONZERO
    said = f"error: {error}\n".encode()
    message = str(error) if error.denied else ""
    return Resolution(ExecResult(outcome, None if error.denied else 2, b"", said, 0.0, message=message))


async def compile_wish(
    uv: Uv,
    host: HostConfig,
    wish: Wish,
    target: Target,
    rules: IndexRules,
    folder: Path,
    built: Path,
    narrowed: Callable[[Lock], Lock] = lambda lock: lock,
) -> Resolution:
    """Resolve once.

    Args:
        wish: its lines are in normal form (`wish.checked`).
        folder: where temporary files may lie.
        built: folder of wheels that were built in a sandbox.
        narrowed: leaves only those hashes that may be taken. Raises: NotLocked.
    """
    if not wish.requirements:
        return Resolution(ExecResult(Outcome.OK, 0, b"", b"", 0.0), Lock(()))
    deadline = time.monotonic() + wish.limit
    with scratch(folder) as place:
        asked, limits, out = place / "requirements.in", place / "constraints.txt", place / "requirements.lock"
        _write(asked, wish.requirements)
        _write(limits, wish.constraints)
        _write(out, _at_hand(host, target))
        extra = {"UV_FIND_LINKS": ",".join([*host.find_links, str(built)]), **_builds(rules)}
        common = [*_platform(target), *_WHEELS_ONLY, "--generate-hashes", "--no-header", "--no-annotate"]
        argv = [
            "compile",
            str(asked),
            *(["-c", str(limits)] if wish.constraints else []),
            "-o",
            str(out),
            *common,
            *host.arguments,
            *_age(rules),
        ]
        result = await uv.run(argv, limit=wish.limit, on_output=wish.on_output, extra=extra)
        if not result.ok:
            return Resolution(result)
        try:
            lock = narrowed(parse_lock(out.read_text(encoding="utf-8")))
        except NotLocked as error:
            return Resolution(replace(result, outcome=Outcome.NONZERO, exit_code=1, message=str(error)))
        except (LockError, UnicodeDecodeError) as error:
            message = f"what uv resolved cannot be read: {error}"
            return Resolution(replace(result, outcome=Outcome.INFRA_ERROR, message=message))
        limit = deadline - time.monotonic()
        return await choose_files(uv, host, lock, target, rules, folder, limit, built=built, first=result)


async def choose_files(
    uv: Uv,
    host: HostConfig,
    lock: Lock,
    target: Target,
    rules: IndexRules,
    folder: Path,
    limit: float,
    *,
    built: Path | None = None,
    first: ExecResult | None = None,
) -> Resolution:
    """Find the wheel of each locked distribution, and judge the whole by the rules.

    Args:
        lock: a file is taken only if its hash stands there.
        first: how the resolution itself went.
    """
    with scratch(folder) as place:
        rows, out = place / "requirements.txt", place / "pylock.toml"
        rows.write_text(lock.text, encoding="utf-8")
        extra = {"UV_FIND_LINKS": ",".join([*host.find_links, *([str(built)] if built else [])]), **_builds(rules)}
        argv = ["compile", str(rows), "--no-deps", "-o", str(out), "--format", "pylock.toml", "--generate-hashes"]
        argv += [*_platform(target), *_WHEELS_ONLY, *_age(rules)]
        argv += ["--no-index"] if "--no-index" in host.arguments else []
        start = time.monotonic()
        # What it needs was mostly read a moment ago; an index that forbids to keep its pages has to be asked again.
        result = await uv.run([*argv, "--offline"], limit=limit, extra=extra)
        if not result.ok:
            result = await uv.run(argv, limit=limit - (time.monotonic() - start), extra=extra)
        if not result.ok:
            return Resolution(result)
        return _judged(first or result, lock, out.read_bytes(), target, rules)


def _judged(result: ExecResult, lock: Lock, pylock: bytes, target: Target, rules: IndexRules) -> Resolution:
    try:
        wheels = read_wheels(pylock, target.tags, lock)
    except NotLocked as error:
        message = f"what the package index offers now is not what was locked: {error}"
        return Resolution(replace(result, outcome=Outcome.NONZERO, exit_code=1, message=message))
    except LockError as error:
        return Resolution(replace(result, outcome=Outcome.INFRA_ERROR, message=str(error)))
    missing = {(row.name, row.version) for row in lock.rows} - {(wheel.name, wheel.version) for wheel in wheels}
    if missing:
        names = ", ".join(f"{name}=={version}" for name, version in sorted(missing))
        message = f"what the package index offers now is not what was locked: {names[:500]} is missing"
        return Resolution(replace(result, outcome=Outcome.NONZERO, exit_code=1, message=message))
    refused = [f"`{row.name}`: {rules.denied[row.name]}" for row in lock.rows if row.name in rules.denied]
    size = sum(_size(wheel) for wheel in wheels)
    if size > rules.quota:
        refused.append(f"the files of this installation have {size} bytes together; {rules.quota} are allowed")
    if refused:
        return Resolution(replace(result, outcome=Outcome.DENIED_BY_POLICY, message="; ".join(refused)))
    chosen = {wheel.name: wheel.sha256 for wheel in wheels}
    return Resolution(result, Lock(tuple(_chosen_first(row, chosen[row.name]) for row in lock.rows), wheels))


def _size(wheel: Wheel) -> int:
    path = local_path(wheel.url) if wheel.size is None else None
    return path.stat().st_size if path is not None and path.is_file() else wheel.size or 0


def _chosen_first(row: Row, sha256: str) -> Row:
    return replace(row, hashes=(sha256, *(each for each in row.hashes if each != sha256)))


def _platform(target: Target) -> tuple[str, ...]:
    return "--python-version", target.python, "--python-platform", target.platform


def _builds(rules: IndexRules) -> dict[str, str]:
    """uv takes PyTorch's own packages from the newest of PyTorch's indexes that a driver runs and that has the version.

    Source: uv's guide "Using uv with PyTorch", automatic backend selection.
    """
    return {"UV_TORCH_BACKEND": "auto", "UV_CUDA_DRIVER_VERSION": rules.driver} if rules.driver else {}


def _age(rules: IndexRules) -> tuple[str, ...]:
    """uv leaves out files that an index gives no time for, and never those of local folders."""
    if not rules.cooldown:
        return ()
    before = datetime.now(UTC) - timedelta(seconds=rules.cooldown)
    return "--exclude-newer", before.replace(minute=0, second=0, microsecond=0).isoformat()


def _at_hand(host: HostConfig, target: Target) -> list[str]:
    """Pins of the wheels in local folders, as what uv prefers: the content of the file that it is to overwrite.

    Whoever keeps, say, a CPU build of torch at hand wants that one, not the newest with gigabytes of CUDA libraries.
    """
    fits, best = frozenset(target.tags), dict[str, Version]()
    for folder in filter(None, map(local_path, host.find_links)):
        for file in sorted(folder.glob("*.whl")):
            try:
                name, version, _, tags = parse_wheel_filename(file.name)
            except InvalidWheelFilename:
                continue
            if not tags.isdisjoint(fits) and (name not in best or version > best[name]):
                best[name] = version
    return [f"{name}=={version}" for name, version in best.items()]


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
