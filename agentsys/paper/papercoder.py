"""The cleaned JSON that PaperCoder works on (GROBID through s2orc-doc2json), so that its users can move."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from agentsys.core.errors import PaperError
from agentsys.paper.builder import SectionBuilder
from agentsys.paper.markdown import html_rows
from agentsys.paper.model import Equation, Figure, Paper, Reference, Table
from agentsys.paper.references import make_reference

Json = dict[str, Any]


def read_papercoder(text: str, name: str, sha256: str) -> Paper:
    """Read a JSON document with `pdf_parse` or `latex_parse`.

    Raises: PaperError if it is JSON of another kind.
    """
    data = _load(text, name)
    parsed = _object(data.get("pdf_parse")) or _object(data.get("latex_parse")) or data
    builder = SectionBuilder("text")
    abstract = _abstract(data, parsed)
    if abstract:
        builder.heading("Abstract", 1, kind="abstract")
        builder.paragraph(abstract)
    lost = _body(builder, _items(parsed.get("body_text")))
    _body(builder, _items(parsed.get("back_matter")))
    _floats(builder, _object(parsed.get("ref_entries")))
    warnings = (f"{lost} equations are only marked as `EQUATION` in this file; give the PDF for them",) if lost else ()
    return builder.paper(
        name,
        sha256,
        "papercoder",
        title=str(data.get("title") or ""),
        authors=", ".join(_author(item) for item in _items(data.get("authors"))),
        abstract=abstract,
        references=_references(_object(parsed.get("bib_entries"))),
        warnings=warnings,
    )


def _load(text: str, name: str) -> Json:
    try:
        data: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PaperError(f"`{name}` is not JSON that can be read", "give the paper as PDF or LaTeX") from error
    found = _object(data)
    if not found or not any(key in found for key in ("pdf_parse", "latex_parse", "body_text")):
        raise PaperError(f"`{name}` is not the cleaned JSON of a paper", "give the paper as PDF or LaTeX")
    return found


def _object(value: object) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}


def _items(value: object) -> list[Json]:
    return [_object(item) for item in cast(list[object], value)] if isinstance(value, list) else []


def _abstract(data: Json, parsed: Json) -> str:
    value = data.get("abstract") or parsed.get("abstract") or ""
    if isinstance(value, str):
        return value
    return " ".join(str(item.get("text", "")) for item in _items(value))


def _author(item: Json) -> str:
    return " ".join(str(item.get(key) or "") for key in ("first", "last")).strip() or str(item.get("name") or "")


def _body(builder: SectionBuilder, paragraphs: list[Json]) -> int:
    """Add paragraphs under their sections; returns how many equations are lost."""
    lost = 0
    current = ("", "")
    for item in paragraphs:
        words = str(item.get("text") or "").strip()
        heading = (str(item.get("sec_num") or "").strip(" ."), str(item.get("section") or "").strip())
        if heading != current and heading[1]:
            builder.heading(heading[1], heading[0].count(".") + 1, heading[0])
            current = heading
        if re.fullmatch(r"EQUATION\W*", words):
            lost += 1
            builder.add(Equation, trusted=False, confidence=0.0)
        elif words:
            lost += len(re.findall(r"\bEQUATION\b", words))
            builder.paragraph(words)
    return lost


def _floats(builder: SectionBuilder, entries: Json) -> None:
    for entry in map(_object, entries.values()):
        caption = str(entry.get("text") or "")
        label = str(entry.get("fig_num") or entry.get("num") or "")
        if entry.get("type_str") == "table":
            rows = html_rows(str(entry.get("content") or entry.get("html") or ""))
            builder.add(Table, label=label, caption=f"Table {label}: {caption}", rows=rows)
        elif entry.get("type_str") == "figure":
            builder.add(Figure, label=label, caption=f"Figure {label}: {caption}")


def _references(entries: Json) -> tuple[Reference, ...]:
    found: list[Reference] = []
    for key, entry in entries.items():
        item = _object(entry)
        authors = ", ".join(_author(author) for author in _items(item.get("authors")))
        parts = [authors, str(item.get("title") or ""), str(item.get("venue") or ""), str(item.get("year") or "")]
        raw = str(item.get("raw_text") or "") or ". ".join(part for part in parts if part)
        found.append(make_reference(raw, key))
    return tuple(found)
