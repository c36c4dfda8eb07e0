"""The package index gateway as a neighbour container, for engines that a unix socket of this machine does not reach.

The sidecar has two legs: one on a network that only it and the install container share and that leads nowhere else, one
to the outside. The install container has the first alone. The gateway is the same program with the same rules.
"""

from __future__ import annotations

import io
import math
import os
import ssl
import tarfile
from collections.abc import Mapping
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from agentsys_sandbox.base import WORK, SandboxGone, Unavailable
from agentsys_sandbox.blocking import Threads
from agentsys_sandbox.docker.box import Box
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.docker.hardening import KEEPER, USER, host_config, ulimits
from agentsys_sandbox.docker.records import ContainerPlan, EngineInfo
from agentsys_sandbox.environment import base_environment
from agentsys_sandbox.labels import CACHE_LABEL
from agentsys_sandbox.packages import indexconfig
from agentsys_sandbox.packages.gateway import GatewayOptions
from agentsys_sandbox.packages.requestlog import RequestLog
from agentsys_sandbox.packages.sidecar_channel import Channel, LocalSources
from agentsys_sandbox.packages.sidecar_inside import SESSIONS
from agentsys_sandbox.spec import Limits
from agentsys_sandbox.text import clean

CACHE = "agentsys-downloads"
"""Volume with downloads: hash-checked, only ever mounted into sidecars, kept between runs."""
_LIBRARIES = ("requests", "urllib3", "certifi", "idna", "tenacity", "packaging")
_PLACE = "/tmp/gateway"
_PROGRAM = (
    *("python3", "-I", "-S", "-W", "ignore", "-c"),
    f"import sys; sys.path.insert(0, {_PLACE!r}); from agentsys_sandbox.packages.sidecar_inside import main; main()",
)
_LIMITS = Limits(memory=1 << 30, cpus=1.0, pids=256, disk=64 << 30, tmp=64 << 20, shm=1 << 20)
_START_SECONDS = 60.0
_SYNC_SECONDS = 30.0
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def needed(info: EngineInfo) -> bool:
    """True where a unix socket of this machine surely does not get through: remote engines, and Docker Desktop's VM."""
    return not info.local or "docker desktop" in info.system.lower()


class Sidecar:
    """Serves the host's package sources to one container while it is entered.

    Args:
        name: of the sandbox; container, network and volume are named after it.
        labels: whose they are.
        seccomp: a profile as JSON text, or None.
    """

    def __init__(
        self,
        engine: Engine,
        threads: Threads,
        name: str,
        labels: Mapping[str, str],
        image: str,
        seccomp: str | None,
        ttl: float,
        options: GatewayOptions,
    ) -> None:
        self._engine = engine
        self._threads = threads
        self._labels = labels
        self._options = options
        self._config = options.config or indexconfig.read()
        self._requests = RequestLog()
        self._channel: Channel | None = None
        self._session = f"{name}-index"
        self.network = f"{name}-index"
        """Network that the install container has to be on, and on no other."""
        self.address = ""
        """Where the gateway is, as the forwarder takes it."""
        self._box = Box(engine, threads, self._plan(f"{name}-index", image, seccomp, ttl), _LIMITS.disk)

    def _plan(self, name: str, image: str, seccomp: str | None, ttl: float) -> ContainerPlan:
        return ContainerPlan(
            name=name,
            image=image,
            command=("sleep", str(math.ceil(ttl))),
            user=KEEPER,
            labels=self._labels,
            environment=base_environment(1.0),
            host=host_config(_LIMITS, self._engine.info, seccomp=seccomp, network=self.network)
            | {"sysctls": {"net.ipv4.ip_forward": "0"}},
            volumes={WORK: CACHE, SESSIONS: self._session},
            ulimits={**ulimits(_LIMITS), "nofile": 1024},
        )

    async def __aenter__(self) -> Self:
        """Start it. Raises: Unavailable, SandboxGone."""
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _open(self) -> None:
        call, engine = self._threads.call, self._engine
        await call(engine.create_network, self.network, self._labels)
        await call(engine.create_volume, CACHE, {CACHE_LABEL: "downloads"})
        await call(engine.create_volume, self._session, self._labels)
        await self._box.start()
        await call(engine.connect_network, self.network, "podman" if engine.info.name == "podman" else "bridge")
        inner = await call(engine.address, self.network, self.network)
        end = await self._box.helper(("tar", "-x", "-f", "-", "-C", "/tmp"), stdin=program())
        if not inner or end.exit_code != 0:
            raise Unavailable(f"the package index sidecar cannot be set up: {clean(end.stderr)[-300:]}")
        local = LocalSources(self._config)
        _, stream = await call(
            engine.start_exec, self.network, list(_PROGRAM), user=USER, environment=base_environment(1.0), stdin=True
        )
        self._channel = Channel(stream, local, self._requests)
        wanted = {**self._wanted(local), "address": inner}
        self.address = f"tcp:{inner}:{await call(self._channel.start, wanted, _START_SECONDS)}"

    def _wanted(self, local: LocalSources) -> dict[str, object]:
        """The configuration of the program inside. It may hold credentials, so it goes by no command line or label."""
        config, options = self._config, self._options
        before = options.uploaded_before
        proxies = {name: os.environ.get(name) or os.environ.get(name.upper(), "") for name in _PROXIES}
        return {
            "indexes": config.indexes,
            "find_links": local.find_links,
            "cert": _text(config.cert or os.environ.get("REQUESTS_CA_BUNDLE", "")),
            "authorities": _text(ssl.get_default_verify_paths().cafile or ""),
            "proxy": config.proxy,
            "trusted_hosts": config.trusted_hosts,
            "environment": {name: value for name, value in proxies.items() if value},
            "uploaded_before": before.isoformat() if before else "",
            "quota": options.quota,
            "denied": dict(options.denied),
        }

    async def _close(self) -> None:
        """Remove every trace but the cache, also where one step fails."""
        call, engine = self._threads.call, self._engine
        channel, self._channel = self._channel, None
        try:
            if channel is not None:
                await call(channel.close)
        finally:
            try:
                await self._box.remove()
            finally:
                try:
                    await call(engine.remove_network, self.network)
                finally:
                    await call(engine.remove_volume, self._session)

    async def ways_out(self, box: Box) -> str:
        """What the install container can reach besides the gateway; empty where that is nothing.

        Raises: SandboxGone where the look itself fails.
        """
        addresses = await self._threads.call(self._engine.gateways_of, self.network)
        source = resources.files("agentsys_sandbox.packages").joinpath("neighbour_check.py").read_text(encoding="utf-8")
        argv = ("python3", "-I", "-S", "-", *dict.fromkeys(addresses))
        end = await box.helper(argv, stdin=source.encode())
        if end.exit_code != 0:
            raise SandboxGone(f"the network of the install phase could not be looked at: {clean(end.stderr)[-300:]}")
        return ", ".join(clean(end.stdout).split("\n")).strip(", ")

    async def settle(self) -> None:
        """Wait until `log` and `faults` have everything that was answered."""
        if self._channel is not None:
            await self._threads.call(self._channel.sync, _SYNC_SECONDS)

    @property
    def log(self) -> list[dict[str, object]]:
        """One entry for each request: method, path, package, version, sha256, bytes, status, decision."""
        return self._requests.entries()

    @property
    def faults(self) -> list[str]:
        """What failed on the way to the indexes, in plain words."""
        return self._requests.faults()


def program() -> bytes:
    """An archive of the gateway and the libraries it needs, as they are installed here: Python sources and data."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for library in ("agentsys_sandbox", *_LIBRARIES):
            found = find_spec(library)
            root = Path((found.submodule_search_locations or [""])[0]) if found else Path()
            if not root.name:
                raise Unavailable(f"the package `{library}` is not installed completely", "reinstall agentsys")
            for file in sorted(root.rglob("*")):
                if file.suffix in (".py", ".pem") and file.is_file():
                    archive.add(file, f"gateway/{library}/{file.relative_to(root)}", filter=_plain)
    return buffer.getvalue()


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 1000
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def _text(path: str) -> str:
    """Text of a bundle of certificates; empty where there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace") if path else ""
    except OSError as error:
        raise Unavailable(f"cannot read the certificates `{path}`: {error.strerror}") from error
