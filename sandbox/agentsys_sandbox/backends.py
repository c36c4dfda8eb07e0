"""The table of backends: a name and a class derived from `base.Backend`, loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING

from agentsys_sandbox.errors import Unavailable

if TYPE_CHECKING:
    from agentsys_sandbox.base import Backend

BACKENDS = {
    "docker": "agentsys_sandbox.docker.sandbox:DockerSandbox",
    "podman": "agentsys_sandbox.docker.sandbox:PodmanSandbox",
    "bwrap": "agentsys_sandbox.bwrap.sandbox:BwrapSandbox",
}
"""Those that `auto` tries, in this order."""
GROUP = "agentsys.sandboxes"
"""Entry points of other distributions; theirs are only taken where they are named."""


def names() -> tuple[str, ...]:
    """All backends: the built-in ones, then those of other distributions, sorted."""
    found = {each.name for each in metadata.entry_points(group=GROUP)}
    return (*BACKENDS, *sorted(found - BACKENDS.keys()))


def candidates(backend: str) -> tuple[str, ...]:
    """The backends to try for a setting: `auto`, or one name.

    Raises: Unavailable for a name that is not in the table; the hint lists those that are.
    """
    if backend == "auto":
        return tuple(BACKENDS)
    if backend in BACKENDS or backend in names():
        return (backend,)
    raise Unavailable(f"there is no sandbox backend `{backend}`", f"choose `auto` or one of {', '.join(names())}")


def load(name: str) -> type[Backend]:
    """The class of a backend. Raises: Unavailable where there is none, or it cannot be imported."""
    if name in BACKENDS:
        module, _, attribute = BACKENDS[name].partition(":")
        return getattr(import_module(module), attribute)
    found = metadata.entry_points(group=GROUP, name=name)
    if not found:
        candidates(name)
    entry = next(iter(found))
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise Unavailable(f"the sandbox backend `{name}` cannot be loaded: {error}", f"see `{entry.value}`") from error
