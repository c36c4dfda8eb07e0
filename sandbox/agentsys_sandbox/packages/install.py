"""The installation of requirements from the package index, in a container of its own."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from agentsys_sandbox.base import REPO, VENV, WORK, OnOutput, Unavailable
from agentsys_sandbox.docker.execution import Job
from agentsys_sandbox.environment import UV, UV_CACHE
from agentsys_sandbox.packages.gateway import forwarder_command
from agentsys_sandbox.spec import ExecResult, InstallResult, Outcome, Package
from agentsys_sandbox.text import clean
from agentsys_sandbox.transfer import HelperEnd

PYTHON = f"{VENV}/bin/python"
REQUIREMENTS = "/tmp/requirements.txt"
CONSTRAINTS = "/tmp/constraints.txt"
LIST = (UV, "pip", "list", "--python", PYTHON, "--format", "json")
COMPILE = (
    *("timeout", "-s", "KILL", "3", "python3", "-I", "-m", "compileall", "-q", "-j", "2"),
    *("-x", "/tests?/|/testing/", f"{VENV}/lib"),
)
"""Bytecode, which the run phase cannot write: each program would compile what it imports again.

At most three seconds of it, since what is not compiled is only slower. Nothing of what was installed runs for it.
"""
STORE = ("/bin/sh", "-c", 'cat > "$1"', "sh")
"""Followed by a path: stores the input there."""
_CONNECT = (
    "import socket, sys; kind, _, rest = sys.argv[1].partition(':'); host, _, port = rest.partition(':')\n"
    "if kind == 'tcp': socket.create_connection((host, int(port)), 5)\n"
    "else: socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
)
CONNECT = ("python3", "-I", "-S", "-c", _CONNECT)
"""Followed by the gateway's address: fails unless somebody serves it."""
_CLEAR = (
    f"find {VENV} -mindepth 1 -maxdepth 1 ! -path {UV_CACHE} "
    "-exec chmod -R u+rwX {} + -exec rm -rf {} + || exit 1; "
    'exec "$@"'
)
_MOST_PACKAGES = 5000
_NO_SOCKET = (
    "Docker Desktop, remote engines and SELinux do not let a unix socket through; use an engine on this machine"
)


@dataclass(frozen=True)
class Wish:
    """What to install; the arguments of `base.Sandbox.install`. `limit` in seconds."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    project: bool
    limit: float
    on_output: OnOutput | None


class Phase(Protocol):
    """A place that is up, from which the gateway can be reached."""

    async def run(self, job: Job) -> ExecResult: ...

    async def helper(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        max_output: int = 1 << 20,
        flood: int | None = None,
        on_output: OnOutput | None = None,
    ) -> HelperEnd: ...


class IndexGateway(Protocol):
    """The package index that a phase reaches: on a unix socket, or as a neighbour container."""

    @property
    def address(self) -> str: ...
    @property
    def log(self) -> list[dict[str, object]]: ...
    @property
    def faults(self) -> list[str]: ...
    async def settle(self) -> None: ...


class GatewayUnreachable(Unavailable):
    """The gateway runs, but its address leads nowhere from inside the sandbox."""


class Installation:
    """One installation in a place of its own."""

    def __init__(self, box: Phase, gateway: IndexGateway, environment: Mapping[str, str]) -> None:
        self._box = box
        self._gateway = gateway
        self._environment = environment

    async def run(self, wish: Wish) -> InstallResult:
        """Make `VENV` afresh and install. Raises: SandboxGone, Unavailable."""
        deadline = time.monotonic() + wish.limit
        await self._see_gateway()
        await self._box.helper((*STORE, REQUIREMENTS), stdin=_lines(wish.requirements))
        await self._box.helper((*STORE, CONSTRAINTS), stdin=_lines(wish.constraints))
        result = await self._step(make_venv("python3"), wish, deadline)
        if result.ok and (wish.requirements or wish.project):
            result = _joined(result, await self._step(pip_install(wish), wish, deadline))
        await self._gateway.settle()
        if not result.ok:
            return InstallResult(self._blamed(result), requests=tuple(self._gateway.log))
        listing = await self._box.helper(LIST, max_output=4 << 20)
        if wish.requirements:
            await self._box.helper(COMPILE)
        if listing.exit_code != 0 or listing.cut:
            # What was installed runs while it is listed, and may prevent it: no list is not an empty list.
            said = clean(listing.stderr).strip().rpartition("\n")[2][:200]
            message = f"what is installed now cannot be listed: {said}"
            return InstallResult(replace(result, outcome=Outcome.NONZERO, exit_code=listing.exit_code, message=message))
        return InstallResult(result, packages(listing.stdout, self._hashes()), tuple(self._gateway.log))

    async def _see_gateway(self) -> None:
        """Connect to the socket once, so that a mount that does not work is not taken for a wrong requirement."""
        end = await self._box.helper([*CONNECT, self._gateway.address])
        if end.exit_code != 0:
            said = clean(end.stderr).strip().rpartition("\n")[2][:200]
            what = "the package index gateway cannot be reached from the sandbox"
            raise GatewayUnreachable(f"{what}: {said}", _NO_SOCKET)

    async def _step(self, argv: list[str], wish: Wish, deadline: float) -> ExecResult:
        wrapped = forwarder_command(self._gateway.address, argv)
        limit = max(1.0, deadline - time.monotonic())
        return await self._box.run(Job(wrapped, WORK, self._environment, b"", limit, on_output=wish.on_output))

    def _blamed(self, result: ExecResult) -> ExecResult:
        """A failure while the index could not be reached is not the requirements' fault."""
        faults = self._gateway.faults
        if not faults or result.outcome is not Outcome.NONZERO:
            return result
        message = f"the package index could not be read: {'; '.join(faults[:3])}"
        return replace(result, outcome=Outcome.INFRA_ERROR, message=message)

    def _hashes(self) -> dict[tuple[str, str], str]:
        """(canonical name, version) -> SHA-256 of the file that was handed out."""
        found: dict[tuple[str, str], str] = {}
        for entry in self._gateway.log:
            if entry["method"] == "GET" and entry["sha256"]:
                found[canonical(str(entry["package"])), str(entry["version"])] = str(entry["sha256"])
        return found


def make_venv(python: str) -> list[str]:
    """Make `VENV` afresh on the image's own Python; no other site-packages are seen from it.

    Not by uv's `--clear`: the folder is a mount point, and the cache in it is kept.
    """
    make = [UV, "venv", "--allow-existing", "--no-project", "--python", python, VENV]
    return ["/bin/sh", "-c", _CLEAR, "sh", *make]


def pip_install(wish: Wish) -> list[str]:
    """Install what was stored at `REQUIREMENTS`, and the project itself."""
    argv = [UV, "pip", "install", "--python", PYTHON]
    argv += ["-r", REQUIREMENTS] if wish.requirements else []
    argv += ["-c", CONSTRAINTS] if wish.constraints else []
    return argv + (["-e", REPO] if wish.project else [])


def packages(listing: bytes, hashes: Mapping[tuple[str, str], str]) -> tuple[Package, ...]:
    """Read `uv pip list --format json`.

    Args:
        listing: output, not to be trusted: the environment was filled by what was installed.
        hashes: (canonical name, version) -> SHA-256 of the file that the gateway handed out.
    """
    try:
        rows: Any = json.loads(listing)
    except ValueError:
        return ()
    if not isinstance(rows, list):
        return ()
    found: list[Package] = []
    for row in cast(Sequence[Any], rows)[:_MOST_PACKAGES]:
        name, version = _text(row, "name"), _text(row, "version")
        if name and version:
            found.append(Package(name, version, hashes.get((canonical(name), version), "")))
    return tuple(found)


def canonical(name: str) -> str:
    """The normal form of a distribution name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _text(row: Any, key: str) -> str:
    value: Any = cast(Mapping[str, Any], row).get(key) if isinstance(row, dict) else None
    return value if isinstance(value, str) and len(value) <= 200 and value.isprintable() else ""


def _lines(requirements: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in requirements).encode()


def _joined(first: ExecResult, second: ExecResult) -> ExecResult:
    """Two steps as one result: the output of both, the outcome of the second."""
    return replace(
        second,
        stdout=first.stdout + second.stdout,
        stderr=first.stderr + second.stderr,
        seconds=first.seconds + second.seconds,
        cut=first.cut + second.cut,
    )
