"""LaTeX source: one file, or the archive that arXiv hands out."""
