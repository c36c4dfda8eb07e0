"""What goes to an engine and comes back from it, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentsys_sandbox.errors import Unavailable


class NameTaken(Unavailable):
    """A container of this name is there already, and it is somebody else's."""


@dataclass(frozen=True)
class Certificates:
    """Files that identify both ends of a TLS connection, as Docker names them."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def of(cls, folder: Path) -> Certificates:
        """Those in a folder. Raises: Unavailable where one is missing."""
        found = cls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
        missing = [each.name for each in (found.authority, found.certificate, found.key) if not each.is_file()]
        if missing:
            raise Unavailable(
                f"`{folder}` lacks {', '.join(f'`{name}`' for name in missing)}",
                "name the folder with the certificates of the engine in DOCKER_CERT_PATH",
            )
        return found


@dataclass(frozen=True)
class EngineInfo:
    """What the engine says of itself."""

    name: str
    version: str
    cpus: int
    memory: int
    cgroup_version: str
    security_options: tuple[str, ...]
    runtimes: tuple[str, ...]
    architecture: str
    local: bool
    """True where the engine listens on a unix socket of this machine, so that it may see this machine's files."""
    system: str = ""
    """Operating system, as the engine names it."""


@dataclass(frozen=True)
class ContainerPlan:
    """One container: everything the engine is asked for."""

    name: str
    image: str
    command: tuple[str, ...]
    user: str
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    host: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Keyword arguments of the SDK's host configuration."""
    volumes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Folder inside -> named volume."""
    read_only: frozenset[str] = frozenset()
    """Folders inside whose volume cannot be written from there."""
    binds: Mapping[str, str] = field(default_factory=dict[str, str])
    """Host folder -> folder inside, read-only."""
    ulimits: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class ContainerState:
    """Whether the first process of a container lives."""

    running: bool
    oom_killed: bool
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Named:
    """A container or volume in a listing."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class ImageRow:
    """An image in a listing; `size` in bytes."""

    id: str
    references: tuple[str, ...]
    size: int


def read_info(facts: Mapping[str, Any], version: Mapping[str, Any], *, local: bool) -> EngineInfo:
    """Read an engine's own account of itself."""
    parts: list[Any] = version.get("Components") or []
    podman = any("podman" in str(each.get("Name", "")).lower() for each in parts)
    return EngineInfo(
        name="podman" if podman else "docker",
        version=str(version.get("Version", "")),
        cpus=int(facts.get("NCPU") or 1),
        memory=int(facts.get("MemTotal") or 0),
        cgroup_version=str(facts.get("CgroupVersion") or "1"),
        security_options=tuple(facts.get("SecurityOptions") or ()),
        runtimes=tuple(facts.get("Runtimes") or ()),
        architecture=str(facts.get("Architecture") or ""),
        local=local,
        system=str(facts.get("OperatingSystem") or ""),
    )


def named_rows(rows: Any, key: str) -> list[Named]:
    """Read a listing; None is an empty one."""
    return [Named(str(row[key]), row.get("Labels") or {}) for row in rows or ()]
