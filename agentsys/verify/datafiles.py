"""The data that a run is shown: which files, whether they hold what the plan says, and a folder with them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agentsys.core.artifacts import DataSource, Diagnostic, Plan
from agentsys.core.errors import BlockedError, UnsafePath, UsageError
from agentsys.core.paths import clean_name
from agentsys.plan.data import DATA, SHOWN, DataState, Held, matching
from agentsys.verify.data.contents import counts, words
from agentsys.verify.data.pins import DataLock, Pinned
from agentsys.verify.data.store import Store, hash_of, link
from agentsys_sandbox.base import VENV, Sandbox

MAX_FILES = 1_000_000
MAX_SHIPPED = 512 << 20
"""Bytes of a package's file that is counted."""
Files = Mapping[str, Path]
"""Path below a folder -> where the file lies on this machine."""


class DataFault(Exception):
    """The data is not what the plan says; the diagnostics say how."""

    def __init__(self, found: Sequence[Diagnostic]) -> None:
        super().__init__(found[0].message)
        self.found = tuple(found)


@dataclass(frozen=True)
class DataFolder:
    """The files that a run finds below `data/`, read-only."""

    files: Files
    origin: str
    """Where they come from, for a reader."""
    skipped: int = 0
    """Links and special files of a folder, which are not shown."""
    pinned: Mapping[str, str] = field(default_factory=dict[str, str])
    """SHA-256 that files must have."""
    size: int = field(init=False)
    """Bytes of all files."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", sum(path.stat().st_size for path in self.files.values()))

    @property
    def words(self) -> str:
        """What it is, for a reader."""
        left = f"; {self.skipped} links and other special files left out" if self.skipped else ""
        return f"{len(self.files)} files, {self.size / 1e6:.1f} MB from {self.origin}{left}"

    @property
    def identity(self) -> str:
        """A hash that is another one for other data: over names and pins; of files without a pin over their sizes."""
        rows = (f"{name}\0{self.pinned.get(name) or self.files[name].stat().st_size}\0" for name in sorted(self.files))
        return hashlib.sha256("".join(rows).encode()).hexdigest()

    @contextmanager
    def folder(self, store: Store | None = None) -> Generator[tuple[Path, str]]:
        """A folder with all files, readable by everybody, and a hash over names and contents; removed at the end.

        Blocks.

        Raises: UsageError where a file cannot be read; BlockedError where it is not the one that was pinned.
        """
        with (store or Store()).scratch() as place:
            try:
                link(self.files, place)
                total = hashlib.sha256()
                for name in sorted(self.files):
                    digest = hash_of(place / name)
                    if self.pinned.get(name, digest) != digest:
                        words = f"`{DATA}/{name}` in the cache is not what was pinned"
                        raise BlockedError(
                            words, "`agentsys data verify` removes it, `agentsys data fetch` brings it anew"
                        )
                    total.update(f"{name}\0{digest}\0".encode())
            except OSError as error:
                raise UsageError(f"the data cannot be read: {error}", "look at the folder of `--data-dir`") from error
            yield place, total.hexdigest()


def read_folder(root: Path) -> DataFolder:
    """List the files of a user's folder. Links are not followed, and counted.

    Raises: UsageError where it is no folder, holds nothing or more than MAX_FILES files, or a name that does not fit
        into the sandbox.
    """
    if not root.is_dir():
        raise UsageError(f"`{root}` is not a folder", "name the folder whose files shall appear as `data/`")
    found: dict[str, Path] = {}
    skipped = 0
    for path in _walk(root):
        if not stat.S_ISREG(path.lstat().st_mode):
            skipped += 1
            continue
        found[_name(path.relative_to(root).as_posix())] = path
        if len(found) > MAX_FILES:
            raise UsageError(f"`{root}` has more than {MAX_FILES} files", "name a smaller folder, or pack the files")
    if not found:
        raise UsageError(f"`{root}` holds no file", "name the folder whose files shall appear as `data/`")
    return DataFolder(found, str(root), skipped)


def from_cache(pins: Mapping[str, Pinned], store: Store) -> DataFolder:
    """Return the files of pinned sources, each below its name."""
    files = {f"{name}/{file}": store.path(sha) for name, row in pins.items() for file, sha in row.files.items()}
    hashes = {f"{name}/{file}": sha for name, row in pins.items() for file, sha in row.files.items()}
    return DataFolder(files, f"the cache ({', '.join(sorted(pins))})", pinned=hashes)


def files_of(shown: Files, source: DataSource) -> dict[str, Path]:
    """Return the files of one source, by their path below its folder."""
    below = f"{source.name}/"
    return {name.removeprefix(below): path for name, path in shown.items() if name.startswith(below)}


def held(source: DataSource, files: Files, licence: str = "", *, told: bool = True) -> Held:
    """Say what of a source is there; where it is `told`, with what is in its first files."""
    if not files:
        return Held(name=source.name, licence=licence or source.licence)
    inside = {name: words(files[name], name) if told else "" for name in sorted(files)[:SHOWN]}
    size = sum(path.stat().st_size for path in files.values())
    return Held(
        name=source.name, state="here", licence=licence or source.licence, size=size, number=len(files), files=inside
    )


def state_of(
    sources: Sequence[DataSource], shown: Files, why: Mapping[str, str], lock: DataLock, *, told: bool = True
) -> DataState:
    """Return how all planned sources stand.

    Args:
        why: name -> why it is absent.
    """
    rows: list[Held] = []
    for source in sources:
        if source.kind == "package":
            rows.append(Held(name=source.name, state="package", licence=source.licence))
            continue
        pinned = lock.of(source)
        row = held(source, files_of(shown, source), pinned.licence if pinned is not None else "", told=told)
        rows.append(row if row.state == "here" else row.model_copy(update={"why": why.get(source.name, "")}))
    return DataState(sources=tuple(rows))


def check_pins(shown: DataFolder, lock: DataLock) -> None:
    """See that a user's folder does not hold other data under the names that are pinned. Raises: BlockedError."""
    for name, pinned in lock.sources.items():
        for file, digest in pinned.files.items():
            path = shown.files.get(f"{name}/{file}")
            if path is not None and hash_of(path) != digest:
                raise BlockedError(
                    f"`{path}` is not the file that `data.lock.json` pins as `{DATA}/{name}/{file}`",
                    "name a folder with the data of this repository",
                )


def miscounted(source: DataSource, files: Files) -> list[Diagnostic]:
    """Return a diagnostic for each split that is absent, or that does not hold as much as the plan says."""
    found: list[Diagnostic] = []
    for split in source.splits:
        names = matching(files, split.files)
        patterns = ", ".join(f"`{pattern}`" for pattern in split.files)
        if not names:
            found.append(
                _fault(source, f"the split {split.name} is absent: no file is called {patterns or 'anything'}")
            )
            continue
        totals = _totals([counts(files[name], name) for name in names])
        if totals and split.count not in totals:
            said = " or ".join(map(str, totals))
            found.append(_fault(source, f"the split {split.name} holds {said} rows, and the plan says {split.count}"))
    return found


async def check_data(plan: Plan, shown: Files, sandbox: Sandbox) -> None:
    """See that each split of each source holds what the plan says, before anything is trained on it.

    Args:
        sandbox: with the packages installed; what they ship is looked at there.

    Raises: DataFault.
    """
    found: list[Diagnostic] = []
    for source in plan.data:
        if source.kind == "package":
            found += await _shipped(source, sandbox)
        else:
            found += await asyncio.to_thread(miscounted, source, files_of(shown, source))
    if found:
        raise DataFault(found)


async def _shipped(source: DataSource, sandbox: Sandbox) -> list[Diagnostic]:
    if not source.splits:
        return []
    where = (await sandbox.exec(("sh", "-c", f"echo {VENV}/lib/python3*/site-packages"))).stdout.decode().strip()
    with tempfile.TemporaryDirectory(prefix="agentsys-data-") as folder:
        files: dict[str, Path] = {}
        for number, name in enumerate(source.files):
            data = await sandbox.read_file(f"{where}/{name}", max_bytes=MAX_SHIPPED)
            if data is not None:
                files[name] = Path(folder, str(number))
                files[name].write_bytes(data)
        return await asyncio.to_thread(miscounted, source, files)


def _totals(each: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Add up files that may be read in several ways, all of them in the same one; nothing where one has no number."""
    if not all(each):
        return ()
    ways = max(len(numbers) for numbers in each)
    return tuple(dict.fromkeys(sum(numbers[min(way, len(numbers) - 1)] for numbers in each) for way in range(ways)))


def _fault(source: DataSource, message: str) -> Diagnostic:
    return Diagnostic(kind="data", check="data", message=f"data `{source.name}`: {message}", symbol=source.name)


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root, followlinks=False):
        folders.sort()
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*names, *links]):
            yield Path(folder) / name


def _name(name: str) -> str:
    try:
        clean = clean_name(name)
    except UnsafePath as error:
        raise UsageError(f"`{name[:100]}` cannot be put into the sandbox: {error.message}", "rename it") from error
    if clean != name:
        raise UsageError(f"`{name[:100]}` cannot be put into the sandbox under its name", "rename it")
    return name
