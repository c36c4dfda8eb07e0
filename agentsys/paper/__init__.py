"""Papers: read one from a file, store it, and give it to a person or a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentsys.paper.citing import cited_floats as cited_floats
    from agentsys.paper.load import read_paper as read_paper
    from agentsys.paper.model import Paper as Paper
    from agentsys.paper.options import ReadOptions as ReadOptions
    from agentsys.paper.plausible import unlike_a_paper as unlike_a_paper
    from agentsys.paper.query import excerpt as excerpt
    from agentsys.paper.query import find_section as find_section
    from agentsys.paper.query import summary_rows as summary_rows
    from agentsys.paper.query import trust_lines as trust_lines
    from agentsys.paper.render import to_markdown as to_markdown
    from agentsys.paper.store import load_paper as load_paper
    from agentsys.paper.store import write_paper as write_paper

_HOMES = {
    "citing": ("cited_floats",),
    "load": ("read_paper",),
    "model": ("Paper",),
    "options": ("ReadOptions",),
    "plausible": ("unlike_a_paper",),
    "query": ("excerpt", "find_section", "summary_rows", "trust_lines"),
    "render": ("to_markdown",),
    "store": ("load_paper", "write_paper"),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: the child process that opens a PDF needs none of them."""
    from importlib import import_module

    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
