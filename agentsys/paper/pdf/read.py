"""Read a PDF: the child's pages, the structure, and what the file hides."""

from __future__ import annotations

from typing import Any

from agentsys.core.errors import PaperError
from agentsys.paper.model import Audit, HiddenText, Paper
from agentsys.paper.options import ReadOptions
from agentsys.paper.pdf import process, wire
from agentsys.paper.pdf.assemble import assemble

_REASONS = {
    "encrypted": (
        "the PDF is encrypted and needs a password",
        "give it as `--password`, or save a copy without it: `qpdf --decrypt --password=... in.pdf out.pdf`",
        3,
    ),
    "handler": ("the PDF is protected in a way that cannot be opened here", "save an unprotected copy of it", 3),
    "damaged": ("the file is not a PDF that can be opened", "it may be cut off or damaged; download it again", 2),
    "memory": ("reading the PDF needs more memory than is allowed", "try another copy, or the paper's LaTeX source", 2),
}


def read_pdf(data: bytes, name: str, sha256: str, options: ReadOptions) -> Paper:
    """Read a PDF file's bytes.

    Raises: PaperError if it cannot be read.
    """
    document, pages = collect(data, options)
    if options.ocr and pages and not any(page.chars > 50 for page in pages):
        from agentsys.paper.ocr import read_scan

        return read_scan(data, document, pages, name, sha256, options)
    return paper_of(document, pages, name, sha256, options)


def paper_of(
    document: wire.RawDocument, pages: list[wire.RawPage], name: str, sha256: str, options: ReadOptions
) -> Paper:
    """Make the paper of pages that were collected.

    Raises: PaperError if they hold no text.
    """
    if document.pages == 0 or not pages:
        raise PaperError("the PDF has no pages", "it may be damaged; download it again")
    paper = assemble(document, pages, name, sha256)
    if not any(section.blocks for section in paper.sections):
        raise _no_text(pages)
    return paper.model_copy(
        update={"warnings": tuple(_warnings(document, pages, options)), "audit": _audit(document, pages)}
    )


def collect(data: bytes, options: ReadOptions) -> tuple[wire.RawDocument, list[wire.RawPage]]:
    """Run the child and return its checked records."""
    job: dict[str, Any] = {"task": "read", "password": options.password, "max_pages": options.max_pages}
    document: wire.RawDocument | None = None
    pages: list[wire.RawPage] = []
    with process.as_file(data) as file:
        for record in process.run_worker(file, job, timeout=options.timeout):
            match record["kind"]:
                case "error":
                    raise _error(record, options.password)
                case "document":
                    document = wire.check(wire.RawDocument, record)
                case "page":
                    pages.append(wire.page(record, len(pages) + 1))
                case _:
                    continue
    if document is None:
        raise PaperError("the PDF reader gave no answer", "try another copy of the paper")
    return document, pages


def page_words(page: wire.RawPage) -> str:
    """Return the words of a page's text layer."""
    return "\n".join("".join((" " if span[8] else "") + span[0] for span in line[2]) for line in page.lines)


def _no_text(pages: list[wire.RawPage]) -> PaperError:
    if any(page.images for page in pages):
        return PaperError(
            "the PDF holds pictures of pages and no text",
            "recognise the text with `--ocr`, or give a PDF with text",
            exit_code=3,
        )
    return PaperError("the PDF shows no text", "give another copy of the paper, or its LaTeX source")


def _error(record: dict[str, Any], password: str) -> PaperError:
    message, hint, code = _REASONS.get(str(record.get("reason")), _REASONS["damaged"])
    if password and record.get("reason") == "encrypted":
        message = "the password does not open the PDF"
    return PaperError(message, hint, exit_code=code)


def _warnings(document: wire.RawDocument, pages: list[wire.RawPage], options: ReadOptions) -> list[str]:
    found: list[str] = []
    if document.pages > len(pages):
        found.append(f"only the first {len(pages)} of {document.pages} pages were read")
    unchecked = [page.number for page in pages if not page.ink_checked]
    if unchecked:
        found.append(f"pages not searched for hidden text: {', '.join(map(str, unchecked[:20]))}")
    hidden = sum(page.hidden_chars for page in pages)
    if hidden:
        found.append(f"{hidden} characters do not show on the page and were left out")
    pictures = [page.number for page in pages if page.chars < 50 and page.images]
    if pictures:
        found.append(f"pages that are pictures without text: {', '.join(map(str, pictures[:20]))}")
    found.extend(f"page {page.number}: {note}" for page in pages for note in page.notes)
    return found


def _audit(document: wire.RawDocument, pages: list[wire.RawPage]) -> Audit:
    hidden = [(page.number, found) for page in pages for found in page.hidden]
    annotations = [(page.number, found) for page in pages for found in page.annotations]
    replaced = document.actual_text or any(page.actual_text for page in pages)
    note = "the file gives other characters for some that are shown (ActualText); they cannot all be compared"
    return Audit(
        hidden_text=tuple(HiddenText(page=page, bbox=box, reason=why, text=text) for page, (why, box, text) in hidden),
        annotations=tuple(
            HiddenText(page=page, bbox=box, reason=why, text=text) for page, (why, box, text) in annotations
        ),
        metadata=dict(document.metadata),
        embedded_files=tuple(document.embedded),
        javascript=document.javascript,
        launch=document.launch,
        open_action=document.open_action,
        notes=(note,) if replaced else (),
        checked=all(page.ink_checked for page in pages) and document.pages == len(pages),
    )
