"""Where a view leads and what it shows: addresses of the local server, or anchors and pictures within the one file."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urlencode

from markupsafe import Markup

from agentsys.core.text import clean_text, cut
from agentsys.report.claim_page import plot_file
from agentsys.report.claim_plot import Plots
from agentsys.report.view.files import NotThere, read_inside, read_png
from agentsys.report.view.plots import MAX_INLINE, inline
from agentsys.report.view.source import Source

MAX_EMBEDDED = 400 << 10
"""Bytes of a picture in the one file."""
MAX_WORDS = 8000
"""Characters of an answer or of a part of a prompt in the one file."""


class Links(Protocol):
    """Addresses of the views and pictures of one run; an empty one means that it is not shown here."""

    def to(self, kind: str, name: str = "", **more: object) -> str: ...

    def spots(self, kind: str, name: str) -> list[tuple[str, int]]:
        """Return address and page of each picture of a place in the paper."""
        ...

    def image(self, path: str) -> str:
        """Return the address of a PNG below the run."""
        ...

    def plot(self, claim: str) -> Markup:
        """Return the plot of a claim as an element of the page, or the words why there is none."""
        ...

    def drawing(self, path: str, words: str) -> Markup:
        """Return a drawing of ours below the run as an element of the page; nothing where there is none."""
        ...

    def words(self, text: str, name: str = "") -> str:
        """Return as much of a long text as is shown here; one with a name may be shown once only."""
        ...


@dataclass(frozen=True)
class ServerLinks:
    """`/runs/ID/KIND/NAME`."""

    source: Source

    def to(self, kind: str, name: str = "", **more: object) -> str:
        if kind == "file" and not (self.source.path / name).is_file():  # a log that was named and never written
            return ""
        path = f"/runs/{quote(self.source.id, safe='')}/{kind}" + (f"/{quote(name, safe='/')}" if name else "")
        line = more.pop("line", None)
        query = {key: value for key, value in more.items() if value not in (None, "")}
        return path + (f"?{urlencode(query)}" if query else "") + (f"#L{line}" if line else "")

    def spots(self, kind: str, name: str) -> list[tuple[str, int]]:
        return [(self.to("spot", f"{kind}/{name}/{spot.name}"), spot.page) for spot in self.source.spots(kind, name)]

    def image(self, path: str) -> str:
        return self.to("image", path)

    def plot(self, claim: str) -> Markup:
        file = f"claims/{plot_file(claim)}"
        try:
            drawing = read_inside(self.source.path, file, MAX_INLINE + 1).decode("utf-8", "replace")
        except NotThere:
            return Markup('<p class="quiet">There is no plot of it in this run.</p>')
        shown = inline(drawing, claim, f"Plot of claim {claim}") or Markup(
            "<p>It is too large for this page, or no drawing of this program.</p>"
        )
        alone = Markup('<figcaption><a href="{}">The plot alone</a></figcaption>').format(self.to("plot", file))
        return Markup("<figure>{}{}</figure>").format(shown, alone)

    def drawing(self, path: str, words: str) -> Markup:
        return _drawing(self.source, path, words)

    def words(self, text: str, name: str = "") -> str:
        return text


@dataclass(frozen=True)
class FileLinks:
    """`#KIND-NAME` for the views that the file holds, and pictures as data."""

    source: Source
    held: Collection[tuple[str, str]]
    pictures: Mapping[str, bytes]
    """Of places in the paper, by the name of their spot."""
    plots: Plots = field(default_factory=Plots)
    shown: dict[str, str] = field(default_factory=dict[str, str])
    """What is in the file already, by its name: where."""

    def to(self, kind: str, name: str = "", **more: object) -> str:
        return f"#{anchor(kind, name)}" if (kind, name) in self.held else ""

    def spots(self, kind: str, name: str) -> list[tuple[str, int]]:
        found = self.source.spots(kind, name) if self.pictures else ()
        here = self.to(kind, name)
        return [
            (self.shown[spot.name] if self.shown.setdefault(spot.name, here) != here else data, spot.page)
            for spot in found
            if (data := _data(self.pictures.get(spot.name, b"")))
        ]

    def image(self, path: str) -> str:
        try:
            png = read_png(self.source.path, path)
        except NotThere:
            return ""
        return _data(png) if self.pictures else ""

    def plot(self, claim: str) -> Markup:
        if claim in self.plots.svg:
            return Markup("<figure>{}</figure>").format(inline(self.plots.svg[claim], claim, f"Plot of claim {claim}"))
        return Markup("<p>{}</p>").format(clean_text(self.plots.why)) if self.plots.why else Markup()

    def drawing(self, path: str, words: str) -> Markup:
        return _drawing(self.source, path, words) if self.pictures else Markup()

    def words(self, text: str, name: str = "") -> str:
        if name in self.shown:
            return "(the same words as above)"
        if name:
            self.shown[name] = name
        return cut(text, MAX_WORDS)


def anchor(kind: str, name: str = "") -> str:
    """Return the id of a view within the one file."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", name)
    if plain != name:  # two names must not become one
        plain += f"-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    return f"{kind}-{plain}" if name else kind


def _drawing(source: Source, path: str, words: str) -> Markup:
    try:
        drawing = read_inside(source.path, path, MAX_INLINE + 1).decode("utf-8", "replace")
    except NotThere:
        return Markup()
    return inline(drawing, path, words)


def _data(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}" if 0 < len(png) <= MAX_EMBEDDED else ""
