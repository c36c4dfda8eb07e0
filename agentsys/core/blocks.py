"""Blocks that agentsys writes into a repository's pages, between markers. Whatever else stands there is taken out."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from agentsys.core.files import write_atomic

STATUS = "status.json"
README = "README.md"
MARKED = (README, "PAPER_MAP.md", "AUDIT.md")
"""Pages that carry the block of the status."""
FIGURES = "paper_figures/"
"""Pictures cut from the paper beside what a run drew: for readers alone, and not to be passed on with a release."""
MAX_PAGE = 4 << 20
"""Bytes of the largest page that is looked at."""

_BLOCK = re.compile(r"<!--\s*agentsys:([\w-]+)\s*-->.*?<!--\s*/agentsys:\1\s*-->\n{0,2}", re.DOTALL)
_MARKER = re.compile(r"<!--\s*/?agentsys:[\w-]+\s*-->\n?")


def with_block(text: str, name: str, body: str) -> str:
    """Return `text` with one block at its very top: whatever opens further down cannot hide it."""
    return f"<!-- agentsys:{name} -->\n{body.strip()}\n<!-- /agentsys:{name} -->\n\n{without_blocks(text)}"


def without_blocks(text: str) -> str:
    """Return `text` without any block and any marker, also those that only the removal of others puts together."""
    while (shorter := _MARKER.sub("", _BLOCK.sub("", text))) != text:
        text = shorter
    return text


def clear_status(repo: Path) -> None:
    """Take the status of an earlier ending away: of the run that goes on nothing is known yet."""
    (repo / STATUS).unlink(missing_ok=True)
    clear_figures(repo)
    for name in MARKED:
        file = repo / name
        if file.is_symlink() or not file.is_file() or file.stat().st_size > MAX_PAGE:
            continue
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        if (own := without_blocks(text)) != text:
            write_atomic(file, own.encode("utf-8", "surrogateescape"))


def clear_figures(repo: Path) -> None:
    """Take away the folder of figures, or what lies in its place. Raises: OSError."""
    folder = repo / FIGURES.rstrip("/")
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder)
