"""Display equations: lines that are mathematics rather than words."""

from __future__ import annotations

import re

from agentsys.paper.pdf.layout import Body
from agentsys.paper.pdf.lines import Line, Span

NUMBER = re.compile(r"(?:^|\s)\((?P<number>(?:[A-Z]\.?)?\d{1,3}(?:\.\d{1,3})?[a-z]?)\)\s*$")
_OPERATORS = set("=<>≤≥≈∼≜≡∝∈∑∏∫√∂∇±×·∗→←↦⊤⊙⊗⊕∀∃∞|‖+−∪∩⊂⊆≠≪≫⟨⟩∥≃≅∆")
_WORD = re.compile(r"[A-Za-z]{3,}")
_FUNCTIONS = {
    "max",
    "min",
    "log",
    "exp",
    "softmax",
    "arg",
    "argmax",
    "argmin",
    "sup",
    "inf",
    "lim",
    "tanh",
    "sin",
    "cos",
    "det",
    "where",
    "for",
    "and",
    "all",
    "with",
    "subject",
    "otherwise",
    "clip",
    "var",
    "cov",
    "relu",
    "sigmoid",
    "concat",
    "head",
    "minimize",
    "maximize",
    "trace",
    "diag",
    "sign",
    "mean",
}


def is_display(line: Line, left: float, right: float, body: Body) -> bool:
    """True where a line between `left` and `right` (the column) is part of a display equation."""
    if line.angle or not line.plain:
        return False
    share = math_share(line)
    words = prose_words(line)
    indented = line.box[0] > left + 0.8 * body.size
    if numbered(line, right) and indented and (share > 0.12 or len(words) <= 2):
        return True
    if len(line.plain) <= 2 and share == 0 and not line.plain.isalnum():
        return False
    narrow = line.box[2] < right - 0.8 * body.size
    if not indented or not (narrow or numbered(line, right)):
        return False
    return share >= 0.35 and len(words) <= 3


def math_share(line: Line) -> float:
    """Share of the line's characters that are mathematics, 0 to 1."""
    total = sum(len(span.text) for span in line.spans)
    return sum(_math_chars(span) for span in line.spans) / total if total else 0.0


def _math_chars(span: Span) -> int:
    if span.font.math:
        return len(span.text)
    return sum(char in _OPERATORS or char == "\ufffd" or 0x1D400 <= ord(char) <= 0x1D7FF for char in span.text)


def prose_words(line: Line) -> list[str]:
    """Words of a line that are not set in a mathematical font and not names of functions."""
    text = " ".join(span.text for span in line.spans if not span.font.math)
    return [word for word in _WORD.findall(text) if word.lower() not in _FUNCTIONS]


def numbered(line: Line, right: float) -> str:
    """Return the equation number that stands flush right on a line, or an empty string."""
    match = NUMBER.search(line.plain)
    if match is None or line.box[2] < right - 14:
        return ""
    before = line.plain[: match.start()].strip()
    if before:
        # The number stands apart from what is before it.
        tail = _number_start(line)
        if tail is not None and tail < 0.9 * line.size:
            return ""
    return match["number"]


def _number_start(line: Line) -> float | None:
    """Gap in points before the last `(`, or None if it cannot be told."""
    for position in range(len(line.spans) - 1, 0, -1):
        span = line.spans[position]
        if span.text.startswith("("):
            return span.x0 - line.spans[position - 1].x1
    return None


def by_number(lines: list[Line], right: float) -> list[list[Line]]:
    """Split a group so that each part has at most one number: a line goes to the number nearest in height."""
    marks = [line for line in lines if numbered(line, right)]
    if len(marks) < 2:
        return [lines]
    parts: dict[int, list[Line]] = {position: [] for position in range(len(marks))}
    for line in lines:
        middle = (line.box[1] + line.box[3]) / 2
        nearest = min(parts, key=lambda position: abs((marks[position].box[1] + marks[position].box[3]) / 2 - middle))
        parts[nearest].append(line)
    return [part for part in parts.values() if part]
