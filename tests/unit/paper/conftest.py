"""Small PDF files, written by hand so that each test says what is in them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[4] / "shared"
FONTS = {"F1": "Times-Roman", "F2": "Times-Bold", "F3": "Helvetica", "F4": "Times-Italic"}


def pdf_bytes(pages: list[str], extra: dict[str, str] | None = None, catalog: str = "", page_extra: str = "") -> bytes:
    """Return a PDF whose pages have these content streams; `extra` adds objects by name, used as `{name}`.

    An object whose name begins with `Font` is a font of every page.
    """
    objects: list[bytes] = [b"", b""]
    fonts: list[str] = []
    for name, base in FONTS.items():
        objects.append(f"<< /Type /Font /Subtype /Type1 /BaseFont /{base} /Encoding /WinAnsiEncoding >>".encode())
        fonts.append(f"/{name} {len(objects)} 0 R")
    names: dict[str, int] = {}
    for name, body in (extra or {}).items():
        objects.append(body.encode("latin-1"))
        names[name] = len(objects)

    def fill(text: str) -> str:
        for name, number in names.items():
            text = text.replace("{" + name + "}", f"{number} 0 R")
        return text

    for number in names.values():
        objects[number - 1] = fill(objects[number - 1].decode("latin-1")).encode("latin-1")
    fonts.extend(f"/{name} {number} 0 R" for name, number in names.items() if name.startswith("Font"))

    kids: list[str] = []
    for content in pages:
        data = zlib.compress(content.encode("latin-1"))
        objects.append(b"<< /Length %d /Filter /FlateDecode >> stream\n%s\nendstream" % (len(data), data))
        stream = len(objects)
        resources = f"<< /Font << {' '.join(fonts)} >> /ExtGState << /G0 << /ca 0 >> >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {stream} 0 R /Resources {resources} "
            f"{fill(page_extra)} >>".encode()
        )
        kids.append(f"{len(objects)} 0 R")
    objects[0] = f"<< /Type /Catalog /Pages 2 0 R {fill(catalog)} >>".encode()
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    output = bytearray(b"%PDF-1.7\n")
    offsets: list[int] = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(output))
        output += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(output)
    output += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        output += b"%010d 00000 n \n" % offset
    output += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(output)


def text_at(x: float, y: float, words: str, size: float = 10, font: str = "F1") -> str:
    """Return the operators that show words; `y` counts from the bottom of the page."""
    safe = words.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT /{font} {size} Tf {x} {y} Td ({safe}) Tj ET\n"


def prose(x: float, top: float, lines: list[str], size: float = 10) -> str:
    """Return lines of running text, 12 points apart."""
    return "".join(text_at(x, top - 12 * number, line, size) for number, line in enumerate(lines))


LINES = [
    "We study a method that is simple and that works on many problems of interest",
    "to the people who have them, and we show where it fails and why this is so,",
    "with experiments on data that everyone can have without asking anybody first.",
    "The rest of this text is here to make the page look like the page of a paper,",
    "which has running text in one size and headings in another one that is larger.",
]


HEAD = text_at(100, 740, "1   Introduction", 12, "F2") + prose(100, 720, LINES)
Write = Callable[..., Path]


@pytest.fixture
def write_pdf(tmp_path: Path) -> Write:
    """Return a function that writes a PDF and returns its path."""

    def write(pages: list[str], name: str = "paper.pdf", **parts: object) -> Path:
        path = tmp_path / name
        path.write_bytes(pdf_bytes(pages, **parts))  # type: ignore[arg-type]
        return path

    return write


@pytest.fixture
def shared() -> Path:
    """Folder with collected papers and hostile files, beside the checkout."""
    if not (SHARED / "papers").is_dir() or not (SHARED / "data").is_dir():
        pytest.skip("no ../shared beside the checkout: collected papers are not part of the project")
    return SHARED
