"""The locked set of distributions: requirements.lock, and the wheel of each that was chosen for a platform."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from agentsys_sandbox.spec import Package

MAX_ROWS = 5000
MAX_TEXT = 32 << 20
"""Characters: a row for a compiled distribution may carry a hundred hashes."""
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_ANY_HASH = re.compile(r"\s--hash=\S+")
_COMMENT = re.compile(r"(^|\s)#.*$")


class LockError(ValueError):
    """The text is no lock; the message says which line and why."""


class NotLocked(LockError):
    """No file with a locked hash is there."""


@dataclass(frozen=True)
class Row:
    """One locked distribution.

    Attributes:
        name: normalised.
        hashes: SHA-256 of the files that may be taken; where this lock was resolved here, the chosen wheel's is first.
        extras: those that were asked for.
        marker: condition of the row, empty for none.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    extras: tuple[str, ...] = ()
    marker: str = ""

    @property
    def pin(self) -> str:
        """The row without its hashes."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}=={self.version}" + (f" ; {self.marker}" if self.marker else "")


@dataclass(frozen=True)
class Wheel:
    """The file of a locked distribution for one platform. `size` in bytes, None where the index does not tell."""

    name: str
    version: str
    filename: str
    url: str = field(repr=False)
    sha256: str
    size: int | None = None


@dataclass(frozen=True)
class Lock:
    """A locked set.

    Attributes:
        rows: sorted by name.
        wheels: the chosen files, where the lock was resolved for a target; empty for one that was read.
    """

    rows: tuple[Row, ...]
    wheels: tuple[Wheel, ...] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        """The content of requirements.lock: pip and uv install it with `--require-hashes`."""
        blocks = (" \\\n    ".join([row.pin, *(f"--hash=sha256:{each}" for each in row.hashes)]) for row in self.rows)
        return "".join(f"{block}\n" for block in blocks)

    @property
    def pins(self) -> tuple[str, ...]:
        """The rows without hashes, as constraints."""
        return tuple(row.pin for row in self.rows)

    @property
    def packages(self) -> tuple[Package, ...]:
        """Name, version and SHA-256 of what is installed; the hash is empty where several files may be taken."""
        chosen = {wheel.name: wheel.sha256 for wheel in self.wheels}
        only = {row.name: row.hashes[0] for row in self.rows if len(row.hashes) == 1}
        return tuple(Package(r.name, r.version, chosen.get(r.name) or only.get(r.name, "")) for r in self.rows)


def parse_lock(text: str) -> Lock:
    """Read requirements.lock.

    Args:
        text: `name==version --hash=sha256:...` rows, as pip-compile and uv write them; comments are passed over.

    Raises: LockError, for anything that is not an exact pin with at least one SHA-256.
    """
    if len(text) > MAX_TEXT:
        raise LockError(f"the lock is longer than {MAX_TEXT} characters")
    rows: dict[tuple[str, str], Row] = {}
    for number, line in _logical_lines(text):
        row = _row(line, number)
        if (row.name, row.marker) in rows:
            raise LockError(f"line {number}: `{row.name}` is locked twice")
        rows[row.name, row.marker] = row
        if len(rows) > MAX_ROWS:
            raise LockError(f"the lock has more than {MAX_ROWS} rows")
    return Lock(tuple(sorted(rows.values(), key=lambda row: (row.name, row.marker))))


def _logical_lines(text: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    start, parts = 0, list[str]()
    for number, raw in enumerate(text.splitlines(), 1):
        start = start or number
        bare = _COMMENT.sub("", raw).rstrip()
        parts.append(bare.removesuffix("\\").strip())
        if not bare.endswith("\\"):
            if joined := " ".join(part for part in parts if part):
                found.append((start, joined))
            start, parts = 0, []
    if parts:
        raise LockError(f"line {start}: the last row goes on after the end")
    return found


def _row(line: str, number: int) -> Row:
    shown = line[:80]
    hashes = _HASH.findall(line)
    bare = _ANY_HASH.sub("", line).strip()
    if len(hashes) != len(_ANY_HASH.findall(line)):
        raise LockError(f"line {number}: `{shown}` has a hash that is no SHA-256")
    if not hashes:
        raise LockError(f"line {number}: `{shown}` has no hash")
    try:
        asked = Requirement(bare)
        (specifier,) = asked.specifier
        version = str(Version(specifier.version))
    except (InvalidRequirement, InvalidVersion, ValueError) as error:
        raise LockError(f"line {number}: `{shown}` is not one pin `name==version`") from error
    if specifier.operator != "==" or asked.url:
        raise LockError(f"line {number}: `{shown}` is not one pin `name==version`")
    marker = str(asked.marker) if asked.marker else ""
    return Row(canonicalize_name(asked.name), version, tuple(hashes), tuple(sorted(asked.extras)), marker)


def read_wheels(pylock: bytes, tags: Sequence[Tag], lock: Lock) -> tuple[Wheel, ...]:
    """Read the pylock.toml (PEP 751) that uv wrote for one target: one wheel for each distribution.

    Args:
        tags: what the target takes, best first. uv lists every wheel that fits, sorted by name.
        lock: only files with its hashes are chosen.

    Raises: LockError, NotLocked.
    """
    try:
        table = tomllib.loads(pylock.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LockError(f"uv wrote a pylock.toml that cannot be read: {error}") from error
    order = {tag: place for place, tag in enumerate(tags)}
    hashes = {(row.name, row.version): row.hashes for row in lock.rows}
    return tuple(_best(package, order, hashes) for package in cast("list[dict[str, Any]]", table.get("packages", ())))


def _best(
    package: Mapping[str, Any], order: Mapping[Tag, int], hashes: Mapping[tuple[str, str], Sequence[str]]
) -> Wheel:
    name, version = canonicalize_name(str(package.get("name", ""))), str(package.get("version", ""))
    found: list[tuple[int, Wheel]] = []
    for each in cast("list[dict[str, Any]]", package.get("wheels", ())):
        url, sha256 = str(each.get("url") or each.get("path", "")), str(each.get("hashes", {}).get("sha256", ""))
        filename = str(each.get("name") or PurePosixPath(unquote(urlsplit(url).path)).name)
        try:
            tags = parse_wheel_filename(filename)[3]
        except InvalidWheelFilename:
            continue
        place = min((order[tag] for tag in tags if tag in order), default=None)
        if place is not None and sha256 in hashes.get((name, version), ()):
            size = each.get("size")
            found.append((place, Wheel(name, version, filename, url, sha256, size if isinstance(size, int) else None)))
    if not found:
        raise NotLocked(f"no wheel of `{name}=={version}` has a locked SHA-256 and fits the sandbox")
    return min(found, key=lambda item: item[0])[1]


def write_pylock(wheels: Sequence[Wheel]) -> str:
    """A pylock.toml with exactly these files, which uv installs without asking an index.

    Not the one that uv wrote: that names a minimal Python, and uv compares it with the interpreter that it was given
    and not with `--python-version`.
    """
    lines = ['lock-version = "1.0"', 'created-by = "agentsys"']
    for wheel in wheels:
        hashes = f"{{ sha256 = {_quoted(wheel.sha256)} }}"
        lines += ["", "[[packages]]", f"name = {_quoted(wheel.name)}", f"version = {_quoted(wheel.version)}"]
        lines += [f"wheels = [{{ url = {_quoted(wheel.url)}, name = {_quoted(wheel.filename)}, hashes = {hashes} }}]"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = "".join(f"\\u{ord(each):04x}" if each in '"\\' or not each.isprintable() else each for each in text)
    return f'"{escaped}"'
