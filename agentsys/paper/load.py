"""Read a paper from a file, whatever its format."""

from __future__ import annotations

import time
from pathlib import Path

from agentsys.errors import PaperError
from agentsys.files import sha256_bytes
from agentsys.paper.model import Paper
from agentsys.paper.options import ReadOptions


def read_paper(path: Path, options: ReadOptions | None = None) -> Paper:
    """Read a paper: PDF, LaTeX, Markdown or text.

    Raises: PaperError (exit code 2: missing, empty, a folder, not a paper; 3: encrypted, or not supported here).
    """
    options = options or ReadOptions()
    started = time.monotonic()
    data = _bytes(path, options)
    paper = _read(data, path, options)
    if not paper.sections and not paper.pages:
        raise PaperError(f"`{path.name}` holds no text of a paper", "give the paper as PDF, LaTeX, HTML or Markdown")
    return paper.model_copy(update={"seconds": round(time.monotonic() - started, 3)})


def _bytes(path: Path, options: ReadOptions) -> bytes:
    try:
        if path.is_dir():
            raise PaperError(f"`{path}` is a folder", "give the paper's file")
        size = path.stat().st_size
        if size > options.max_bytes:
            raise PaperError(
                f"`{path.name}` is larger than {options.max_bytes // 1_000_000} MB", "give the paper without its extras"
            )
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise PaperError(f"there is no file `{path}`", "check the path") from error
    except OSError as error:
        raise PaperError(f"`{path}` cannot be read: {error.strerror or error}", "check its permissions") from error
    if not data.strip():
        raise PaperError(f"`{path.name}` is empty", "download the paper again")
    return data


def _read(data: bytes, path: Path, options: ReadOptions) -> Paper:
    digest = sha256_bytes(data)
    if b"%PDF-" in data[:1024]:
        from agentsys.paper.pdf.read import read_pdf

        return read_pdf(data, path.name, digest, options)
    suffix = path.suffix.lower()
    if suffix == ".pdf":
        raise PaperError(
            f"`{path.name}` is not a PDF", "its first bytes are not those of a PDF; download the paper again"
        )
    text = _text(data, path.name)
    if suffix in (".tex", ".ltx") or "\\documentclass" in text[:20_000]:
        from agentsys.paper.latex import read_tex

        return read_tex(text, path.name, digest)
    from agentsys.paper.markdown import read_markdown

    return read_markdown(text, path.name, digest, plain=suffix in (".txt", ""))


def _text(data: bytes, name: str) -> str:
    if b"\x00" in data[:4096]:
        raise PaperError(
            f"`{name}` is not a paper in a format that is known", "give PDF, LaTeX, HTML, Markdown or text"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
