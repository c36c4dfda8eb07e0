"""agentsys reads a scientific paper and delivers a code repository that was run, repaired and replayed in a sandbox.

    run = agentsys.implement("paper.pdf", model="NAME", budget=5, progress=print)
    print(run.status, run.repo)

docs/api.md describes `read_paper`, `implement`, `open_run`, `reproduce` and `evaluate`. Public names are loaded when
they are first used, so that `import agentsys` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentsys.cli.api import Run, evaluate, implement, open_run, read_paper, reproduce
    from agentsys.core.errors import AgentsysError

    __version__: str

__all__ = ["AgentsysError", "Run", "__version__", "evaluate", "implement", "open_run", "read_paper", "reproduce"]


def __getattr__(name: str) -> object:
    """Load a public name (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("agentsys")
    if name not in __all__:
        raise AttributeError(f"module 'agentsys' has no attribute {name!r}")
    return getattr(import_module("agentsys.core.errors" if name == "AgentsysError" else "agentsys.cli.api"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
