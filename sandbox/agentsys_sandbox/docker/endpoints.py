"""Docker endpoints by name: a docker context, `unix://`, `ssh://`, or `tcp://` with TLS."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from agentsys_sandbox.docker import contexts
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.docker.records import Certificates
from agentsys_sandbox.errors import NamedUnavailable, Unavailable

_REMOTE_SOCKET = "/var/run/docker.sock"
_TUNNEL_SECONDS = 20.0
_SSH = ("ssh", "-T", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "-o", "ConnectTimeout=10")
_ALIVE = ("-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3")


@dataclass(frozen=True)
class Endpoint:
    """Where an engine listens."""

    name: str
    url: str
    certificates: Certificates | None = None


def endpoint(name: str) -> Endpoint:
    """Resolve what a user wrote: an address, or the name of a docker context.

    Raises: Unavailable for an unknown context, an unknown kind of address, and TCP without TLS beyond this machine.
    """
    if "://" not in name:
        url, certificates = contexts.address(name, os.environ)
        return _checked(Endpoint(name, url, certificates))
    folder = os.environ.get("DOCKER_CERT_PATH") or str(Path.home() / ".docker")
    wants = name.startswith("tcp://") and (Path(folder, "ca.pem").is_file() or not _loopback(urlsplit(name)))
    return _checked(Endpoint(name, name, Certificates.of(Path(folder)) if wants else None))


def chosen() -> str:
    """The Docker engine that the user has named: DOCKER_HOST, DOCKER_CONTEXT or the context in use; else nothing.

    Raises: Unavailable if docker's configuration cannot be read.
    """
    host = os.environ.get("DOCKER_HOST", "").strip()
    if host:
        return host.replace("http://", "tcp://", 1) if "://" in host else f"tcp://{host}"
    return contexts.current(os.environ)


def docker() -> Engine:
    """The Docker engine that the user has named, or the one of this machine. Blocks.

    Raises: NamedUnavailable where one is named and cannot be used, Unavailable.
    """
    with _named("DOCKER_HOST, DOCKER_CONTEXT or the context (`docker context use default`)"):
        if named := chosen():
            return connect(endpoint(named))
    return Engine.connect(docker_url())


@contextmanager
def _named(variables: str) -> Generator[None]:
    """What is named is used or nothing is: no other place is taken for it."""
    try:
        yield
    except Unavailable as error:
        remedy = error.hint.removesuffix(", or install bubblewrap") or "start it"
        raise NamedUnavailable(error.message, f"{remedy}; or unset {variables} to have another place taken") from error


def docker_url() -> str:
    """Where the engine of this machine listens; empty takes the usual socket."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    places = [Path("/var/run/docker.sock"), *([Path(runtime, "docker.sock")] if runtime else [])]
    places += [Path.home() / ".docker/run/docker.sock", Path.home() / ".docker/desktop/docker.sock"]
    found = [place for place in places if place.is_socket()]
    return f"unix://{found[0]}" if found else ""


def podman() -> Engine:
    """Podman's socket on this machine, or the one of CONTAINER_HOST. Blocks. Raises: NamedUnavailable, Unavailable."""
    named = os.environ.get("CONTAINER_HOST", "").strip()
    if named:
        with _named("CONTAINER_HOST"):
            return connect(_checked(Endpoint(named, named)))
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    for place in (Path(runtime, "podman/podman.sock"), Path("/run/podman/podman.sock")):
        if place.is_socket():
            return Engine.connect(f"unix://{place}")
    raise Unavailable("podman's socket is not there", "`systemctl --user start podman.socket`")


def connect(to: Endpoint) -> Engine:
    """Connect and see that it answers. Blocks.

    Raises: Unavailable.
    """
    if not to.url.startswith("ssh://"):
        return Engine.connect(to.url, to.certificates, local=to.url.startswith("unix://"))
    tunnel = _Tunnel(urlsplit(to.url))
    try:
        return Engine.connect(tunnel.open(), local=False, at_close=tunnel.close)
    except BaseException:
        tunnel.close()
        raise


def _checked(found: Endpoint) -> Endpoint:
    parts = urlsplit(found.url)
    if parts.scheme not in ("unix", "ssh", "tcp"):
        raise Unavailable(
            f"`{found.name}` is no Docker endpoint that can be used: `{parts.scheme or found.url}`",
            "write a docker context, `unix:///path`, `ssh://user@host` or `tcp://host:2376`",
        )
    if parts.scheme == "tcp" and found.certificates is None and not _loopback(parts):
        raise Unavailable(
            f"`{found.name}` would be spoken to without TLS: anybody on the way could take over that machine",
            "set up TLS for the engine and name the folder with the certificates in DOCKER_CERT_PATH, or use `ssh://`",
        )
    if parts.scheme == "ssh" and (parts.hostname or "-").startswith("-"):
        raise Unavailable(f"`{found.name}` names no host", "write `ssh://user@host`")
    return found


def _loopback(parts: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


class _Tunnel:
    """A remote engine's socket as a socket of this machine, through the user's own `ssh` with its keys and settings.

    The remote command reads until this process closes its end: however this process ends, the connection ends with it.
    """

    def __init__(self, parts: SplitResult) -> None:
        self._parts = parts
        self._folder = tempfile.mkdtemp(prefix="agentsys-ssh-", dir="/tmp")  # socket paths must be short
        self._process: subprocess.Popen[bytes] | None = None

    def open(self) -> str:
        """Return the address of the local end. Raises: Unavailable."""
        if shutil.which("ssh") is None:
            raise Unavailable("`ssh` is not installed", "install the OpenSSH client")
        parts, near = self._parts, Path(self._folder, "docker.sock")
        far = parts.path if parts.path not in ("", "/") else _REMOTE_SOCKET
        target = f"{parts.username}@{parts.hostname}" if parts.username else str(parts.hostname)
        port = ["-p", str(parts.port)] if parts.port else []
        with Path(self._folder, "said").open("wb") as said:
            self._process = subprocess.Popen(
                [*_SSH, *_ALIVE, *port, "-L", f"{near}:{far}", "--", target, "cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
        self._wait(self._process, near)
        return f"unix://{near}"

    def _wait(self, process: subprocess.Popen[bytes], near: Path) -> None:
        deadline = time.monotonic() + _TUNNEL_SECONDS
        while not near.is_socket():
            if process.poll() is not None or time.monotonic() > deadline:
                said = " ".join(Path(self._folder, "said").read_text(errors="replace").split())[-300:]
                raise Unavailable(
                    f"no connection to `{self._parts.hostname}` by ssh: {said or 'no answer'}",
                    f"`ssh {self._parts.hostname} docker version` has to work without a password",
                )
            time.sleep(0.05)

    def close(self) -> None:
        """End the connection; once is enough."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            if process.stdin is not None:
                process.stdin.close()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


Connect = Callable[[Endpoint], Engine]
