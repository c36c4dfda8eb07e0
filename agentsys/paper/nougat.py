"""Read a PDF with nougat beside its text layer. The model is the user's; weights are never downloaded.

The code of nougat is MIT, its published weights are CC-BY-NC 4.0: who uses them must be allowed to.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentsys.core.errors import PaperError
from agentsys.core.files import sha256_bytes, write_atomic
from agentsys.paper.markdown import read_markdown
from agentsys.paper.merge import with_pages
from agentsys.paper.model import Paper
from agentsys.paper.options import ReadOptions
from agentsys.paper.pdf import process
from agentsys.paper.pdf.read import collect, page_words, paper_of

DPI = 96
"""Resolution that the model was trained on."""
PAGE_SECONDS = 900.0
"""Time for one page (about 50 s of the small model on two processor cores), and for loading the model before it."""
RECALL = 0.8
"""Least share of the page's words, as the text layer has them, that an accepted page holds."""
REPETITION = 0.12
"""Compressed size over size below which a page is a repetition (prose is 0.35 to 0.5)."""
WEIGHTS = (
    "give the folder of one of nougat's own releases as `--nougat-model DIR` or `AGENTSYS_NOUGAT_MODEL`; its weights "
    "are licensed CC-BY-NC 4.0 and are never downloaded"
)
INSTALL = (
    "`pip install 'agentsys[nougat]'`, or name the interpreter of another environment with "
    "`nougat-ocr==0.1.17 transformers==4.38.2 albumentations==1.4.24` in `AGENTSYS_NOUGAT_PYTHON`"
)


class PageReading(BaseModel):
    """What the model read on one page."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    page: int
    markdown: str = Field(max_length=200_000)
    cut: bool = False


def read_with_nougat(data: bytes, name: str, sha256: str, options: ReadOptions) -> Paper:
    """Read a PDF; pages that the model read well give their equations, the others stay as the text layer has them.

    Raises: PaperError if the file or the model cannot be used.
    """
    model = find_model(options.nougat_model)
    document, pages = collect(data, options)
    images = process.page_images(data, len(pages), dpi=DPI, password=options.password, timeout=options.timeout)
    cache = options.cache or Path(platformdirs.user_cache_dir("agentsys")) / "nougat"
    readings = read_pages(images, model, cache, options.progress)
    accepted: dict[int, str] = {}
    notes: list[str] = []
    for page in pages:
        if page.number not in readings:
            continue
        if refused := why_refused(readings[page.number], page_words(page)):
            notes.append(f"page {page.number}: not taken from nougat: {refused}")
        else:
            accepted[page.number] = readings[page.number].markdown
    if not any(page.chars > 50 for page in pages):
        return _from_model_alone(accepted, name, sha256, notes)
    paper = with_pages(paper_of(document, pages, name, sha256, options), accepted)
    parser = f"{paper.parser} + nougat ({len(accepted)} of {len(pages)} pages)"
    return paper.model_copy(update={"parser": parser, "warnings": (*paper.warnings, *notes[:50])})


def _from_model_alone(accepted: dict[int, str], name: str, sha256: str, notes: list[str]) -> Paper:
    text = "\n\n".join(markdown for _, markdown in sorted(accepted.items()))
    if not text.strip():
        raise PaperError("the PDF holds pictures of pages and nougat read none of them", "try `--ocr`", exit_code=3)
    paper = read_markdown(text.replace("\\[", "\n\n$$\n").replace("\\]", "\n$$\n\n"), name, sha256)
    return paper.with_blocks(
        lambda block: block.model_copy(update={"source": "nougat"}),
        format="pdf",
        parser="nougat",
        warnings=tuple(notes[:50]),
    )


def why_refused(reading: PageReading, words: str) -> str:
    """Say what speaks against a page, by itself and beside the words of its text layer (empty for a scan)."""
    text = reading.markdown
    if reading.cut:
        return "cut off at the longest answer"
    if not text.strip() or "[MISSING_PAGE" in text:
        return "empty"
    if len(text) > 200 and len(zlib.compress(text.encode())) / len(text.encode()) < REPETITION:
        return "repeats itself"
    wanted, found = (set(re.findall(r"[a-z]{4,}", part.lower())) for part in (words, text))
    if len(wanted) >= 10 and (recall := len(wanted & found) / len(wanted)) < RECALL:
        return f"holds {100 * recall:.0f} % of the words of the page"
    return ""


def find_model(given: Path | None) -> Path:
    """Return the folder of the checkpoint.

    Raises: PaperError with exit code 3 if none is named or the folder holds none.
    """
    named = given or (Path(os.environ["AGENTSYS_NOUGAT_MODEL"]) if os.environ.get("AGENTSYS_NOUGAT_MODEL") else None)
    if named is None:
        raise PaperError("`--reader nougat` needs a model", WEIGHTS, exit_code=3)
    if not (named / "config.json").is_file():
        raise PaperError(f"`{named}` holds no nougat model", WEIGHTS, exit_code=3)
    try:
        kind = json.loads((named / "config.json").read_text()).get("model_type")
    except (ValueError, AttributeError) as error:
        raise PaperError(f"`{named}/config.json` cannot be read", WEIGHTS, exit_code=3) from error
    if kind != "nougat":
        raise PaperError(f"`{named}` holds a model of kind `{kind}`, not nougat", WEIGHTS, exit_code=3)
    return named.resolve()


def read_pages(
    images: dict[int, bytes], model: Path, cache: Path | None, progress: Callable[[int, int], None] | None = None
) -> dict[int, PageReading]:
    """Read page images (PNG by page number) with the model; pages in `cache` are not read again.

    Raises: PaperError with exit code 3 if nougat is missing, does not load, dies or hangs.
    """
    weights = sorted(path.stat().st_size for path in model.iterdir() if path.is_file())
    identity = sha256_bytes((model / "config.json").read_bytes() + repr(weights).encode())
    done: dict[int, PageReading] = {}
    names: dict[int, Path] = {}
    for page, png in images.items():
        if cache is not None:
            names[page] = cache / f"{sha256_bytes(png + identity.encode())[:32]}.json"
            with suppress(OSError, ValidationError):
                done[page] = PageReading.model_validate_json(names[page].read_bytes()).model_copy(update={"page": page})
    if left := {page: png for page, png in sorted(images.items()) if page not in done}:
        try:
            for reading in _ask(left, model):
                done[reading.page] = reading
                if reading.page in names:
                    write_atomic(names[reading.page], reading.model_dump_json())
                if progress is not None:
                    progress(len(done), len(images))
        except PaperError as error:
            hint = error.hint if error.exit_code == 3 else "try `--reader text`, or a smaller model"
            raise PaperError(error.message, hint, exit_code=3) from error
    return done


def _ask(images: dict[int, bytes], model: Path) -> Iterator[PageReading]:
    """Yield what the child process answers for each page, in order."""
    wanted = list(images)
    named = os.environ.get("AGENTSYS_NOUGAT_PYTHON") or sys.executable
    python = shutil.which(named)
    if python is None:
        raise PaperError(f"`AGENTSYS_NOUGAT_PYTHON` names no program: `{named}`", INSTALL, exit_code=3)
    jobs = (json.dumps({"page": page, "png": base64.b64encode(images[page]).decode("ascii")}) for page in wanted)
    with process.as_file("\n".join(jobs).encode()) as file:
        for record in process.run_worker(
            file,
            {},
            timeout=PAGE_SECONDS * (len(wanted) + 1),
            silence=PAGE_SECONDS,
            command=[str(Path(python).absolute()), "-I", str(Path(__file__).with_name("nougat_worker.py")), str(model)],
            environment={key: os.environ[key] for key in ("HOME", "CUDA_VISIBLE_DEVICES") if key in os.environ},
            name="nougat",
        ):
            if record["kind"] == "error":
                raise _not_loaded(record)
            try:
                reading = PageReading.model_validate(record)
            except ValidationError as error:
                raise PaperError("nougat gave an answer that is not understood") from error
            if not wanted or reading.page != wanted.pop(0):
                raise PaperError("nougat answered another page than it was asked")
            yield reading
    if wanted:
        raise PaperError("nougat left out pages")


def _not_loaded(record: process.Record) -> PaperError:
    name = "".join(char for char in str(record.get("name"))[:300] if char.isprintable())
    if record.get("reason") == "missing":
        return PaperError(f"nougat needs `{name}`", INSTALL, exit_code=3)
    remedy = f"check that the folder holds the whole checkpoint; nougat's own versions come with {INSTALL}"
    return PaperError(f"nougat does not load: {name}", remedy, exit_code=3)
