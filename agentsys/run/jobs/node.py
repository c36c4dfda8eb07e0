"""The machine on which a task runs: what it has to run code in, and what earlier parts have left for it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentsys.core.errors import SandboxUnavailable
from agentsys.core.files import sha256_bytes
from agentsys.core.settings import Settings
from agentsys.run.jobs.engine import Engine
from agentsys.run.jobs.job import Job, Place
from agentsys.run.jobs.part import KEPT, Part, files_below, parts_in

MOST_OUTPUT = 64 << 20
"""Bytes of what a program prints that are kept."""
ON_NODES = ("bwrap", "podman")
"""What runs code where there is no service, no network and no root, in this order."""
WITH_GPUS = ("podman",)
"""Those of them that hand on GPUs."""


@dataclass(frozen=True)
class Node:
    """What a process works on."""

    place: Place
    job: Job
    part: Part
    engine: Engine
    where: str
    """The machine and job, in words."""


def backend_here(settings: Settings, offline: bool) -> Settings:
    """Return the settings with the backend that this machine has, where one was not chosen.

    Raises: SandboxUnavailable, naming the machine.
    """
    from agentsys_sandbox import backends
    from agentsys_sandbox.errors import SandboxError

    if not offline or settings.backend != "auto":
        return settings
    reasons: list[str] = []
    for name in WITH_GPUS if settings.gpu else ON_NODES:
        try:
            backends.load(name).available()
        except SandboxError as error:
            reasons.append(f"{name}: {error.message}")
        else:
            return settings.model_copy(update={"backend": name})
    words = f"`{socket.gethostname()}` has nothing to run code in: {'; '.join(reasons)}"
    raise SandboxUnavailable(words, "have bubblewrap or rootless podman installed there, or choose other machines")


def to_file(file: Path) -> Callable[[Literal["stdout", "stderr"], bytes], None]:
    """Return what appends a program's output to a file, up to MOST_OUTPUT bytes."""

    def on_output(_: Literal["stdout", "stderr"], piece: bytes) -> None:
        with file.open("ab") as out:
            if out.tell() < MOST_OUTPUT:
                out.write(piece)

    return on_output


def kept_before(node: Node) -> Part | None:
    """Return the latest other part with what a run had written when it was stopped."""
    others = [one for one in parts_in(node.place.parts) if one.folder != node.part.folder]
    return next((one for one in reversed(others) if (one.folder / KEPT).is_dir()), None)


def kept_hash(part: Part) -> str:
    """Return the hash of what was kept; empty where nothing was."""
    files = files_below(part.folder / KEPT)
    return sha256_bytes("\0".join(f"{name}\0{sha256_bytes(data)}" for name, data in files.items())) if files else ""
