"""Plots as part of a page: a drawing of matplotlib, written anew from shapes and words that are known to be harmless.

A file that lies in a run may be a stranger's. What is written here holds no style, no script, no address outside and
no name that the page itself uses, so the page's content policy needs no exception for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import ParseError, XMLParser

from markupsafe import Markup, escape

from agentsys.core.text import clean_line, clean_text

MAX_INLINE = 1 << 20
"""Bytes of a drawing that is made a part of a page; our own have a tenth of it at most."""
NARROW = 450
"""Points of width below which a drawing is read on a phone without moving it."""
_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_SHAPES = frozenset({"g", "defs", "clipPath", "path", "rect", "circle", "line", "use", "text", "tspan"})
_WORDS = ("text", "tspan")
_NAMED = ("path", "clipPath")
"""What others may refer to: were groups among it, a few of them that use each other would draw for ever."""
_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_LENGTH, _COLOUR, _WORD = rf"{_NUMBER}(?:px|pt)?", r"#[0-9a-f]{6}|none", "[a-z]+"
_ALLOWED: Mapping[str, re.Pattern[str]] = {
    name: re.compile(rf"(?:{pattern})\Z", re.IGNORECASE)
    for names, pattern in (
        ("x y width height cx cy r x1 y1 x2 y2 font-size stroke-width stroke-dashoffset", _LENGTH),
        ("opacity fill-opacity stroke-opacity", _NUMBER),
        ("fill stroke", _COLOUR),
        ("stroke-dasharray", rf"none|{_LENGTH}(?:[ ,]+{_LENGTH})*"),
        ("text-anchor font-weight font-style stroke-linecap stroke-linejoin", _WORD),
        ("d", r"[MLHVCSQTAZ\d\s.,e+-]*"),
        ("transform", rf"(?:(?:rotate|translate|scale|matrix)\((?:{_NUMBER}[ ,]*){{1,6}}\)\s*)+"),
    )
    for name in names.split()
}


def inline(svg: str, name: str, words: str) -> Markup:
    """Return a drawing as an element of the page; nothing where the text is no drawing of this kind.

    Args:
        svg: as `report.claim_plot` draws it, or what lies in its place.
        name: of the plot: its ids begin with it, so that two plots of one page have none in common.
        words: what it shows, as a line of text.
    """
    if len(svg) > MAX_INLINE or "<!" in svg:  # no declaration, so no entity that could grow
        return Markup()
    drawn = _Drawing(name, clean_line(words, 80))
    parser = XMLParser(target=drawn)
    try:
        parser.feed(svg)
        parser.close()
    except (ParseError, ValueError):
        return Markup()
    if not drawn.closed:
        return Markup()
    region = Markup('<div class="wide" role="region" aria-label="{}" tabindex="0">{}</div>')
    return region.format(clean_line(words, 80), Markup("".join(drawn.written)))


class _Drawing:
    """What the parser tells, written down as far as it is allowed."""

    def __init__(self, name: str, words: str) -> None:
        self.written: list[str] = []
        self.closed = False
        self._of, self._words = name, words
        self._names: dict[str, str] = {}
        self._open: list[str] = []
        self._skipped = 0
        """How many elements deep we are in one that is left out."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.removeprefix(_SVG)
        if self._skipped or not tag.startswith(_SVG) or name not in ({"svg"} if not self._open else _SHAPES):
            self._skipped += 1
            return
        kept = self._root(attributes) if not self._open else self._kept(name, attributes)
        given = [f' {key}="{escape(value)}"' for key, value in kept]
        self.written.append(f"<{name}{''.join(given)}>")
        self._open.append(name)

    def end(self, _tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        self.written.append(f"</{self._open.pop()}>")
        self.closed = not self._open

    def data(self, text: str) -> None:
        if not self._skipped and self._open and self._open[-1] in _WORDS:
            self.written.append(escape(clean_text(text)))

    def close(self) -> None:
        """The parser wants nothing back."""

    def _root(self, attributes: dict[str, str]) -> Iterator[tuple[str, str]]:
        size = attributes.get("viewBox", "").split()
        if len(size) != 4 or not all(re.fullmatch(_NUMBER, part) for part in size):
            raise ValueError("no drawing: its size is not known")
        shape = "plot narrow" if float(size[2]) < NARROW else "plot"
        yield from (("class", shape), ("viewBox", " ".join(size)), ("role", "img"))
        yield "aria-label", f"{self._words}: the table has its numbers"
        yield from (("stroke-linejoin", "round"), ("stroke-linecap", "butt"))

    def _kept(self, tag: str, attributes: dict[str, str]) -> Iterator[tuple[str, str]]:
        given = {**attributes, **dict(_declarations(attributes.get("style", "")))}
        for name, value in given.items():
            if name in _ALLOWED and _ALLOWED[name].match(value):
                yield name, value
        if "id" in attributes and tag in _NAMED:
            yield "id", self._name(attributes["id"])
        target = attributes.get(f"{_XLINK}href", attributes.get("href", ""))
        if tag == "use" and target.startswith("#"):
            yield "href", f"#{self._name(target[1:])}"
        if clip := re.fullmatch(r"url\(#([^()]+)\)", attributes.get("clip-path", "")):
            yield "clip-path", f"url(#{self._name(clip[1])})"

    def _name(self, given: str) -> str:
        """Return an id of ours for an id of the file."""
        plain = re.sub(r"[^A-Za-z0-9]", "-", self._of)
        return self._names.setdefault(given, f"plot-{plain}-{len(self._names)}")


def _declarations(style: str) -> Iterator[tuple[str, str]]:
    for part in style.split(";"):
        name, _, value = part.partition(":")
        yield name.strip(), value.strip()
