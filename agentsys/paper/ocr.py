"""Scanned papers, recognised by tesseract where it is installed."""

from __future__ import annotations

import shutil

from agentsys.core.errors import PaperError
from agentsys.paper.markdown import read_markdown
from agentsys.paper.model import PageInfo, Paper
from agentsys.paper.options import ReadOptions
from agentsys.paper.pdf import process, wire

DPI = 200
PAGE_SECONDS = 120.0
"""Time for one page (about 12 s on two busy processor cores)."""
CONFIDENCE = 0.6


def read_scan(
    data: bytes, document: wire.RawDocument, pages: list[wire.RawPage], name: str, sha256: str, options: ReadOptions
) -> Paper:
    """Recognise the pages of a scan.

    Raises: PaperError with exit code 3 if tesseract is not installed, with 2 if it finds no words.
    """
    program = shutil.which("tesseract")
    if program is None:
        raise PaperError("`--ocr` needs tesseract", "install it, for example `apt install tesseract-ocr`", exit_code=3)
    texts: list[str] = []
    images = process.page_images(data, len(pages), dpi=DPI, password=options.password, timeout=options.timeout)
    for number, png in images.items():
        argv = [program, "stdin", "stdout", "--psm", "1"]
        texts.append(process.run_program(argv, png, timeout=PAGE_SECONDS).decode("utf-8", "replace"))
        if options.progress is not None:
            options.progress(number, len(pages))
    if not "".join(texts).strip():
        raise PaperError("no words were recognised on the pages", "give a PDF with text")
    paper = read_markdown("\n\n".join(texts).replace("\f", "\n"), name, sha256, plain=True)
    return paper.with_blocks(
        lambda block: block.model_copy(update={"source": "ocr", "confidence": CONFIDENCE}),
        format="pdf",
        parser="tesseract",
        pages=tuple(
            PageInfo(
                number=page.number,
                width=page.width,
                height=page.height,
                scanned=True,
                source="ocr",
                math_trusted=False,
                doubts=("it was recognised from a picture: numbers and formulas may be wrong",),
            )
            for page in pages
        ),
        warnings=(f"recognised from {len(pages)} pictures of pages: expect wrong characters, most in formulas",),
    )
