"""LaTeX source: one file, or the archive that arXiv hands out."""

from __future__ import annotations

from agentsys.paper.latex.document import read_tex

__all__ = ["read_tex"]
