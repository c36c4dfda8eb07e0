"""Scanned papers, recognised by tesseract where it is installed."""

from __future__ import annotations

import base64
import shutil

from agentsys.core.errors import PaperError
from agentsys.paper.markdown import read_markdown
from agentsys.paper.model import PageInfo, Paper, Section
from agentsys.paper.options import ReadOptions
from agentsys.paper.pdf import process, wire
from agentsys.paper.pdf.process import as_file

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
    for number, png in _images(data, len(pages), options).items():
        argv = [program, "stdin", "stdout", "--psm", "1"]
        texts.append(process.run_program(argv, png, timeout=PAGE_SECONDS).decode("utf-8", "replace"))
        if options.progress is not None:
            options.progress(number, len(pages))
    if not "".join(texts).strip():
        raise PaperError("no words were recognised on the pages", "give a PDF with text")
    paper = read_markdown("\n\n".join(texts).replace("\f", "\n"), name, sha256, plain=True)
    return paper.model_copy(
        update={
            "format": "pdf",
            "parser": "tesseract",
            "sections": tuple(_marked(section) for section in paper.sections),
            "pages": tuple(
                PageInfo(number=page.number, width=page.width, height=page.height, scanned=True, source="ocr")
                for page in pages
            ),
            "warnings": (f"recognised from {len(pages)} pictures of pages: expect wrong characters, most in formulas",),
        }
    )


def _marked(section: Section) -> Section:
    blocks = tuple(block.model_copy(update={"source": "ocr", "confidence": CONFIDENCE}) for block in section.blocks)
    return section.model_copy(update={"blocks": blocks})


def _images(data: bytes, count: int, options: ReadOptions) -> dict[int, bytes]:
    crops = [[str(number), number, 0, 0, 14_400, 14_400] for number in range(1, count + 1)]
    job = {"task": "crop", "crops": crops, "dpi": DPI, "trim": False, "password": options.password}
    images: dict[int, bytes] = {}
    with as_file(data) as file:
        for record in process.run_worker(file, job, timeout=options.timeout):
            if record["kind"] == "image":
                image = wire.image(record)
                images[int(image.name)] = base64.b64decode(image.png)
    return images
