"""Display equations: lines that are mathematics rather than words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from unicodedata import combining

from agentsys.paper.pdf.fonts import Span
from agentsys.paper.pdf.layout import Body
from agentsys.paper.pdf.lines import Line

NUMBER = re.compile(r"(?:^|\s)\((?P<number>(?:[A-Z]\.?)?\d{1,3}(?:\.\d{1,3})?[a-z]?)\s*\)\s*$")
_OPERATORS = set("=<>≤≥≈∼≜≡∝∈∑∏∫√∂∇±×·∗→←↦⊤⊙⊗⊕∀∃∞|‖+−∪∩⊂⊆≠≪≫⟨⟩∥≃≅∆")
_RELATIONS = set("=<>≤≥≈∼≜≡∝∈→←⊆⊂≪≫⪯≃≅∆")
_WORD = re.compile(r"[A-Za-z]{3,}")
_FUNCTIONS = frozenset({
    "max", "min", "log", "exp", "softmax", "arg", "argmax", "argmin", "sup", "inf", "lim", "tanh", "sin", "cos",
    "det", "where", "for", "and", "all", "with", "subject", "otherwise", "clip", "var", "cov", "relu", "sigmoid",
    "concat", "head", "minimize", "maximize", "trace", "diag", "sign", "mean",
})  # fmt: skip
_OPERATOR_NAMES = {"max", "min", "log", "exp", "arg", "argmax", "argmin", "sup", "inf", "lim", "tanh", "det", "softmax"}
_ITEM = re.compile(r"^\(?\d{1,2}[.)]\s+(?=[A-Z][a-z])")


class Numbers:
    """The equation numbers of a paper: flush right, apart from what is before them, and running on."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}

    def collect(self, lines: Iterable[tuple[Line, float]]) -> None:
        """Find the numbers among `(line, right edge of its column)`."""
        found = [(line, match["number"], right) for line, right in lines if (match := NUMBER.search(line.plain))]
        found = [item for item in found if len(prose_words(item[0])) <= 5]
        ends = Counter(round(line.box[2]) for line, _, _ in found)
        flush = [
            (line, number)
            for line, number, right in found
            if abs(line.box[2] - right) <= 14 or ends[round(line.box[2])] >= 4
        ]
        families = Counter(number[0] for _, number in flush if not number.isdigit())
        flush = [(line, number) for line, number in flush if number.isdigit() or families[number[0]] > 1]
        taken: set[str] = set()
        for line, number in flush:
            gap = _number_start(line)
            if number not in taken and (gap is None or gap > 1.2 * line.size):
                self.lines[id(line)] = number
                taken.add(number)
        for line, number in flush:
            gap = _number_start(line) or 0.0
            mathematics = math_share(line) > 0.1 or len(prose_words(line)) <= 1
            if number not in taken and gap > 0.2 * line.size and mathematics and _neighbour(number, taken):
                self.lines[id(line)] = number
                taken.add(number)

    def of(self, line: Line) -> str:
        """Return the number that stands on a line, or an empty string."""
        return self.lines.get(id(line), "")


def _neighbour(number: str, taken: set[str]) -> bool:
    """True if the number before or after this one is an equation's; for `1` nothing needs to come before."""
    if not number.isdigit():
        return False
    return number == "1" or str(int(number) - 1) in taken or str(int(number) + 1) in taken


def is_display(line: Line, left: float, right: float, body: Body, numbers: Numbers, *, apart: bool) -> bool:
    """True where a line between `left` and `right` (the column) is part of a display equation.

    Args:
        apart: whether more room than usual is above it; a display that fills its column is told by that.
    """
    if line.angle or not line.plain:
        return False
    if numbers.of(line):
        return True
    words = len(prose_words(line))
    if words and _ITEM.match(line.plain):
        return False
    share = math_share(line)
    relation = any(char in _RELATIONS for char in line.plain)
    inset = line.box[0] > left + 0.8 * body.size and line.box[2] < right - 0.3 * body.size
    if words > 3 or not (
        inset or (apart and relation and share >= 0.45 and words <= 1 and line.plain[-1:] not in ";:")
    ):
        return False
    return (share >= 0.35 and (words <= 2 or relation)) or (relation and share >= 0.1 and words <= 2)


def is_fragment(line: Line) -> bool:
    """True for a piece that may belong to a display: limits, a denominator, a bracket, `minimize`, `subject to`."""
    if line.angle or not line.plain or prose_words(line):
        return False
    first = line.spans[0]
    if not first.font.math and re.fullmatch(r"[a-z]{2,}", first.text) and first.text not in _FUNCTIONS:
        return False
    words = _WORD.findall(" ".join(span.text for span in line.spans if not span.font.math))
    return len(line.plain) <= 12 or bool(words) or math_share(line) > 0.3


def math_share(line: Line) -> float:
    """Share of the line's characters that are mathematics, 0 to 1."""
    total = sum(_length(span.text) for span in line.spans)
    return sum(_math_chars(span) for span in line.spans) / total if total else 0.0


def _length(text: str) -> int:
    """Number of characters, a letter with its accents as one."""
    return len(text) if text.isascii() else len(text) - sum(map(bool, map(combining, text)))


def _math_chars(span: Span) -> int:
    if span.font.math:
        return _length(span.text)
    if span.text in _OPERATOR_NAMES:
        return len(span.text)
    return sum(char in _OPERATORS or char == "\ufffd" or 0x1D400 <= ord(char) <= 0x1D7FF for char in span.text)


def prose_words(line: Line) -> list[str]:
    """Words of a line that are not set in a mathematical font and not names of functions."""
    text = " ".join(span.text for span in line.spans if not span.font.math)
    return [word for word in _WORD.findall(text) if word.lower() not in _FUNCTIONS]


def _number_start(line: Line) -> float | None:
    """Gap in points before the last `(`; None if nothing is before it."""
    for position in range(len(line.spans) - 1, 0, -1):
        span = line.spans[position]
        if span.text.startswith("("):
            return span.x0 - line.spans[position - 1].x1
    return None


def by_number(lines: list[Line], numbers: Numbers) -> list[list[Line]]:
    """Split a group so that each part has at most one number: a line goes to the number nearest in height.

    What stands between tall brackets goes where they go.
    """
    marks = [line for line in lines if numbers.of(line)]
    if len(marks) < 2:
        return [lines]
    parts: dict[int, list[Line]] = {position: [] for position in range(len(marks))}
    tall = [line for line in lines if line.box[3] - line.box[1] > 3 * line.size]
    for line in lines:
        middle = (line.box[1] + line.box[3]) / 2
        around = next((other for other in tall if other.box[1] < middle < other.box[3]), line)
        middle = (around.box[1] + around.box[3]) / 2
        nearest = min(parts, key=lambda position: abs((marks[position].box[1] + marks[position].box[3]) / 2 - middle))
        parts[nearest].append(line)
    return [part for part in parts.values() if part]


def without_number(line: Line, number: str) -> list[Span]:
    """Return the spans of a line without the equation number at its end."""
    spans = line.spans
    if not number:
        return spans
    joined = sorted(spans, key=lambda span: span.x0)
    tail: list[Span] = []
    while joined and not "".join(span.text for span in tail).startswith("("):
        tail.insert(0, joined.pop())
    text = "".join(span.text for span in tail).replace(" ", "")
    return [span for span in spans if span not in tail] if text == f"({number})" else spans
