"""Which place to run untrusted code in: Docker, podman's socket, bubblewrap, or none at all. Never the host itself."""

from __future__ import annotations

import os
from collections.abc import Sequence

from agentsys_sandbox import backends
from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.errors import NamedUnavailable, SandboxError, Unavailable
from agentsys_sandbox.packages.hostconfig import missing_certificates
from agentsys_sandbox.spec import Description, Limits, SandboxSpec

_HINT = "start Docker or podman's socket, or install bubblewrap (Linux)"


def detect(backend: str = "auto") -> str:
    """Name the first backend that answers: one that the environment names, then in the order of `backends.BACKENDS`.

    Blocks. An engine that is named and does not answer is an error, and nothing else is taken.

    Args:
        backend: `auto`, or the only one to look at.

    Raises: Unavailable with the reason of each backend that was looked at.
    """
    reasons: list[str] = []
    for candidate in sorted(backends.candidates(backend), key=lambda name: not backends.load(name).named()):
        try:
            backends.load(candidate).available()
        except NamedUnavailable as error:
            raise NamedUnavailable(f"{candidate}: {error.message}", error.hint) from error
        except SandboxError as error:
            reasons.append(f"{candidate}: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        else:
            return candidate
    raise Unavailable(f"nowhere to run untrusted code: {'; '.join(reasons)}", _HINT)


def open_sandbox(spec: SandboxSpec, backend: str = "auto", hosts: Sequence[str] = ()) -> Sandbox:
    """A sandbox, not yet entered: use it with `async with`. Blocks.

    Args:
        hosts: Docker endpoints (contexts, `unix://`, `ssh://`, `tcp://` with TLS) to take in place of the one of this
            machine, for the backends `auto` and `docker`; see `pool.Pool`.

    Raises: Unavailable where no backend answers, or packages could not be fetched for want of certificates.
    """
    if fault := missing_certificates(os.environ):
        raise Unavailable(*fault)
    if hosts and backend in ("auto", "docker"):
        from agentsys_sandbox.docker.pool import shared
        from agentsys_sandbox.docker.pooled import PooledSandbox

        return PooledSandbox(spec, shared(tuple(hosts)))
    return backends.load(detect(backend)).create(spec)


async def inspect(backend: str = "auto") -> Description:
    """Open a throw-away sandbox, compare its confinement with what was asked for, and remove it.

    Raises: Unavailable.
    """
    spec = SandboxSpec(run="check", limits=Limits(memory=512 << 20, cpus=1.0, pids=64, ttl=300.0), allow_weak=True)
    async with open_sandbox(spec, backend) as sandbox:
        return sandbox.describe()
