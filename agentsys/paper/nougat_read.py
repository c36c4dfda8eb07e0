"""Read a PDF with nougat beside its text layer."""

from __future__ import annotations

import base64
from collections import Counter
from pathlib import Path

from agentsys.core.errors import PaperError
from agentsys.paper.markdown import read_markdown
from agentsys.paper.model import Paper
from agentsys.paper.nougat import DPI, PageReading, find_model, judge, read_pages
from agentsys.paper.nougat_merge import merge
from agentsys.paper.options import ReadOptions
from agentsys.paper.pdf import process, wire
from agentsys.paper.pdf.process import as_file
from agentsys.paper.pdf.read import collect, page_words, paper_of


def read_with_nougat(data: bytes, name: str, sha256: str, options: ReadOptions) -> Paper:
    """Read a PDF; pages that the model read well give their equations, the others stay as the text layer has them.

    Raises: PaperError if the file or the model cannot be used.
    """
    model = find_model(options.nougat_model)
    document, pages = collect(data, options)
    scanned = not any(page.chars > 50 for page in pages)
    readings = read_pages(_images(data, len(pages), options), model, _cache(options), options.progress)
    accepted: dict[int, PageReading] = {}
    refused: Counter[str] = Counter()
    notes: list[str] = []
    for page in pages:
        reading = readings.get(page.number)
        if reading is None:
            continue
        verdict = judge(reading, page_words(page))
        if verdict.accepted:
            accepted[page.number] = reading
        else:
            refused[verdict.reason] += 1
            notes.append(f"page {page.number}: not taken from nougat: {verdict.reason}")
    if scanned:
        return _from_model_alone(accepted, name, sha256, notes)
    paper = merge(paper_of(document, pages, name, sha256, options), accepted)
    parser = f"{paper.parser} + nougat ({len(accepted)} of {len(pages)} pages)"
    return paper.model_copy(update={"parser": parser, "warnings": (*paper.warnings, *notes[:50])})


def _from_model_alone(accepted: dict[int, PageReading], name: str, sha256: str, notes: list[str]) -> Paper:
    text = "\n\n".join(reading.markdown for _, reading in sorted(accepted.items()))
    if not text.strip():
        raise PaperError("the PDF holds pictures of pages and nougat read none of them", "try `--ocr`", exit_code=3)
    text = text.replace("\\[", "\n\n$$\n").replace("\\]", "\n$$\n\n")
    paper = read_markdown(text, name, sha256)
    sections = tuple(
        section.model_copy(
            update={"blocks": tuple(block.model_copy(update={"source": "nougat"}) for block in section.blocks)}
        )
        for section in paper.sections
    )
    return paper.model_copy(
        update={"format": "pdf", "parser": "nougat", "sections": sections, "warnings": tuple(notes[:50])}
    )


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


def _cache(options: ReadOptions) -> Path | None:
    if options.cache is not None:
        return options.cache
    import platformdirs

    return Path(platformdirs.user_cache_dir("agentsys")) / "nougat"
