"""Lines as the page shows them: spans joined to rows, with sub- and superscripts marked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agentsys.paper.model import Box
from agentsys.paper.pdf.wire import RawPage

BOLD = re.compile(r"bold|black|heavy|semib|demi|medi(?!um.*ital)|CMBX|SFBX|SFCC|LMRoman.*-Bold|-B\b|\bCMB", re.I)
ITALIC = re.compile(r"ital|obli|slant|CMTI|CMSL|SFTI|SFSL|-It\b|ReguItal", re.I)
MATH = re.compile(
    r"CM(MI|SY|EX|BSY|MIB)|MSAM|MSBM|LMMath|LatinModernMath|STIX.*Math|Cambria ?Math|rsfs|eufm|esint"
    r"|txmi|txsy|pxmi|pxsy|MTMI|MTSY|MTEX|(?:^|\+)Symbol",
    re.I,
)
MONO = re.compile(r"CMTT|SFTT|mono|courier|typewriter|consol|LMTT|Inconsolata|NimbusMon", re.I)


@dataclass(frozen=True, slots=True)
class Font:
    """A font of the file."""

    name: str
    bold: bool
    italic: bool
    math: bool
    mono: bool


@dataclass(slots=True)
class Span:
    """A run of characters with one font, size and baseline."""

    text: str
    font: Font
    size: float
    x0: float
    y0: float
    x1: float
    y1: float
    base: float
    space: bool


@dataclass(slots=True)
class Line:
    """A row of spans in reading order."""

    page: int
    spans: list[Span]
    angle: int = 0
    hyphen: bool = False
    """True where the line ends in a hyphen that PDFium takes for a division."""
    size: float = field(init=False)
    """Size in points of most of its letters."""
    base: float = field(init=False)
    box: Box = field(init=False)
    font: Font = field(init=False)
    text: str = field(init=False)
    """Words with sub- and superscripts marked."""
    plain: str = field(init=False)
    """Words without marks."""

    def __post_init__(self) -> None:
        self.update()

    def update(self) -> None:
        """Compute what follows from the spans."""
        weight: dict[tuple[float, str], int] = {}
        for span in self.spans:
            key = (span.size, span.font.name)
            weight[key] = weight.get(key, 0) + len(span.text)
        sizes: dict[float, int] = {}
        for (size, _), count in weight.items():
            sizes[size] = sizes.get(size, 0) + count
        self.size = max(sizes, key=lambda size: (sizes[size], size))
        main = max((span for span in self.spans if span.size == self.size), key=lambda span: len(span.text))
        self.font = main.font
        self.base = main.base
        self.box = (
            min(span.x0 for span in self.spans),
            min(span.y0 for span in self.spans),
            max(span.x1 for span in self.spans),
            max(span.y1 for span in self.spans),
        )
        self.plain = "".join((" " if span.space else "") + span.text for span in self.spans).strip()
        self.text = with_scripts(self.spans, self.base, self.size)

    @property
    def bold(self) -> bool:
        """True if most letters are bold."""
        letters = sum(len(span.text) for span in self.spans)
        return sum(len(span.text) for span in self.spans if span.font.bold) * 2 > letters

    @property
    def italic(self) -> bool:
        letters = sum(len(span.text) for span in self.spans)
        return sum(len(span.text) for span in self.spans if span.font.italic) * 2 > letters


def with_scripts(spans: list[Span], base: float, size: float) -> str:
    """Join spans; small ones above or below the baseline become `^{..}` and `_{..}`."""
    parts: list[str] = []
    state = ""
    for span in spans:
        shift = base - span.base
        small = span.size < 0.86 * size
        kind = "" if not small or not parts else "^" if shift > 0.16 * size else "_" if shift < -0.08 * size else ""
        if kind != state or (kind and span.space):
            if state:
                parts.append("}")
            if span.space:
                parts.append(" ")
            if kind:
                parts.append(kind + "{")
        elif span.space:
            parts.append(" ")
        parts.append(span.text)
        state = kind
    if state:
        parts.append("}")
    return re.sub(r"\s+", " ", "".join(parts)).strip()


def page_lines(page: RawPage) -> list[Line]:
    """Return the page's lines in PDFium's order, rows in pieces joined."""
    fonts = [_font(*entry) for entry in page.fonts]
    lines: list[Line] = []
    for hyphen, angle, raw_spans in page.lines:
        spans = [Span(s[0], fonts[s[1]], s[2], s[3], s[4], s[5], s[6], s[7], bool(s[8])) for s in raw_spans]
        if not spans:
            continue
        line = Line(page.number, spans, angle, bool(hyphen))
        last = lines[-1] if lines else None
        if last is not None and _continues(last, line):
            gap = line.box[0] - last.box[2]
            spans[0].space = spans[0].space or gap > 0.12 * last.size
            last.spans.extend(spans)
            last.hyphen = line.hyphen
            last.update()
        else:
            lines.append(line)
    return lines


def _font(name: str, weight: int, flags: int) -> Font:
    short = name.split("+", 1)[-1]
    bold = bool(BOLD.search(short)) or weight >= 600
    return Font(short, bold, bool(ITALIC.search(short)), bool(MATH.search(short)), bool(MONO.search(short)))


def _continues(last: Line, line: Line) -> bool:
    """True where `line` stands on the row of `last`, to its right and close."""
    if last.angle or line.angle or last.hyphen:
        return False
    size = max(last.size, line.size)
    gap = line.box[0] - last.box[2]
    if not -0.6 * size < gap < 1.2 * size:
        return False
    if abs(line.base - last.base) < 0.25 * size:
        return True
    small = line.size < 0.86 * last.size
    return small and abs(line.base - last.base) < 0.75 * size and len(line.plain) <= 12
