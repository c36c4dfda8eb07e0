"""Lines as the page shows them: spans joined to rows, with sub- and superscripts marked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from agentsys.paper.model import Box, around
from agentsys.paper.pdf.fonts import Font, Span, make_font
from agentsys.paper.pdf.mathfonts import Decoder, Repair, pair_brackets
from agentsys.paper.pdf.mathitems import Item
from agentsys.paper.pdf.mathlayout import linear
from agentsys.paper.pdf.wire import RawPage, RawSpan

BRACKETS, BARS = frozenset("([{)]}|∥"), frozenset("|∥")
OVERLINE_REACH = 0.25
"""How far an end of the rule may be from the end of its glyphs, as a share of their size."""
OVERLINE_CLEARANCE = 0.2
"""Widest gap between the rule and the glyphs below it. TeX leaves three times the thickness of the rule."""
FRACTION_GAP = 0.65
"""Glyphs as small as those below, within this distance above the rule: it is the bar of a fraction."""


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
    rules: list[Box] = field(default_factory=list[Box])
    """Thin rules inside its box: fraction bars and roots."""

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
        total = sum(sizes.values())
        # Scripts may outnumber what they hang on: the largest size that is not an exception.
        self.size = max(size for size, count in sizes.items() if count >= min(0.12 * total, max(sizes.values())))
        main = max((span for span in self.spans if span.size == self.size), key=lambda span: len(span.text))
        self.font = main.font
        self.base = main.base
        self.box = around((span.x0, span.y0, span.x1, span.y1) for span in self.spans)
        self.plain = "".join((" " if span.space else "") + span.text for span in self.spans).strip()
        if self.rules or any(span.opens for span in self.spans):
            self.text = linear(items_of(self.spans), self.rules).replace("\n", " ")
        else:
            self.text = with_scripts(self.spans, self.base, self.size)

    @property
    def bold(self) -> bool:
        """True if most letters are bold."""
        letters = sum(len(span.text) for span in self.spans)
        return sum(len(span.text) for span in self.spans if span.font.bold) * 2 > letters


def box_of(lines: Iterable[Line]) -> Box:
    """Return the box around lines."""
    return around(line.box for line in lines)


def with_scripts(spans: list[Span], base: float, size: float) -> str:
    """Join spans; small ones above or below the baseline become `^{..}` and `_{..}`."""
    parts: list[str] = []
    state, end = "", 0.0
    for span in spans:
        shift = base - span.base
        small = span.size < 0.86 * size
        kind = "" if not small or not parts else "^" if shift > 0.16 * size else "_" if shift < -0.08 * size else ""
        apart = span.space and (not kind or span.x0 - end > 0.3 * span.size)
        if kind != state or (kind and apart):
            if state:
                parts.append("}")
            if apart:
                parts.append(" ")
            if kind:
                parts.append(kind + "{")
        elif apart:
            parts.append(" ")
        parts.append(span.marked)
        end = span.x1
        state = kind
    if state:
        parts.append("}")
    return re.sub(r"\s+", " ", "".join(parts)).strip()


def items_of(spans: list[Span]) -> list[Item]:
    """Return spans as items of the layout of mathematics."""
    return [Item(s.marked, s.x0, s.y0, s.x1, s.y1, s.base, s.size, s.space, floating=_floating(s)) for s in spans]


def _floating(span: Span) -> bool:
    return "CMEX" in span.font.name or "MathExtension" in span.font.name or span.y1 - span.y0 > 1.7 * span.size


def page_lines(page: RawPage, decoder: Decoder, repair: Repair) -> list[Line]:
    """Return the page's lines in PDFium's order, rows in pieces joined."""
    fonts = [make_font(*entry) for entry in page.fonts]
    rows_of_spans: list[tuple[list[Span], int, bool]] = []
    tall: list[Span] = []
    for hyphen, angle, raw_spans in page.lines:
        spans: list[Span] = []
        for raw in raw_spans:
            text = decoder.decode(page.fonts[raw[1]][0], raw, repair)
            if (not text or text in BARS) and tall and _grow(tall, raw):
                continue
            if not text:
                continue
            span = Span(text, fonts[raw[1]], raw[2], raw[3], raw[4], raw[5], raw[6], raw[7], bool(raw[8]))
            spans.append(span)
            if text in BRACKETS and _floating(span):
                tall.append(span)
        if spans:
            rows_of_spans.append((spans, angle, bool(hyphen)))
    lines = [Line(page.number, *row) for row in rows_of_spans]
    page.rules[:] = mark_overlines([span for line in lines for span in line.spans], page.rules)
    for line in lines:
        if any(span.opens for span in line.spans):
            line.update()
    rows = join_rows(lines, page.rules)
    restore_underscores(rows, page.rules)
    for row in rows:
        if pair_brackets(row.spans, repair):
            row.update()
            repair.guessed += decoder.recoded
    return rows


def _grow(tall: list[Span], piece: RawSpan) -> bool:
    """Add a part of a tall bracket or bar to the part above it; False if there is none."""
    for span in reversed(tall):
        beside = abs(span.x0 - piece[3]) < 0.6 * span.size
        if beside and span.y0 < piece[4] < span.y1 + 1.5 and piece[6] > span.y1:
            span.x0, span.x1 = min(span.x0, piece[3]), max(span.x1, piece[5])
            span.y1 = piece[6]
            return True
    return False


def join_rows(lines: list[Line], rules: list[Box]) -> list[Line]:
    """Join the pieces of a row that mathematics has cut: what stands to the right on the same baseline."""
    rows: list[Line] = []
    for line in lines:
        start = _row_start(rows, line)
        if start is None:
            rows.append(line)
            continue
        row = rows[start]
        end = row.box[2]
        for piece in [*rows[start + 1 :], line]:
            gap = piece.box[0] - end
            piece.spans[0].space = piece.spans[0].space or gap > 0.12 * row.size
            row.spans.extend(piece.spans)
            end = max(end, piece.box[2])
        row.hyphen = line.hyphen
        row.update()
        del rows[start + 1 :]
    for row in rows:
        row.rules = [rule for rule in rules if _inside(rule, row)]
        if row.rules:
            row.update()
    return rows


def _inside(rule: Box, row: Line) -> bool:
    x0, y0, x1, y1 = row.box
    if not (x0 - 1 <= rule[0] and rule[2] <= x1 + 1 and y0 - 1 < rule[1] < y1 - 0.12 * row.size):
        return False
    # A bar has glyphs below it; an underline has none.
    return any(rule[0] - 1 <= (s.x0 + s.x1) / 2 <= rule[2] + 1 and (s.y0 + s.y1) / 2 > rule[3] for s in row.spans)


def _row_start(rows: list[Line], line: Line) -> int | None:
    """Index of the row that `line` goes on, if everything between them stands between them."""
    if not rows or line.angle:
        return None
    if _continues(rows[-1], line):
        return len(rows) - 1
    left = line.box[0]
    for back in range(1, min(9, len(rows)) + 1):
        row = rows[-back]
        if row.angle or row.hyphen:
            return None
        size = max(row.size, line.size)
        same = abs(row.base - line.base) < 0.25 * size and abs(row.size - line.size) < 0.25 * size
        if same and -1 < line.box[0] - row.box[2] < 12 * size and left >= _main_end(row) - 0.35 * size:
            return len(rows) - back if back > 1 else None
        between = abs((row.box[1] + row.box[3]) / 2 - line.base + 0.25 * size) < 1.6 * size
        if not between or _main_end(row) > line.box[0] + 0.35 * size or len(row.plain) > 24:
            return None
        left = min(left, row.box[0])
    return None


def _main_end(row: Line) -> float:
    """Right edge of the last span of full size."""
    return max((span.x1 for span in row.spans if span.size > 0.86 * row.size), default=row.box[2])


def _below_tail(last: Line, line: Line, size: float) -> bool:
    """True for a denominator (or a lower limit) under the numerator that ends a row."""
    reach = last.box[2] + 0.3 * size
    inside = _main_end(last) - 0.35 * size <= line.box[0] and line.box[2] <= max(reach, line.box[0])
    tail = last.spans[-1].size < 0.86 * last.size
    return tail and inside and -0.2 * size < line.base - last.base < 1.1 * size


def _continues(last: Line, line: Line) -> bool:
    """True where `line` stands on the row of `last`, to its right and close."""
    if last.angle or line.angle or last.hyphen:
        return False
    size = max(last.size, line.size)
    gap = line.box[0] - last.box[2]
    if _is_note_mark(last, line):
        return -1 < gap < 0.6 * size
    small = line.size < 0.86 * last.size
    if small and len(line.plain) <= 24 and _below_tail(last, line, size):
        return True
    raised = last.spans[-1].size < 0.86 * last.size
    if not (-0.95 if raised else -0.6) * size < gap < 1.2 * size:
        return False
    if abs(line.base - last.base) < 0.25 * size:
        return True
    return small and abs(line.base - last.base) < 0.75 * size and len(line.plain) <= 12


def _is_note_mark(last: Line, line: Line) -> bool:
    """True for a raised mark of a footnote before the words of the note."""
    raised = 0.15 * line.size < line.base - last.base < 0.6 * line.size and last.size < 0.86 * line.size
    words = len(line.plain) > 12 and line.plain[:1].isalpha() and not line.font.math
    return raised and words and re.fullmatch(r"\d{1,2}|[*∗†‡§¶]", last.plain) is not None


def restore_underscores(rows: list[Line], rules: list[Box]) -> None:
    """Write `_` where TeX has drawn one as a short rule between two letters."""
    short = [rule for rule in rules if 1.5 < rule[2] - rule[0] < 8]
    if not short:
        return
    for row in rows:
        low = row.base + 0.25 * row.size
        high = row.base - 0.12 * row.size
        near = [rule for rule in short if high < rule[1] < low and row.box[0] < rule[0] < row.box[2]]
        for rule in near:
            _underscore(row, rule)


def _underscore(row: Line, rule: Box) -> None:
    for index, (before, after) in enumerate(pairwise(row.spans)):
        fits = before.x1 - 1 <= rule[0] and rule[2] <= after.x0 + 1 and after.x0 - before.x1 < 0.9 * row.size
        if fits and before.text[-1:].isalnum() and after.text[:1].isalnum():
            row.spans[index] = replace(before, text=before.text + "_", x1=rule[2])
            after.space = False
            row.update()
            return


def mark_overlines(spans: list[Span], rules: list[Box]) -> list[Box]:
    """Mark what is overlined among `spans`; return the rules that are left.

    An overline is a thin rule that lies close on some glyphs and is as wide as they are, with nothing of theirs above
    it. Without it `k` to the rising power `r` reads as a plain power, so it becomes `\\overline{..}` in the text.
    """
    left: list[Box] = []
    for rule in rules:
        group = _overlined(spans, rule)
        if not group:
            left.append(rule)
            continue
        group[0].opens = "\\overline{"
        group[-1].closes = "}"
    return left


def _overlined(spans: list[Span], rule: Box) -> list[Span]:
    """The spans under the rule from left to right, or none if it is another kind of rule."""
    if not 2.5 < rule[2] - rule[0] < 80:
        return []
    near = [span for span in spans if span.x1 > rule[0] and span.x0 < rule[2] and abs(span.base - rule[3]) < 30]
    tops = [span for span in near if -0.3 <= span.y0 - rule[3] < OVERLINE_CLEARANCE * span.size and _under(span, rule)]
    if not tops or any(_is_root(span, rule) for span in spans):
        return []
    main = max(tops, key=lambda span: span.size)
    group = [span for span in near if span.y0 >= rule[1] and abs(span.base - main.base) < 0.1 * main.size]
    group.sort(key=lambda span: span.x0)
    reach = OVERLINE_REACH * main.size
    fits = abs(group[0].x0 - rule[0]) < reach and abs(max(span.x1 for span in group) - rule[2]) < reach
    above = (span for span in near if (span.y0 + span.y1) / 2 < rule[1] and _under(span, rule))
    fraction = any(rule[1] - span.y1 < FRACTION_GAP * span.size and span.size < 1.2 * main.size for span in above)
    return group if fits and not fraction else []


def _under(span: Span, rule: Box) -> bool:
    return rule[0] - 1.5 <= span.x0 and span.x1 <= rule[2] + 1.5


def _is_root(span: Span, rule: Box) -> bool:
    return span.text.endswith("√") and abs(span.x1 - rule[0]) < 3 and span.y0 - 3 < rule[1] < span.y1 + 1
