"""LaTeX source: one file, or the archive that arXiv hands out."""

from __future__ import annotations

from agentsys.paper.latex.document import read_tex
from agentsys.paper.latex.flatten import Flattener, main_file
from agentsys.paper.latex.sources import Sources
from agentsys.paper.model import Paper

__all__ = ["read_sources", "read_tex"]


def read_sources(sources: Sources, name: str, sha256: str, main: str = "") -> Paper:
    """Read a paper from its LaTeX files; `main` names the file to begin with, else it is found."""
    flattener = Flattener(sources)
    text = flattener.flatten(main or main_file(sources))
    return read_tex(text, name, sha256, tuple(flattener.warnings))
