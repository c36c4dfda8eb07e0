"""Which place to run untrusted code in: Docker, podman's socket, bubblewrap, or none at all. Never the host itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agentsys_sandbox.base import Sandbox, SandboxError, Unavailable
from agentsys_sandbox.spec import Description, Limits, SandboxSpec

if TYPE_CHECKING:
    from agentsys_sandbox.docker.engine import Engine

Backend = Literal["auto", "docker", "podman", "bwrap"]
BACKENDS: tuple[Backend, ...] = ("docker", "podman", "bwrap")
_HINT = "start Docker or podman's socket, or install bubblewrap (Linux)"


def detect(backend: str = "auto") -> Backend:
    """Name the first backend that answers, in the order docker, podman, bwrap (bubblewrap).

    Args:
        backend: `auto`, or the only one to look at.

    Raises: Unavailable with the reason of each backend that was looked at.
    """
    reasons: list[str] = []
    for candidate in _candidates(backend):
        try:
            _see(candidate)
        except SandboxError as error:
            reasons.append(f"{candidate}: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        else:
            return candidate
    raise Unavailable(f"nowhere to run untrusted code: {'; '.join(reasons)}", _HINT)


def open_sandbox(spec: SandboxSpec, backend: str = "auto", hosts: Sequence[str] = ()) -> Sandbox:
    """A sandbox, not yet entered: use it with `async with`.

    Args:
        hosts: Docker endpoints (contexts, `unix://`, `ssh://`, `tcp://` with TLS) to take in place of the one of this
            machine, for the backends `auto` and `docker`; see `pool.Pool`.

    Raises: Unavailable where no backend answers.
    """
    if hosts and backend in ("auto", "docker"):
        from agentsys_sandbox.docker.pool import shared
        from agentsys_sandbox.docker.pooled import PooledSandbox

        return PooledSandbox(spec, shared(tuple(hosts)))
    chosen = detect(backend)
    if chosen == "bwrap":
        from agentsys_sandbox.bwrap.sandbox import BwrapSandbox

        return BwrapSandbox(spec)
    from agentsys_sandbox.docker.sandbox import DockerSandbox

    return DockerSandbox(spec, connect(chosen))


def connect(backend: str = "docker") -> Engine:
    """The engine of a backend, for building images and cleaning up. Blocks.

    Args:
        backend: `docker` or `podman`.

    Raises: Unavailable.
    """
    from agentsys_sandbox.docker.engine import Engine

    return Engine.connect(_podman_socket() if backend == "podman" else _docker_url())


async def inspect(backend: str = "auto") -> Description:
    """Open a throw-away sandbox, compare its confinement with what was asked for, and remove it.

    Raises: Unavailable.
    """
    spec = SandboxSpec(run="check", limits=Limits(memory=512 << 20, cpus=1.0, pids=64, ttl=300.0), allow_weak=True)
    async with open_sandbox(spec, backend) as sandbox:
        return sandbox.describe()


def _candidates(backend: str) -> tuple[Backend, ...]:
    if backend == "auto":
        return BACKENDS
    chosen: tuple[Backend, ...] = tuple(name for name in BACKENDS if name == backend)
    if not chosen:
        raise Unavailable(f"there is no sandbox backend `{backend}`", f"choose `auto` or one of {', '.join(BACKENDS)}")
    return chosen


def _see(backend: Backend) -> None:
    """Raises: SandboxError where the backend does not answer."""
    if backend == "bwrap":
        from agentsys_sandbox.bwrap.sandbox import probe

        probe()
        return
    connect(backend).close()


def _docker_url() -> str:
    """Where the engine listens; empty takes DOCKER_HOST or the usual socket."""
    if os.environ.get("DOCKER_HOST"):
        return ""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    places = [Path("/var/run/docker.sock"), *([Path(runtime, "docker.sock")] if runtime else [])]
    places += [Path.home() / ".docker/run/docker.sock", Path.home() / ".docker/desktop/docker.sock"]
    found = [place for place in places if place.is_socket()]
    return f"unix://{found[0]}" if found else ""


def _podman_socket() -> str:
    named = os.environ.get("CONTAINER_HOST", "")
    if named.startswith("unix://"):
        return named
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    for place in (Path(runtime, "podman/podman.sock"), Path("/run/podman/podman.sock")):
        if place.is_socket():
            return f"unix://{place}"
    raise Unavailable("podman's socket is not there", "`systemctl --user start podman.socket`")
