"""In which files pyright must find no error again: it found none, and neither they nor what they import has changed.

What pyright says of a file rests on that file, on what it imports, and on what is installed. A replay takes over
nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agentsys.core.files import sha256_bytes
from agentsys.core.version import agentsys_version
from agentsys.verify.checks.base import Bench
from agentsys.verify.checks.install import LOCK
from agentsys.verify.checks.reach import unreached_types

FILE = "types.json"


class _Typed(BaseModel):
    """`rounds/NN/types.json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    environment: str
    """Hash of what was installed, where, by which version, and how pyright was configured."""
    files: dict[str, str]
    """SHA-256 of each Python file."""
    clean: tuple[str, ...]
    """Files in which there is no error."""


@dataclass(frozen=True)
class Known:
    """What an earlier round says of the files as they are now."""

    clean: frozenset[str] = frozenset()
    """Files in which there can be no error."""
    folder: Path | None = None
    """Folder of that round."""


def known_types(bench: Bench, config: bytes) -> Known:
    """Return what the latest round in which pyright ran says of the files as they are now."""
    stored = bench.earlier(FILE)
    past = _read(stored[0]) if stored else None
    now = _files(bench)
    if past is None or past.environment != _environment(bench, config) or past.files.keys() != now.keys():
        return Known()
    still = unreached_types(bench.job.files, {path for path in now if now[path] != past.files[path]})
    return Known(frozenset(still.intersection(past.clean)), stored[0].parent)


def keep_types(bench: Bench, config: bytes, clean: Collection[str]) -> None:
    """Store in which files there is no error."""
    found = _Typed(environment=_environment(bench, config), files=_files(bench), clean=tuple(sorted(clean)))
    bench.log(FILE, found.model_dump_json(indent=1) + "\n")


def _read(file: Path) -> _Typed | None:
    try:
        return _Typed.model_validate_json(file.read_bytes())
    except ValidationError:
        return None


def _files(bench: Bench) -> dict[str, str]:
    return {path: sha256_bytes(data) for path, data in bench.job.files.items() if path.endswith(".py")}


def _environment(bench: Bench, config: bytes) -> str:
    lock = bench.job.out / LOCK
    text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    builds = [bench.text(name) for name in ("pyproject.toml", "setup.cfg", "setup.py")]
    parts = (text, bench.sandbox.describe().backend, agentsys_version(), config.decode(), *builds)
    return sha256_bytes("\0".join(parts).encode())
