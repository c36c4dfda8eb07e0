"""Several Docker endpoints as one place: slots for processors, memory and GPUs, health, another one when one dies.

What runs on an endpoint is read from the labels of its containers, so that several agentsys share it without knowing
of each other; what this process is about to start is added to that.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from agentsys_sandbox.docker.endpoints import Connect, Endpoint, connect, endpoint
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.docker.hardening import cpus
from agentsys_sandbox.docker.leftovers import of_sandbox
from agentsys_sandbox.docker.records import EngineInfo
from agentsys_sandbox.errors import SandboxError, Unavailable
from agentsys_sandbox.labels import CPUS, GPU, MEMORY, RUN, SANDBOX
from agentsys_sandbox.spec import Limits, SandboxSpec

REST_SECONDS = 30.0
"""An endpoint that failed is left alone for so long, unless there is no other."""
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Share:
    """Processors, bytes of memory and GPUs: of an endpoint, or of what runs there."""

    cpus: float = 0.0
    memory: int = 0
    gpus: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.cpus + other.cpus, self.memory + other.memory, self.gpus + other.gpus)

    def fits(self, whole: Share) -> bool:
        """True if it is no more than `whole` in any respect."""
        return self.cpus <= whole.cpus + _ROUNDING and self.memory <= whole.memory and self.gpus <= whole.gpus


@dataclass(frozen=True)
class Health:
    """How an endpoint is: `problem` is empty where it answers."""

    name: str
    problem: str
    hint: str = ""
    info: EngineInfo | None = None
    used: Share = Share()
    whole: Share = Share()


@dataclass(frozen=True)
class Taken:
    """A place on an endpoint, until it is given back."""

    engine: Engine
    endpoint: str
    name: str


class Pool:
    """The endpoints of one setting.

    Args:
        hosts: docker contexts or addresses, see `endpoints.endpoint`.
        connector: opens a connection.
    """

    def __init__(self, hosts: Sequence[str], connector: Connect = connect) -> None:
        self.hosts = tuple(dict.fromkeys(hosts))
        self._connect = connector
        self._lock = threading.Lock()
        self._taken: dict[str, tuple[str, Share]] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._left: dict[str, set[str]] = {}

    async def take(self, spec: SandboxSpec, name: str, patience: float = 3600.0) -> Taken:
        """Find a place for a sandbox; wait while all that answer are full.

        Args:
            name: of the sandbox.
            patience: seconds.

        Raises: Unavailable where none answers, none is large enough, or none gets free in time.
        """
        deadline = time.monotonic() + patience
        while True:
            taken, problems, may_fit = await asyncio.to_thread(self._try, spec, name)
            if taken is not None:
                return taken
            why = "; ".join(f"{host}: {problem}" for host, problem in problems.items())
            if not may_fit:
                raise Unavailable(f"no Docker endpoint can take the sandbox: {why}", "`agentsys doctor` lists them")
            if time.monotonic() > deadline:
                raise Unavailable(f"no Docker endpoint got free within {patience:g} s: {why}", "add endpoints")
            await asyncio.sleep(0.5)

    def give_back(self, taken: Taken, *, failed: str = "", left: bool = False) -> None:
        """Free a place.

        Args:
            failed: why the endpoint is to be left alone for a while; empty where it works.
            left: the sandbox could not be removed; that is done when the endpoint answers again.
        """
        with self._lock:
            self._taken.pop(taken.name, None)
            if failed:
                self._failed[taken.endpoint] = (time.monotonic(), failed)
            if left:
                self._left.setdefault(taken.endpoint, set()).add(taken.name)

    def health(self) -> list[Health]:
        """Look at each endpoint. Blocks."""
        found: list[Health] = []
        for host in self.hosts:
            try:
                engine = self._connect(endpoint(host))
            except SandboxError as error:
                found.append(Health(host, error.message, error.hint))
                continue
            try:
                found.append(Health(host, "", "", engine.info, self._used(host, engine), capacity(engine.info)))
            except SandboxError as error:
                found.append(Health(host, error.message, error.hint, engine.info))
            finally:
                engine.close()
        return found

    def _try(self, spec: SandboxSpec, name: str) -> tuple[Taken | None, dict[str, str], bool]:
        """Take the place with most room left: the place, or what speaks against each, and whether waiting helps."""
        with self._lock:
            free: list[tuple[float, str, Engine]] = []
            problems: dict[str, str] = {}
            full = False
            for host in self._in_order():
                try:
                    engine = self._connect(endpoint(host))
                    room, problem = self._room(host, engine, spec)
                except SandboxError as error:
                    self._failed[host] = (time.monotonic(), error.message)
                    problems[host] = error.message
                    continue
                if problem:
                    engine.close()
                    problems[host] = problem
                    full = full or problem == _FULL
                else:
                    self._failed.pop(host, None)
                    free.append((room, host, engine))
            free.sort(key=lambda each: -each[0])
            for _, _, engine in free[1:]:
                engine.close()
            if not free:
                return None, problems, full
            _, host, engine = free[0]
            self._taken[name] = (host, need(spec.limits, engine.info, spec.gpu))
            return Taken(engine, host, name), problems, True

    def _in_order(self) -> list[str]:
        """Endpoints that have not failed of late; all of them where there is no such one."""
        now = time.monotonic()
        rested = [host for host in self.hosts if now - self._failed.get(host, (-REST_SECONDS, ""))[0] >= REST_SECONDS]
        return rested or list(self.hosts)

    def _room(self, host: str, engine: Engine, spec: SandboxSpec) -> tuple[float, str]:
        """The share of processors that stays free, or what speaks against this endpoint. Raises: Unavailable."""
        self._remove_left(host, engine)
        whole, wanted = capacity(engine.info), need(spec.limits, engine.info, spec.gpu)
        if not wanted.fits(whole):
            return 0.0, _too_small(wanted, whole)
        after = self._used(host, engine) + wanted
        return (1 - after.cpus / whole.cpus, "") if after.fits(whole) else (0.0, _FULL)

    def _used(self, host: str, engine: Engine) -> Share:
        shares = {name: share for name, (place, share) in self._taken.items() if place == host}
        shares |= shares_of(each.labels for each in engine.containers(RUN))
        return sum(shares.values(), Share())

    def _remove_left(self, host: str, engine: Engine) -> None:
        for name in sorted(self._left.get(host, ())):
            for each in of_sandbox(engine, name):
                each.remove()
            self._left[host].discard(name)


_FULL = "full"


def need(limits: Limits, info: EngineInfo, gpu: bool) -> Share:
    """What a sandbox takes: no more processors than there are, as `hardening.host_config` asks for them."""
    return Share(cpus(limits, info), limits.memory, int(gpu))


def capacity(info: EngineInfo) -> Share:
    """What an endpoint has. All GPUs are handed out together, so there is one place for them, where there are any."""
    return Share(float(info.cpus), info.memory, int(any("nvidia" in name for name in info.runtimes)))


def shares_of(labels: Iterable[Mapping[str, str]]) -> dict[str, Share]:
    """Sandbox -> its share, from the labels of containers; a sandbox that installs has more than one."""
    found: dict[str, Share] = {}
    for each in labels:
        try:
            share = Share(float(each[CPUS]), int(each[MEMORY]), int(each[GPU]))
        except (KeyError, ValueError):
            continue  # of an earlier version
        found[each.get(SANDBOX, "")] = share
    return found


def _too_small(wanted: Share, whole: Share) -> str:
    if wanted.gpus > whole.gpus:
        return "has no GPU that its engine can hand on"
    return f"has {whole.memory >> 20} MiB of memory, {wanted.memory >> 20} are asked for"


@cache
def shared(hosts: tuple[str, ...]) -> Pool:
    """The pool of this process for a setting."""
    return Pool(hosts)


__all__ = ["Endpoint", "Health", "Pool", "Share", "Taken", "capacity", "need", "shared", "shares_of"]
