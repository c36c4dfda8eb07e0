"""Read a paper from a file, whatever its format."""

from __future__ import annotations

import re
import time
from pathlib import Path

from agentsys.core.errors import PaperError
from agentsys.core.files import sha256_bytes
from agentsys.paper.citing import with_citing
from agentsys.paper.hyper import candidates
from agentsys.paper.latex.document import read_sources
from agentsys.paper.latex.sources import FolderSources, MemorySources, decode, gunzip, is_tar, read_tar
from agentsys.paper.merge import with_source
from agentsys.paper.model import Paper
from agentsys.paper.options import ReadOptions


def read_paper(path: Path, options: ReadOptions | None = None) -> Paper:
    """Read a paper: PDF, LaTeX (a file, or an archive), HTML, Markdown, text, or PaperCoder's JSON.

    Raises: PaperError (exit code 2: missing, empty, a folder, not a paper; 3: encrypted, or not supported here).
    """
    options = options or ReadOptions()
    started = time.monotonic()
    data = _bytes(path, options)
    paper = _read(data, path, options)
    if not paper.sections and not paper.pages:
        raise PaperError(f"`{path.name}` holds no text of a paper", "give the paper as PDF, LaTeX, HTML or Markdown")
    if options.latex_source is not None and paper.format != "latex":
        paper = with_source(paper, read_paper(options.latex_source))
    paper = with_citing(paper)
    return paper.model_copy(
        update={"hyperparameters": candidates(paper), "seconds": round(time.monotonic() - started, 3)}
    )


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
        return _pdf(data, path.name, digest, options)
    suffix = path.suffix.lower()
    if data[:2] == b"\x1f\x8b":
        return _unpacked(data, path, digest, options)
    if is_tar(data):
        return read_sources(read_tar(data), path.name, digest)
    if suffix == ".pdf":
        raise PaperError(
            f"`{path.name}` is not a PDF", "its first bytes are not those of a PDF; download the paper again"
        )
    text = _text(data, path.name)
    if suffix in (".tex", ".ltx") or "\\documentclass" in text[:20_000]:
        return read_sources(FolderSources(path), path.name, digest, path.name)
    if suffix == ".json":
        from agentsys.paper.papercoder import read_papercoder

        return read_papercoder(text, path.name, digest)
    if suffix in (".html", ".htm", ".xhtml") or re.match(r"\s*<(?:!doctype html|html|\?xml)", text[:500], re.I):
        from agentsys.paper.html import read_html

        return read_html(text, path.name, digest)
    from agentsys.paper.markdown import read_markdown

    return read_markdown(text, path.name, digest, plain=suffix in (".txt", ""))


def _pdf(data: bytes, name: str, digest: str, options: ReadOptions) -> Paper:
    if options.reader == "nougat":
        from agentsys.paper.nougat import read_with_nougat

        return read_with_nougat(data, name, digest, options)
    from agentsys.paper.pdf.read import read_pdf

    return read_pdf(data, name, digest, options)


def _unpacked(data: bytes, path: Path, digest: str, options: ReadOptions) -> Paper:
    """Read what arXiv hands out: gzip of a tar archive, of one TeX file, or of a PDF."""
    inner = gunzip(data)
    if is_tar(inner):
        return read_sources(read_tar(inner), path.name, digest)
    if b"%PDF-" in inner[:1024]:
        return _pdf(inner, path.name, digest, options)
    if inner.strip() and b"\x00" not in inner[:4096]:
        return read_sources(MemorySources({"main.tex": inner}), path.name, digest, "main.tex")
    raise PaperError(f"`{path.name}` holds no paper", "give PDF, LaTeX, HTML, Markdown or text")


def _text(data: bytes, name: str) -> str:
    if b"\x00" in data[:4096]:
        raise PaperError(
            f"`{name}` is not a paper in a format that is known", "give PDF, LaTeX, HTML, Markdown or text"
        )
    return decode(data)
