"""agentsys reads a scientific paper and delivers a code repository that was run, repaired and replayed in a sandbox.

The public names are loaded when they are first used, so that `import agentsys` stays cheap:

    settings, sources = agentsys.load_settings(flags={"model": "..."})
    result = await agentsys.implement(Path("paper.pdf"), settings, sources=sources)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentsys.core.errors import AgentsysError
    from agentsys.core.settings import Settings
    from agentsys.core.settings_layers import load_settings
    from agentsys.run.pipeline import RunResult, implement, resume

    __version__: str

__all__ = ["AgentsysError", "RunResult", "Settings", "__version__", "implement", "load_settings", "resume"]

_PLACES = {
    "AgentsysError": "agentsys.core.errors",
    "RunResult": "agentsys.run.pipeline",
    "Settings": "agentsys.core.settings",
    "implement": "agentsys.run.pipeline",
    "load_settings": "agentsys.core.settings_layers",
    "resume": "agentsys.run.pipeline",
}


def __getattr__(name: str) -> object:
    """Load a public name (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("agentsys")
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'agentsys' has no attribute {name!r}")
