"""What a run's settings ask of a sandbox."""

from __future__ import annotations

from agentsys.core.settings import Settings
from agentsys_sandbox.spec import IndexRules, Limits, SandboxSpec

_DENIED = "it is named in `denied_packages`"


def sandbox_spec(settings: Settings, run: str) -> SandboxSpec:
    """The sandbox that these settings ask for.

    Args:
        run: id, for labels and names.
    """
    from packaging.utils import canonicalize_name

    denied = {str(canonicalize_name(name)): _DENIED for name in settings.denied_packages}
    return SandboxSpec(
        run=run,
        image=settings.image,
        limits=Limits(memory=settings.memory_mb << 20, cpus=settings.cpus),
        gpu=settings.gpu,
        allow_weak=settings.allow_weak_sandbox,
        index=IndexRules(denied=denied, cooldown=settings.package_cooldown_days * 86400, driver=settings.gpu_driver),
        runtime=settings.runtime,
    )
