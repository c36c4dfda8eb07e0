"""What the caller may choose when a paper is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Reader = Literal["auto", "text", "nougat"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Choices and limits of the reader."""

    reader: Reader = "auto"
    """`auto` and `text` use the text layer of a PDF; `nougat` adds the model for equations and distrusted pages."""
    nougat_model: Path | None = None
    """Folder of a checkpoint on this machine. Weights are never downloaded."""
    ocr: bool = False
    """Recognise scanned pages with tesseract."""
    password: str = ""
    """User password of an encrypted PDF."""
    max_pages: int = 100
    """Pages read at most; what is left out is named in the warnings."""
    max_bytes: int = 50_000_000
    """Largest file that is opened, in bytes."""
    timeout: float = 120.0
    """Wall-clock limit of one child process, in seconds."""
    cache: Path | None = None
    """Folder in which the pages that nougat read are kept; None for the user's cache folder."""
    progress: Callable[[int, int], None] | None = None
    """Called with (pages done, pages in all) by readers that are slow."""
    latex_source: Path | None = None
    """LaTeX source of the same paper, from which equations are taken."""
