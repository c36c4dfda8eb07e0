"""In the child: pictures of parts of pages."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image, ImageChops

from agentsys.paper.pdf.engine import MAX_SIDE, load_page
from agentsys.paper.pdf.extract import Emit, open_document

MAX_PIXELS = 25_000_000
_PAPER: list[float] = [0.0] * 12 + [255.0] * 244
"""Grey levels that count as white paper become 0."""


def run(data: bytes, job: dict[str, Any], emit: Emit) -> None:
    """Emit one `image` for each crop `[name, page, x0, y0, x1, y1]` of the job, as PNG in base64."""
    document = open_document(data, str(job.get("password", "")), emit)
    if document is None:
        return
    scale = float(job.get("dpi", 150)) / 72
    by_page: dict[int, list[list[Any]]] = {}
    for crop in job["crops"]:
        by_page.setdefault(int(crop[1]), []).append(crop)
    for number, crops in sorted(by_page.items()):
        page, text = load_page(document, number - 1)
        text.close()
        width, height = page.get_size()
        if max(width, height) > MAX_SIDE or width * height * scale * scale > MAX_PIXELS:
            continue
        picture = page.render(scale=scale, may_draw_forms=False, draw_annots=False).to_pil().convert("RGB")
        for name, _, *box in crops:
            part = _cut(picture, [float(value) * scale for value in box], trim=bool(job.get("trim", True)))
            if part is not None:
                emit({"kind": "image", "name": name, "png": _png(part), "width": part.width, "height": part.height})
        page.close()


def _cut(picture: Image.Image, box: list[float], *, trim: bool) -> Image.Image | None:
    x0, y0 = max(int(box[0]), 0), max(int(box[1]), 0)
    x1, y1 = min(int(box[2]) + 1, picture.width), min(int(box[3]) + 1, picture.height)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    part = picture.crop((x0, y0, x1, y1))
    if not trim:
        return part
    ink = ImageChops.difference(part, Image.new("RGB", part.size, "white")).convert("L")
    inner = ink.point(_PAPER).getbbox()  # pyright: ignore[reportUnknownMemberType]
    if inner is None:
        return None
    margin = 6
    return part.crop(
        (
            max(inner[0] - margin, 0),
            max(inner[1] - margin, 0),
            min(inner[2] + margin, part.width),
            min(inner[3] + margin, part.height),
        )
    )


def _png(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
